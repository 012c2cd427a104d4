"""Which files of a context a Bento packs: patterns, what is never packed, links, mistakes, and the memo."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bentomake.bento.memo import Memo
from bentomake.bento.selection import Selection, select
from bentomake.engine.tree import EXECUTABLE, FILE, LINK
from bentomake.errors import Several, StepError, UsageError


def make(root: Path, *paths: str, **texts: str) -> Path:
    """Files at the paths; `a -> b` is a link, `a/` an empty directory."""
    for path in paths:
        name, arrow, target = path.partition(" -> ")
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if arrow:
            place.symlink_to(target)
        elif name.endswith("/"):
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.write_bytes(os.fsencode(name))
    return root


def packed(
    context: Path, include: list[str] | None = None, exclude: list[str] | None = None, **more: list[str]
) -> list[str]:
    return [
        file.path for file in select(str(context), ["*"] if include is None else include, exclude or [], **more).files
    ]


def shown(context: Path, include: list[str] | None = None, exclude: list[str] | None = None) -> list[str]:
    """As `packed`, and links as `path -> text`."""
    files = select(str(context), ["*"] if include is None else include, exclude or []).files
    return [file.path if file.mode != LINK else f"{file.path} -> {file.link}" for file in files]


# ---- patterns


def test_the_last_pattern_of_a_list_wins_and_exclude_comes_after_include(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "b.py", "sub/a.py", "sub/c.txt")
    assert packed(tmp_path, ["*.py"]) == ["a.py", "b.py", "sub/a.py"]
    assert packed(tmp_path, ["/*.py"]) == ["a.py", "b.py"]
    assert packed(tmp_path, ["*.py", "!a.py"]) == ["b.py"]
    assert packed(tmp_path, ["!a.py", "*.py"]) == ["a.py", "b.py", "sub/a.py"]
    assert packed(tmp_path, ["*"], ["*.py", "!sub/a.py"]) == ["sub/a.py", "sub/c.txt"]
    assert packed(tmp_path, ["sub/"]) == ["sub/a.py", "sub/c.txt"]
    assert packed(tmp_path, []) == []


def test_a_directory_that_the_patterns_leave_out_as_a_whole_is_not_even_listed(tmp_path: Path) -> None:
    make(tmp_path, "service.py", "data/raw/a.csv", "models/b.bin")
    listed = [Path(seen.path).name for seen in select(str(tmp_path), ["*"], ["data/", "!keep/", "models"]).directories]
    assert listed == [tmp_path.name, "data", "raw"]  # `!keep/` might bring something back, so only `models` is certain
    assert len(select(str(tmp_path), ["/service.py", "models/*.bin"], []).directories) == 2
    assert packed(tmp_path, ["*"], ["data/", "!data/raw/"]) == ["data/raw/a.csv", "models/b.bin", "service.py"]


def test_a_nested_ignore_file_overrides_its_parent_but_not_below_an_ignored_directory(tmp_path: Path) -> None:
    make(tmp_path, "a.log", "sub/a.log", "sub/b.log", "out/a.txt", "out/.bentoignore")
    (tmp_path / ".bentoignore").write_text("*.log\nout/\n!out/a.txt\n")
    (tmp_path / "sub/.bentoignore").write_text("!a.log\n")
    selection = select(str(tmp_path), ["*"], [])
    assert [file.path for file in selection.files] == [".bentoignore", "sub/.bentoignore", "sub/a.log"]
    assert sorted(seen.path for seen in selection.ignore_files) == [
        str(tmp_path / ".bentoignore"),
        str(tmp_path / "sub/.bentoignore"),
    ]


def test_what_is_never_packed(tmp_path: Path) -> None:
    make(tmp_path, "a.py", ".git/config", "sub/.git", "env/pyvenv.cfg", "env/lib/x.py", ".venv/a", "venv/b")
    make(tmp_path, "__pycache__/a.pyc", "sub/__pycache__/b.pyc", ".DS_Store", "home/bentos/x", "node_modules/y.js")
    make(tmp_path, "alias -> home/bentos")
    assert packed(tmp_path, never=[str(tmp_path / "alias")]) == ["a.py", "node_modules/y.js"]


def test_the_executable_bit_is_kept_and_every_other_bit_is_not(tmp_path: Path) -> None:
    make(tmp_path, "run.sh", "plain")
    (tmp_path / "run.sh").chmod(0o700)
    (tmp_path / "plain").chmod(0o666)
    assert [file.mode for file in select(str(tmp_path), ["*"], []).files] == [FILE, EXECUTABLE]


def test_odd_names(tmp_path: Path) -> None:
    names = ["new\nline.py", "sp ace", "[x]", "é", "-", "\\", os.fsdecode(b"\xff.py")]
    try:
        make(tmp_path, *names)
    except OSError:
        pytest.skip("this file system wants names in UTF-8")
    assert packed(tmp_path) == sorted(names)
    assert packed(tmp_path, ["*.py"]) == sorted(["new\nline.py", os.fsdecode(b"\xff.py")])
    (tmp_path / ".bentoignore").write_bytes(b"\xff.py\n")
    assert os.fsdecode(b"\xff.py") not in packed(tmp_path)


def test_directories_are_reported_with_their_stat_so_that_nothing_new_can_go_unseen(tmp_path: Path) -> None:
    make(tmp_path, "a/b/c.py", "outside.py", "linked -> ../elsewhere")
    make(tmp_path.parent / "elsewhere", "x/y.py")
    seen = {directory.path: directory.stat for directory in select(str(tmp_path), ["*"], []).directories}
    assert set(seen) == {str(tmp_path), *(str(tmp_path / name) for name in ["a", "a/b", "linked", "linked/x"])}
    assert all(os.stat(path).st_ino == signature.st_ino for path, signature in seen.items())
    shutil.rmtree(tmp_path.parent / "elsewhere")


# ---- links


def test_a_relative_link_to_something_packed_stays_a_link(tmp_path: Path) -> None:
    make(
        tmp_path, "data/a.csv", "sub/latest -> ../data/a.csv", "chain -> sub/latest", "dir -> data", "deep -> dir/a.csv"
    )
    assert shown(tmp_path) == [
        "chain -> sub/latest",
        "data/a.csv",
        "deep -> dir/a.csv",
        "dir -> data",
        "sub/latest -> ../data/a.csv",
    ]


def test_any_other_link_is_packed_as_its_content(tmp_path: Path) -> None:
    context = make(tmp_path / "context", "a.csv", f"absolute -> {tmp_path}/context/a.csv", "out -> ../outside/o.sh")
    make(context, "dir -> ../outside", "hidden -> left/out.txt", "left/out.txt", "hidden_dir -> left")
    make(tmp_path / "outside", "o.sh", "sub/p.txt", "sub/beside -> p.txt")
    (tmp_path / "outside/o.sh").chmod(0o755)
    assert shown(context, ["*"], ["/left/"]) == [
        "a.csv",
        "absolute",
        "dir/o.sh",
        "dir/sub/beside -> p.txt",  # leads to the same file in the Bento
        "dir/sub/p.txt",
        "hidden",
        "hidden_dir/out.txt",
        "out",
    ]
    files = {file.path: file for file in select(str(context), ["*"], ["/left/"]).files}
    assert files["out"].mode == EXECUTABLE
    assert Path(files["dir/sub/p.txt"].source).read_text() == "sub/p.txt"
    assert files["out"].stat == os.stat(files["out"].source)


def test_patterns_see_the_files_of_a_linked_directory_below_the_link(tmp_path: Path) -> None:
    context = make(tmp_path / "context", "data -> ../outside", "x.csv")
    make(tmp_path / "outside", "a.csv", "b.bin", "raw/c.csv", "skip/d.csv")
    (tmp_path / "outside/.bentoignore").write_text("skip/\n")
    assert packed(context, ["data/*.csv"]) == ["data/a.csv"]
    assert packed(context, ["*.csv"], ["data/raw/"]) == ["data/a.csv", "x.csv"]
    assert packed(context, ["*"], ["data/"]) == ["x.csv"]


def test_a_link_to_a_directory_of_which_the_patterns_want_some_files_shows_these(tmp_path: Path) -> None:
    make(tmp_path, "data -> other", "other/a.csv", "other/b.txt")
    assert shown(tmp_path, ["data/*.csv", "other/b.txt"]) == ["data/a.csv", "other/b.txt"]


def test_a_link_that_leaves_what_is_packed_on_its_way_becomes_content(tmp_path: Path) -> None:
    context = make(
        tmp_path / "context", "a.txt", "round -> ../context/a.txt", "through -> out/../x.txt", "out -> ../far/d"
    )
    make(context, "x.txt")
    make(tmp_path / "far", "d/e", "x.txt")
    assert shown(context) == ["a.txt", "out/e", "round", "through", "x.txt"]


def test_a_link_to_its_own_parent_stays_a_link_or_is_an_error(tmp_path: Path) -> None:
    make(tmp_path, "a/b.txt", "a/up -> ..")
    assert shown(tmp_path) == ["a/b.txt", "a/up -> .."]
    assert shown(tmp_path, ["*.txt"]) == ["a/b.txt", "a/up -> .."]
    make(tmp_path, f"a/again -> {tmp_path}")
    with pytest.raises(UsageError) as caught:
        packed(tmp_path)
    assert caught.value.message == f"The link a/again points to {tmp_path}, a directory that holds the link itself."
    assert shown(tmp_path, ["*"], ["/a/again"]) == ["a/b.txt", "a/up -> .."]


def test_two_directories_outside_that_link_to_each_other_are_an_error_too(tmp_path: Path) -> None:
    context = make(tmp_path / "context", "one -> ../one")
    make(tmp_path, "one/x", "two/y", "one/two -> ../two", "two/one -> ../one")
    with pytest.raises(UsageError, match="The link one/two/one points to"):
        packed(context)


# ---- mistakes


def test_a_broken_link_is_named_if_it_would_be_packed(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "data/x -> ../gone")
    with pytest.raises(UsageError) as caught:
        packed(tmp_path)
    assert caught.value.message == "The link data/x points to ../gone, which does not exist."
    assert caught.value.hint == 'To leave it out, add "/data/x" to exclude.'
    assert packed(tmp_path, ["*"], ["/data/x"]) == ["a.py"]
    make(tmp_path, "self -> self")
    with pytest.raises(Several) as several:
        packed(tmp_path)
    assert [error.message for error in several.value.errors][
        1
    ] == "The link self points to self, which leads back to it."


def test_the_hint_leaves_out_what_it_names_whatever_the_name(tmp_path: Path) -> None:
    for name in ["[a]*?", "!x", "#x", "back\\slash", " x"]:
        make(tmp_path, f"{name} -> gone")
        with pytest.raises(UsageError) as caught:
            packed(tmp_path)
        pattern = (caught.value.hint or "").split('"')[1]
        assert packed(tmp_path, ["*"], [pattern]) == []
        (tmp_path / name).unlink()


def test_a_socket_a_pipe_and_a_link_to_one_are_errors_if_they_would_be_packed(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "link -> pipe")
    os.mkfifo(tmp_path / "pipe")
    here = os.getcwd()
    os.chdir(tmp_path)  # a socket's path has to be short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("socket")
    finally:
        os.chdir(here)
    with pytest.raises(Several) as caught:
        packed(tmp_path)
    assert [error.message.split(" ")[0] for error in caught.value.errors] == ["link", "pipe", "socket"]
    assert packed(tmp_path, ["*.py"]) == ["a.py"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_directory_that_cannot_be_read_is_named_unless_it_is_left_out(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "secret/b.py")
    (tmp_path / "secret").chmod(0)
    try:
        with pytest.raises(StepError, match="The directory secret cannot be read: Permission denied"):
            packed(tmp_path)
        assert packed(tmp_path, ["*"], ["/secret/"]) == ["a.py"]
    finally:
        (tmp_path / "secret").chmod(0o700)


def test_a_context_that_is_none_and_a_pattern_that_is_none(tmp_path: Path) -> None:
    make(tmp_path, "a.py")
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        packed(tmp_path / "gone")
    with pytest.raises(UsageError, match="is not a directory"):
        packed(tmp_path / "a.py")
    with pytest.raises(UsageError, match="The pattern '!' in exclude is not a valid pattern"):
        packed(tmp_path, ["*"], ["!"])


# ---- patterns that match nothing


def test_a_pattern_that_matches_no_file_is_reported(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "data/x.csv", "empty/")
    include = ["*.py", "", "# words", "./data/", "data/*.csv", "empty/", "*"]
    exclude = ["*.txt", "data/", "!nope", ".venv/", "__pycache__/", "*.pyc"]
    assert select(str(tmp_path), include, exclude).unmatched == [
        ("include", 3),
        ("include", 5),
        ("exclude", 0),
        ("exclude", 2),
    ]
    # below a directory that is left out as a whole nothing is looked at
    assert select(str(tmp_path), ["a.py", "data/*.csv"], ["data/"]).unmatched == [("include", 1)]


def test_the_memo_carries_what_matched_and_notices_when_the_only_match_is_gone(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "b.csv")
    first = select(str(tmp_path), ["*.py", "*.csv"], ["*.txt"])
    assert first.unmatched == [("exclude", 0)]
    (tmp_path / "b.csv").unlink()
    make(tmp_path, "c.txt")
    assert select(str(tmp_path), ["*.py", "*.csv"], ["*.txt"], memo=first.memo).unmatched == [("include", 1)]


# ---- the memo


def saved(selection: Selection) -> Memo:
    memo = Memo.from_json(json.loads(json.dumps(selection.memo.to_json())))
    assert memo is not None
    return memo


def test_with_a_memo_and_nothing_new_no_pattern_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.py", "b.txt", "sub/c.py", "link -> sub", "out/d.py", "gone/e.py")
    (tmp_path / ".bentoignore").write_text("out/\n")
    first = select(str(tmp_path), ["*.py"], ["nothing.py", "gone/"])

    def never(*_: object) -> None:
        raise AssertionError("a pattern was compiled")

    monkeypatch.setattr("bentomake.bento.patterns.one_of", never)
    monkeypatch.setattr("bentomake.bento.ignore._runs", never)
    second = select(str(tmp_path), ["*.py"], ["nothing.py", "gone/"], memo=saved(first))
    assert second.files == first.files
    assert second.unmatched == first.unmatched == [("exclude", 0)]


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        {},
        {"key": "k", "directories": {"": ["", {"a": "yes"}]}, "witnesses": {}},
        {"key": 1, "directories": 2},
    ],
)
def test_a_damaged_memo_is_no_memo(broken: object) -> None:
    assert Memo.from_json(broken) is None


def test_a_memo_of_other_patterns_counts_nothing(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "b.txt")
    first = select(str(tmp_path), ["*.py"], [])
    assert [file.path for file in select(str(tmp_path), ["*.txt"], [], memo=saved(first)).files] == ["b.txt"]


NAMES = ["a", "b", "c.py", "d.txt", "x"]
PATTERNS = ["*", "*.py", "a", "a/", "/b", "b/*", "!c.py", "!a/", "**/x", "x/**", "d.*", "/a/b"]
steps = st.one_of(
    st.tuples(st.just("write"), st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)),
    st.tuples(st.just("remove"), st.sampled_from(NAMES)),
    st.tuples(st.just("link"), st.sampled_from(NAMES), st.sampled_from([*NAMES, "a/b", ".", "../elsewhere"])),
    st.tuples(st.just("venv"), st.sampled_from(["a", "b"])),
    st.tuples(st.just("ignore"), st.sampled_from(["", "a/", "b/"]), st.lists(st.sampled_from(PATTERNS), max_size=3)),
)


def edit(context: Path, step: tuple[str, ...]) -> None:
    what, place = step[0], context / step[1]
    try:
        if what == "write":
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("")
        elif what == "remove":
            shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
        elif what == "link":
            place.symlink_to(step[2])
        elif what == "venv":
            place.mkdir(exist_ok=True)
            (place / "pyvenv.cfg").unlink() if (place / "pyvenv.cfg").exists() else (place / "pyvenv.cfg").touch()
        else:
            (place / ".bentoignore").write_text("\n".join(step[2]))
    except OSError:
        pass  # a step that cannot be taken here


def outcome(ask: Callable[[], Selection]) -> object:
    try:
        selection = ask()
    except UsageError as error:
        return str(error)
    files = [(file[:4], file.stat.st_ino) for file in selection.files]
    directories = sorted((seen.path, seen.stat.st_ino) for seen in selection.directories)
    return files, directories, selection.unmatched, selection.memo.directories


@given(
    include=st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3),
    exclude=st.lists(st.sampled_from(PATTERNS), max_size=3),
    history=st.lists(st.lists(steps, min_size=1, max_size=5), min_size=2, max_size=4),
)
@settings(max_examples=150, deadline=None)
def test_after_any_edits_a_selection_with_a_memo_is_one_without(
    tmp_path_factory: pytest.TempPathFactory,
    include: list[str],
    exclude: list[str],
    history: list[list[tuple[str, ...]]],
) -> None:
    root = tmp_path_factory.mktemp("edits")
    context = make(root / "context", "c.py")
    make(root / "elsewhere", "a", "c.py")
    memo: Memo | None = None
    for edits in history:
        for step in edits:
            edit(context, step)
        clean = outcome(lambda: select(str(context), include, exclude))
        assert outcome(lambda known=memo: select(str(context), include, exclude, memo=known)) == clean  # type: ignore[misc]
        if not isinstance(clean, str):
            memo = saved(select(str(context), include, exclude, memo=memo))
    shutil.rmtree(root)


# ---- the real thing

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
