"""The layout: a content digest is that of the canonical form, however it is computed."""

from __future__ import annotations

import subprocess

from hypothesis import given
from hypothesis import strategies as st

from bentomake.bento.layout import content_digest, digests_file, listed
from bentomake.engine.digest import of_bytes, of_value
from bentomake.engine.tree import EXECUTABLE, FILE, LINK, Entry

PATHS = st.text(st.characters(exclude_characters="\0"), min_size=1) | st.sampled_from(
    ['a"b', "a\\b", "a\udcffb", "ä/日"]
)


@given(st.dictionaries(PATHS, st.sampled_from([FILE, EXECUTABLE, LINK])), st.lists(st.tuples(st.text(), st.text())))
def test_the_content_digest_is_that_of_the_canonical_form(modes, models):
    tree = {path: Entry(of_bytes(path.encode("utf-8", "surrogatepass")), mode) for path, mode in modes.items()}
    info = {"service": "service:Light", "labels": {"ä": "ö"}, "z": [1, None]}
    files = [[path, entry.digest.sha256, f"{entry.mode:o}"] for path, entry in sorted(tree.items())]
    sources = of_bytes(b"the tree of the sources")
    canonical = {"name": "light", "sources": sources.sha256, "files": files, "models": sorted(models), "info": info}
    assert content_digest("light", sources, tree, models, info) == of_value(canonical)


@given(st.dictionaries(PATHS | st.text("a#\\n\n\r\f \u2028", min_size=1), st.sampled_from([FILE, LINK])))
def test_the_list_names_each_file_and_each_link_as_it_is(modes):
    tree = {path: Entry(of_bytes(b""), mode) for path, mode in modes.items()}
    files, links = ({path for path, mode in modes.items() if mode == wanted} for wanted in (FILE, LINK))
    assert listed(digests_file(tree)) == (files, links)


def test_a_list_that_was_made_without_links_says_nothing_of_them():
    assert listed(f"{'0' * 64}  a\n") == ({"a"}, None)


def test_sha256sum_checks_the_files_and_is_silent_about_the_links(tmp_path):
    names = ["bento.yaml", "src/#.py", "src/a\n.py", "src/b\\n.py"]
    (tmp_path / "src").mkdir()
    for name in names:
        (tmp_path / name).write_text(name)
    (tmp_path / "src/a\nlink").symlink_to("nowhere")
    tree = {name: Entry(of_bytes(name.encode()), FILE) for name in names}
    (tmp_path / "list").write_text(digests_file({**tree, "src/a\nlink": Entry(of_bytes(b"nowhere"), LINK)}))
    check = ["sha256sum", "-c", "--strict", "--warn", "list"]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr, done.stdout.count(": OK\n")) == (0, "", len(names))
    (tmp_path / "bento.yaml").write_text("another")
    assert subprocess.run(check, cwd=tmp_path, capture_output=True).returncode == 1
