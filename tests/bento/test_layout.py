"""The layout: a content digest is that of the canonical form, however it is computed."""

from __future__ import annotations

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


@given(st.sets(PATHS | st.text("a\\n\n\r\f \u2028", min_size=1)))
def test_the_list_of_the_files_names_each_as_it_is(paths):
    tree = {path: Entry(of_bytes(b""), FILE) for path in paths}
    assert listed(digests_file(tree)) == paths
