"""The benchmarks of images take nothing from an engine that is not theirs, unless they are told to."""

from __future__ import annotations

from pathlib import Path

import image_projects
import pytest
from image_projects import Project


@pytest.mark.parametrize("prune_to", [None, "24GB"])
def test_the_cache_of_a_developers_engine_is_pruned_only_if_that_is_asked_for(
    prune_to: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(Project, "_docker", staticmethod(lambda *words: (asked.append(words), "sha256:1")[1]))
    monkeypatch.setattr(image_projects, "_SETTLED", 0)
    project = Project(tmp_path, False, ["true"], {}, "bench:1", 1024, (), prune_to)
    project.edited()
    pruned = [words for words in asked if "prune" in words]
    assert pruned == ([("builder", "prune", "--force", "--keep-storage", "24GB")] * 2 if prune_to else [])
