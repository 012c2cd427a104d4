"""`bentomake export`: an archive has what belongs to a Bento and its models, and real bentoml imports and serves it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import LIGHT, SCRIPT, Project, Run, World, command, hand_over, world_of_a_user
from test_real_bentoml import post

pytestmark = pytest.mark.real

BENTOFILE = """\
service: "service:svc"
include: ["*.py", run.sh, also.py]
models: ["word_list:latest", "word_list:old"]
python:
  lock_packages: false
"""
CLASS = """\
import bentoml
from words import known


@bentoml.service(name="speller")
class svc:
    @bentoml.api
    def spell(self, word: str) -> str:
        return known(word)
"""
RUNNER = """\
import bentoml
from bentoml.io import JSON
from words import known

svc = bentoml.Service("speller")


@svc.api(input=JSON(), output=JSON())
def spell(body):
    return known(body["word"])
"""
WORDS = """\
import bentoml


def known(word):
    path = bentoml.models.get("word_list:latest").path_of("words.txt")
    return "known" if word in open(path).read().split() else "unknown"
"""
SAVE = """\
import bentoml
for name, words in (("word_list:old", "loaf"), ("word_list:new", "bento make")):
    context = bentoml.models.ModelContext(framework_name="none", framework_versions={})
    with bentoml.models.create(name, module="none", api_version="v1", signatures={}, context=context) as model:
        open(model.path_of("words.txt"), "w").write(words)
"""
FORMATS = ("bento", "tar", "gz", "xz", "bz2", "zip")


@dataclass(frozen=True)
class Speller:
    """A Bento with two models that was served, so that a server has left things in it."""

    project: Project
    tag: str
    directory: Path

    @property
    def world(self) -> World:
        return self.project.world

    def export(self, *words: str, **env: str) -> Run:
        return self.world.run("export", *words, env=env)


@pytest.fixture(scope="module", params=["bentoml11", "bentoml14"])
def speller(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Speller:
    python, runner = request.getfixturevalue(request.param), request.param == "bentoml11"
    world = World(tmp_path_factory.mktemp("speller"), python)
    project = world.project(
        "speller",
        {"service.py": RUNNER if runner else CLASS, "words.py": WORDS, "bentofile.yaml": BENTOFILE, "run.sh": "true\n"},
    )
    (project / "run.sh").chmod(0o755)
    (project / "also.py").symlink_to("words.py")
    command([python, "-c", SAVE], world.directory, world.env).good()
    run = project.make().good()
    assert post(world, run.tag, "spell", {"word": "bento"}) == "known"
    assert list((run.path / "src").glob("__pycache__/words.*.pyc")), "a server leaves nothing: the tests show nothing"
    (run.path / "stray").symlink_to("/etc/passwd")
    (run.path / "src/note.txt").write_text("of mine\n")
    return Speller(project, run.tag, run.path)


def members(archive: Path) -> dict[str, bytes]:
    """Path → bytes of the files, and of links what they say."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            return {info.filename: packed.read(info) for info in packed.infolist() if not info.is_dir()}
    found = {}
    with tarfile.open(archive) as file:
        for info in file:
            if not info.isdir():
                data = file.extractfile(info) if info.isfile() else None
                found[info.name] = data.read() if data else f"→ {info.linkname}".encode()
    return found


def test_it_has_what_belongs_to_the_bento_and_its_models_and_nothing_else(speller: Speller, tmp_path: Path) -> None:
    run = speller.export("speller", str(tmp_path)).good()
    name, _, version = speller.tag.partition(":")
    archive = tmp_path / f"{name}-{version}.bento"
    size = f"{archive.stat().st_size / 1024:.2f} KiB"
    assert run.stderr == f'Bento(tag="{speller.tag}") exported to {archive}, {size}.\n' and run.stdout == ""
    found = members(archive)
    listed = dict(
        line.removeprefix("\\").split("  ", 1)[::-1]
        for line in (speller.directory / "bentomake.sha256").read_text().splitlines()
        if not line.startswith("#")
    )
    own = {path: data for path, data in found.items() if not path.startswith("models/")}
    assert own.keys() == {*listed, "bentomake.sha256", "src/also.py"} and own["src/also.py"] == "→ words.py".encode()
    for path, digest in listed.items():
        assert hashlib.sha256(own[path]).hexdigest() == digest, path
    store = speller.world.home / "models/word_list"
    assert {path: data for path, data in found.items() if path not in own} == {
        "models/word_list/latest": b"new",
        **{f"models/word_list/{p.relative_to(store)}": p.read_bytes() for p in store.glob("*/*")},
    }
    with tarfile.open(archive) as file:
        assert {info.mode for info in file if info.isfile()} == {0o644, 0o755}
        assert file.getmember("src/run.sh").mode == 0o755


@pytest.mark.parametrize("suffix", FORMATS)
def test_real_bentoml_imports_each_format(suffix: str, speller: Speller, tmp_path: Path) -> None:
    if suffix == "zip":  # which bentoml imports without links
        speller.project.run("export", speller.tag, str(tmp_path / "a.zip"))
        assert not list(tmp_path.iterdir())
        (speller.project / "also.py").unlink()
        try:
            tag = speller.project.make().good().tag
        finally:
            (speller.project / "also.py").symlink_to("words.py")
    else:
        tag = speller.tag
    archive = tmp_path / f"a.{suffix}"
    assert speller.export(tag, str(archive), "-q").good().stderr == ""
    other = World(tmp_path / "other", speller.world.python)
    other.bentoml("import", str(archive)).good()
    archive.unlink()
    assert other.bentos() == [tag]
    listed = json.loads(other.bentoml("models", "list", "-o", "json").good().stdout)
    assert sorted(row["tag"] for row in listed) == ["word_list:new", "word_list:old"]
    if suffix in ("bento", "zip"):
        assert post(other, tag, "spell", {"word": "make"}) == "known"
        assert post(other, tag, "spell", {"word": "loaf"}) == "unknown", "latest is the newer one"


def test_what_was_imported_can_be_exported_again(speller: Speller, tmp_path: Path) -> None:
    first, second = tmp_path / "a.tar", tmp_path / "b.tar"
    speller.export(speller.tag, str(first)).good()
    other = World(tmp_path / "other", speller.world.python)
    other.bentoml("import", str(first)).good()
    other.run("export", speller.tag, str(second)).good()
    assert members(first) == members(second)


def test_real_bentoml_exports_a_bento_of_ours(speller: Speller, tmp_path: Path) -> None:
    (speller.directory / "stray").unlink()  # bentoml 1.4 exports it, and does not import it
    try:
        speller.world.bentoml("export", speller.tag, str(tmp_path / "theirs.tar")).good()
    finally:
        (speller.directory / "stray").symlink_to("/etc/passwd")
    speller.export(speller.tag, str(tmp_path / "ours.tar")).good()
    theirs = {path.removeprefix("./"): data for path, data in members(tmp_path / "theirs.tar").items()}
    ours = members(tmp_path / "ours.tar")
    link = "src/also.py"  # 1.1 follows it
    assert {path: data for path, data in ours.items() if path != link}.items() <= theirs.items()
    assert {path for path in theirs if "__pycache__" not in path} - ours.keys() == {"src/note.txt"}
    other = World(tmp_path / "other", speller.world.python)
    other.bentoml("import", str(tmp_path / "theirs.tar")).good()
    assert other.bentos() == [speller.tag]


def test_a_bento_that_real_bentoml_built(speller: Speller, tmp_path: Path) -> None:
    world = World(tmp_path / "real", speller.world.python)
    shutil.copytree(speller.world.home / "models", world.home / "models")
    shutil.copytree(speller.project.directory, world.directory / "speller", symlinks=True)
    (world.directory / "speller/also.py").unlink()
    world.bentoml("build", cwd=world.directory / "speller").good()
    (tag,) = world.bentos()
    assert post(world, tag, "spell", {"word": "make"}) == "known"
    directory = world.home / "bentos" / tag.replace(":", "/")
    assert list(directory.rglob("__pycache__")) and not (directory / "bentomake.sha256").exists()
    (directory / "src/out").symlink_to("/etc/passwd")
    run = world.run("export", tag, "a.bento").good()
    assert run.stderr.startswith(
        "warning: src/out is not in the archive: it is a link that leads out of the Bento, to /etc/passwd.\n"
    )
    (directory / "src/out").unlink()
    kept = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}
    kept = {path for path in kept if "__pycache__" not in path}
    assert {path for path in members(world.directory / "a.bento") if not path.startswith("models/")} == kept
    other = World(tmp_path / "other", speller.world.python)
    other.bentoml("import", str(world.directory / "a.bento")).good()
    assert post(other, tag, "spell", {"word": "make"}) == "known"


@pytest.mark.parametrize("suffix", FORMATS)
def test_archives_of_two_stores_are_byte_equal_under_one_epoch(suffix: str, bentoml14: str, tmp_path: Path) -> None:
    """Whatever the time, the umask, the time zone and the directory; also without the variable once it is built."""
    archives = []
    for number, more in enumerate(({}, {"TZ": "Asia/Tokyo", "LC_ALL": "C"})):
        world = World(tmp_path / str(number), bentoml14)
        world.env |= {"SOURCE_DATE_EPOCH": "1700000001", **more}
        world.project("a" * (number + 1), LIGHT)
        files = {path: path.stat().st_mtime_ns for path in world.directory.rglob("*") if path.is_file()}
        for path, mtime in files.items():
            os.utime(path, ns=(mtime, mtime - 10**15 * number))
        line = f'umask 0{number}{number * 7}7; cd {"a" * (number + 1)}; "$0" -q && "$0" export light x.{suffix} -o path'
        made = world.command(["sh", "-c", line, SCRIPT], world.directory).good()
        archives.append(Path(made.stdout.strip()))
        del world.env["SOURCE_DATE_EPOCH"]
        again = world.run("export", "light", f"y.{suffix}").good()
        assert (world.directory / f"y.{suffix}").read_bytes() == archives[-1].read_bytes(), again.stderr
    one, other = (path.read_bytes() for path in archives)
    assert one == other
    assert (archives[0].stat().st_mode ^ archives[1].stat().st_mode) & 0o077, (
        "the files themselves are as the user wants"
    )


@pytest.fixture
def light(bentoml14: str, tmp_path: Path) -> Project:
    project = World(tmp_path, bentoml14).project("light", LIGHT)
    project.run("-q").good()
    return project


@pytest.mark.parametrize(("answer", "told"), [("tag", "TAG\n"), ("path", "DIR/light/x.tar\n"), ("json", None)])
def test_answers(answer: str, told: str | None, light: Project) -> None:
    run = light.run("export", "light:latest", "./x.tar", "-q", "-o", answer).good()
    tag, path = light.world.latest("light"), light / "x.tar"
    if told is None:
        assert run.json == {"tag": tag, "path": str(path), "size": path.stat().st_size}
    else:
        assert run.stdout == told.replace("TAG", tag).replace("DIR", str(light.world.directory))
    assert run.stderr == ""


def test_a_relative_path_is_relative_to_where_one_works(light: Project) -> None:
    light.run("export", "light", "a.tar").good()
    light.world.run("export", "-C", "light", "light", "b.tar").good()
    light.run("export", "light").good()
    name = light.world.latest("light").replace(":", "-")
    assert {path.name for path in light.directory.glob("*.*")} >= {"a.tar", "b.tar", f"{name}.bento"}


def test_progress_as_json(light: Project) -> None:
    lines = light.run("export", "light", "-q", "--progress", "json").good().stderr.splitlines()
    moves = [json.loads(line) for line in lines]
    assert {move["event"] for move in moves} == {"moved"} and moves[-1]["done"] == moves[-1]["total"] > 0


def test_an_archive_is_replaced_and_a_failed_export_leaves_the_old_one(light: Project) -> None:
    archive = light / "a.bento"
    archive.write_text("before")
    archive.chmod(0o600)
    shutil.move(
        light.world.home / "bentos" / light.world.latest("light").replace(":", "/") / "src/data.txt", light / "d"
    )
    run = light.run("export", "light", "a.bento")
    assert run.code == 1 and "/src/data.txt, which bentomake.sha256 lists." in run.stderr.replace("lacks ", "/")
    assert archive.read_text() == "before"
    light.run("-q").good()  # which restores it
    light.run("export", "light", "a.bento").good()
    assert tarfile.is_tarfile(archive)
    assert not list(light.directory.glob(".bentomake*"))


WRONG = {
    "no_name": (
        ["nosuch"],
        2,
        ["error: There is no Bento nosuch in DIR/bentoml/bentos.", "  hint: The store has: light."],
    ),
    "no_version": (["light:nosuch"], 2, ["error: There is no Bento light:nosuch in DIR/", "  hint: light has: "]),
    "no_tag": (["Light/x"], 2, ["error: `Light/x` is not the name of a tag.", "  hint: Allowed are "]),
    "no_directory": (
        ["light", "out/a.tar"],
        2,
        ["error: There is no directory DIR/light/out.", "  hint: mkdir -p DIR/light/out"],
    ),
    "url": (
        ["light", "s3://bucket/a.bento"],
        2,
        [
            "error: s3://bucket/a.bento is a URL; bentomake exports to files.",
            "  hint: Export to a file, and copy it there.",
        ],
    ),
    "device": (
        ["light", "/dev/null/"],
        2,
        ["error: There is no directory /dev/null.", "  hint: mkdir -p /dev/null"],
    ),
    "no_such_option": (
        ["light", "--format", "tar"],
        2,
        ["error: No such option", "  hint: bentomake export --help"],
    ),
    "no_where": (
        ["-C", "elsewhere", "light"],
        2,
        ["error: There is no directory elsewhere.", "  hint: -C names where"],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_and_nothing_is_written(name: str, light: Project) -> None:
    words, code, said = WRONG[name]
    before = sorted(light.world.directory.rglob("*"))
    run = light.run("export", *words)
    lines = run.stderr.replace(str(light.world.directory), "DIR").splitlines()
    assert run.code == code and run.stdout == "" and len(lines) == len(said), run.stderr
    assert all(line.startswith(start) for line, start in zip(lines, said, strict=True)), run.stderr
    assert sorted(light.world.directory.rglob("*")) == before


def test_a_model_that_is_missing_is_an_error(speller: Speller, tmp_path: Path) -> None:
    world = World(tmp_path, None)
    shutil.copytree(speller.world.home / "bentos", world.home / "bentos", symlinks=True)
    shutil.rmtree(next((world.home / "bentos").glob("*/*/models")), ignore_errors=True)
    run = world.run("export", speller.tag, "a.tar")
    root = world.home / "models"
    assert run.code == 1 and not list(tmp_path.glob("*.tar"))
    assert run.stderr == (
        f"error: The model word_list:new is not in the model store {root}.\n"
        "  hint: Do `bentoml models pull word_list:new`, or import it.\n"
    )
    (root / "word_list/newer").mkdir(parents=True)  # whose name begins alike
    assert world.run("export", speller.tag, "a.tar").code == 1


def test_models_that_lie_in_the_bento_are_taken_from_there(speller: Speller, tmp_path: Path) -> None:
    world = World(tmp_path, None)
    place = world.home / "bentos" / speller.tag.replace(":", "/")
    shutil.copytree(speller.directory, place, symlinks=True)
    shutil.rmtree(place / "models", ignore_errors=True)
    shutil.copytree(speller.world.home / "models", place / "models")
    world.run("export", speller.tag, "a.tar").good()
    speller.export(speller.tag, str(tmp_path / "b.tar")).good()
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_a_model_of_a_hub_is_not_in_it_as_in_bentomls_own(light: Project) -> None:
    tag = light.world.latest("light")
    info = light.world.home / "bentos" / tag.replace(":", "/") / "bento.yaml"
    model = "{tag: 'acme--tiny:1', registry: huggingface, metadata: {model_id: acme/tiny, revision: abc}}"
    text = info.read_text().replace("models: []", f"models: [{model}]", 1)
    assert model in text
    info.write_text(text)
    run = light.run("export", tag, "a.tar").good()
    assert run.stderr.startswith("warning: The model acme--tiny:1 (huggingface) is not in the archive, as in bentoml's")
    assert not [path for path in members(light / "a.tar") if "models" in path]


@pytest.mark.parametrize("suffix", ["tar", "bento", "zip"])
def test_a_disk_that_is_full(suffix: str, light: Project) -> None:
    """As far as a process can tell: its files may not grow any more."""
    model = light.world.home / "models/noise/one"
    model.mkdir(parents=True)
    (model / "model.yaml").write_text("name: noise\nversion: one\n")
    (model / "noise").write_bytes(os.urandom(1 << 20))
    info = light.world.home / "bentos" / light.world.latest("light").replace(":", "/") / "bento.yaml"
    info.write_text(info.read_text().replace("models: []", "models: [{tag: 'noise:one'}]", 1))
    (light / f"a.{suffix}").write_text("before")
    line = f'ulimit -f 512; exec "$0" export light a.{suffix}'
    run = light.world.command(["sh", "-c", line, SCRIPT], light.directory)
    assert run.code == 1 and run.stdout == ""
    assert run.stderr == (
        f"error: {light}/a.{suffix} cannot be written: File too large.\n".replace(f"{light}", str(light.directory))
        + "  hint: Make room, or name a place on another disk.\n"
    )
    assert (light / f"a.{suffix}").read_text() == "before"
    assert not list(light.directory.glob(".bentomake*"))


@pytest.fixture
def someone(bentoml14: str) -> Iterator[Project]:
    with world_of_a_user(bentoml14) as world:
        project = world.project("light", LIGHT)
        hand_over(world)
        project.run("-q").good()
        yield project


def test_where_nobody_may_write(someone: Project) -> None:
    someone.directory.chmod(0o555)
    run = someone.run("export", "light", "a.tar")
    assert run.code == 1 and run.stderr == (
        f"error: {someone.directory}/a.tar cannot be written: Permission denied.\n"
        "  hint: Name a place where you may write.\n"
    )


def test_a_source_that_nobody_may_read(someone: Project) -> None:
    if os.getuid() == 0:
        pytest.skip("root's user may read everything here")
    path = someone.world.home / "bentos" / someone.world.latest("light").replace(":", "/") / "README.md"
    path.chmod(0)
    run = someone.run("export", "light", "a.tar")
    assert run.code == 1 and run.stderr == f"error: {path} cannot be read: Permission denied.\n"


def test_ctrl_c(light: Project) -> None:
    """A model that takes minutes: what compresses best takes longest."""
    model = light.world.home / "models/words/one"
    model.mkdir(parents=True)
    (model / "model.yaml").write_text("name: words\nversion: one\n")
    with (model / "words").open("wb") as file:
        for number in range(10_000_000):
            file.write(b"%d and %d\n" % (number, number * number))
    info = light.world.home / "bentos" / light.world.latest("light").replace(":", "/") / "bento.yaml"
    info.write_text(info.read_text().replace("models: []", "models: [{tag: 'words:one'}]", 1))
    (light / "a.bento").write_text("before")
    watched = light / "watched"
    line = "while ! ls -A | grep -q ^.bentomake-export; do sleep 0.05; done; sleep 0.5; touch watched"
    watcher = ["sh", "-c", f'({line}) & exec "$0" export light a.bento', SCRIPT]
    run = light.world.command(watcher, light.directory, interrupt_when=watched)
    assert run.code == 130 and run.stdout == ""
    assert run.stderr.endswith("interrupted; what had been made is kept, nothing is half made\n")
    assert (light / "a.bento").read_text() == "before"
    assert not list(light.directory.glob(".bentomake*"))


def test_completion_of_bentos(light: Project) -> None:
    light.run("build", "--version", "1.0", "-q").good()

    def complete(*words: str) -> set[str]:
        env = {"_BENTOMAKE_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
        out = light.world.run(env=env).stdout
        return {line.partition(",")[2] for line in out.splitlines() if line.startswith("plain,")}

    assert "export" in complete("bentomake", "exp")
    for name in ("export", "get", "delete", "containerize"):
        assert complete("bentomake", name, "li") == {"light"}
        assert complete("bentomake", name, "light:1") == {"light:1.0"}
        assert complete("bentomake", name, "light:la") == {"light:latest"}
        assert {"light:latest", "light:1.0"} < complete("bentomake", name, "light")
        assert complete("bentomake", name, "nosuch:") == set()
