"""What is packed is what the real BentoML packs, but for a table of differences on purpose."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from random import Random

import pytest
from trees import make, packed

REAL = """
import json, os, sys
from bentoml._internal.bento.build_config import BentoPathSpec
answers = []
for context, include, exclude in json.load(sys.stdin):
    spec = BentoPathSpec(include, exclude, context)
    found = []
    for root, _, files in os.walk(context):
        for name in files:
            path = os.path.join(os.path.relpath(root, context), name)
            if spec.includes(path):
                found.append(os.path.normpath(path))
    answers.append(sorted(found))
print(json.dumps(answers))
"""

DEVIATIONS = [  # why we differ · files · .bentoignore files · include · exclude · packed by BentoML 1.4 · packed by us
    (
        "a nested ignore file can bring back what its parent ignores, as in git",
        ["s/keep.log"],
        {"": "*.log\n", "s": "!keep.log\n"},
        (["*.log"], []),
        [],
        ["s/keep.log"],
    ),
    (
        "nothing below an ignored directory can be brought back, as in git",
        ["d/keep"],
        {"": "d/\n!d/keep\n"},
        (["keep"], []),
        ["d/keep"],
        [],
    ),
    (
        "in an ignore file a tab at the end is part of the name, as in git",
        ["a"],
        {"": "a\t\n"},
        (["a"], []),
        [],
        ["a"],
    ),
    (
        "a virtualenv is one by any name",
        ["env/pyvenv.cfg", "env/x"],
        {},
        (["env/"], []),
        ["env/pyvenv.cfg", "env/x"],
        [],
    ),
    ("the .git file of a worktree is not packed", [".git"], {}, ([".git"], []), [".git"], []),
    ("a link to a directory is not dropped", ["a/b", "c -> a"], {}, (["*"], []), ["a/b"], ["a/b", "c"]),
]


def ask_the_real_one(python: str, cases: list[tuple[str, list[str], list[str]]]) -> list[list[str]]:
    done = subprocess.run([python, "-W", "ignore", "-c", REAL], input=json.dumps(cases), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [list(answer) for answer in json.loads(done.stdout)]


def generated(random: Random, root: Path) -> tuple[str, list[str], list[str]]:
    """A tree and two lists; at its top, sometimes, an ignore file without negation, where both mean the same."""
    words = ["a", "b", "data", "src", "test", ".env", "venv", "__pycache__", ".venv", "node_modules"]
    leaves = ["a.py", "b.py", "x.csv", "data", "README.md", ".DS_Store", "m.bin", "[1].txt", "a b.py"]
    globs = [
        "*.py",
        "*",
        "**",
        "a*",
        "?.py",
        "[ab].py",
        "*.csv",
        "data",
        "src",
        "*.[cm]*",
        "**/test",
        "[!a].py",
        "\\[1]*",
    ]
    for _ in range(random.randint(3, 25)):
        place = root.joinpath(*random.choices(words, k=random.randint(0, 3)), random.choice(leaves))
        if not any(parent.is_file() for parent in place.parents) and not place.is_dir():
            make(root, str(place.relative_to(root)))

    def pattern(negate: float) -> str:
        middle = "/".join(random.choice(words + globs) for _ in range(random.choice([1, 1, 1, 2, 3])))
        start = "!" if random.random() < negate else ""
        return start + random.choice(["", "", "/", "**/"]) + middle + random.choice(["", "", "/", "/**", "/*", "  "])

    if random.random() < 0.4:
        (root / ".bentoignore").write_text("".join(pattern(0) + "\n" for _ in range(3)))
    include = random.choice([["*"], [pattern(0.2) for _ in range(random.randint(1, 5))]])
    return str(root), include, [pattern(0.3) for _ in range(random.randint(0, 5))]


@pytest.mark.real
def test_bentoml_packs_the_same(bentoml14: str, tmp_path: Path) -> None:
    random = Random(1)
    cases = []
    for number in range(400):
        (tmp_path / str(number)).mkdir()
        cases.append(generated(random, tmp_path / str(number)))
    for case, expected in zip(cases, ask_the_real_one(bentoml14, cases), strict=True):
        context, include, exclude = case
        assert packed(Path(context), include, exclude) == expected, case


@pytest.mark.real
def test_where_we_differ_from_bentoml_it_is_on_purpose(bentoml14: str, tmp_path: Path) -> None:
    cases = []
    for number, (_, files, ignore_files, (include, exclude), _, _) in enumerate(DEVIATIONS):
        root = make(tmp_path / str(number), *files)
        for directory, text in ignore_files.items():
            (root / directory / ".bentoignore").write_text(text)
        cases.append((str(root), include, exclude))
    answers = ask_the_real_one(bentoml14, cases)
    for (why, _, _, _, theirs, ours), case, answer in zip(DEVIATIONS, cases, answers, strict=True):
        assert answer == theirs, why
        assert packed(Path(case[0]), case[1], case[2]) == ours, why
