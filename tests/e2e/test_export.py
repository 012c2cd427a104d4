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

from bentomake.errors import StoreError
from bentomake.export import export

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


def members(archive: Path, links: bool = False) -> dict[str, bytes]:
    """Path → bytes of the files; there is nothing else but directories. `links`: but links, which are followed."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            return {info.filename: packed.read(info) for info in packed.infolist() if not info.is_dir()}
    found = {}
    with tarfile.open(archive) as file:
        for info in file:
            if not info.isdir():
                data = file.extractfile(info)
                assert (info.isfile() or links) and data is not None, info.name
                found[info.name] = data.read()
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
    assert own.keys() == {*listed, "bentomake.sha256", "src/also.py"} and own["src/also.py"] == own["src/words.py"]
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
    theirs = {path.removeprefix("./"): data for path, data in members(tmp_path / "theirs.tar", links=True).items()}
    ours = members(tmp_path / "ours.tar")
    assert ours.items() <= theirs.items()
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
        "warning: src/out is not in the archive: it is a link to nothing that belongs to the Bento.\n"
    )
    (directory / "src/out").unlink()
    kept = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}
    kept = {path for path in kept if "__pycache__" not in path}
    assert {path for path in members(world.directory / "a.bento") if not path.startswith("models/")} == kept
    other = World(tmp_path / "other", speller.world.python)
    other.bentoml("import", str(world.directory / "a.bento")).good()
    assert post(other, tag, "spell", {"word": "make"}) == "known"


def test_links_to_directories_are_what_they_show_wherever_the_bento_comes_from(bentoml14: str, tmp_path: Path) -> None:
    world = World(tmp_path, bentoml14)
    project = world.project("light", {**LIGHT, "lib/a.txt": "a", "lib/in/b.txt": "b"})
    project.edit("bentofile.yaml", "- data.txt", "- data.txt\n  - lib/\n  - also/\n  - lib/same/")
    (project / "also").symlink_to("lib")
    (project / "lib/same").symlink_to("in")
    run = project.make().good()
    assert {path.name for path in run.path.rglob("*") if path.is_symlink()} == {"also", "same"}
    world.run("export", run.tag, "a.bento").good()
    first = members(tmp_path / "a.bento")
    tails = ("a.txt", "in/b.txt", "same/b.txt")
    shown = {f"src/{top}/{tail}" for top in ("lib", "also") for tail in tails}
    assert {path for path in first if path.endswith("b.txt") or path.endswith("a.txt")} - {"src/data.txt"} == shown
    # once more, now of what was imported: its list names links, in the place of which are files
    other = World(tmp_path / "other", bentoml14)
    other.bentoml("import", str(tmp_path / "a.bento")).good()
    imported = other.home / "bentos" / run.tag.replace(":", "/")
    (imported / "src/also/__pycache__").mkdir()
    (imported / "src/also/__pycache__/left").touch()
    other.run("export", run.tag, "b.bento").good()
    assert members(other.directory / "b.bento") == first
    assert project.run("-q", env={"BENTOML_HOME": str(other.home)}).good() and other.bentos() == [run.tag]
    (imported / "src/also/in/b.txt").unlink()
    (imported / "src/also/in").rmdir()
    other.run("export", run.tag, "c.bento").good()
    shutil.rmtree(imported / "src/also")
    lost = other.run("export", run.tag, "c.bento")
    assert lost.code == 1 and f"{imported} lacks src/also, which bentomake.sha256 lists." in lost.stderr


def test_odd_links_of_a_bento_without_a_list(tmp_path: Path) -> None:
    world = World(tmp_path, None)
    bento = world.home / "bentos/odd/1"
    (bento / "src/in").mkdir(parents=True)
    (bento / "bento.yaml").write_text("name: odd\nversion: '1'\n")
    (bento / "src/in/a").write_text("a")
    links = {"loop": ".", "in/up": "..", "absolute": f"{bento}/src/in/a", "by/way": "../loop/in"}
    links |= {"gone": "nothing", "out": "/etc/passwd", "self": "self", "models": "../models"}
    for name, target in links.items():
        (bento / "src" / name).parent.mkdir(exist_ok=True)
        (bento / "src" / name).symlink_to(target)
    run = world.run("export", "odd", "a.tar").good()
    said = [line for line in run.stderr.splitlines() if line.endswith(" a link to nothing that belongs to the Bento.")]
    left = [line.split()[1] for line in said]
    assert left == ["src/gone", "src/models", "src/out", "src/self"]
    found = members(tmp_path / "a.tar")
    assert {"src/in/a", "src/loop/in/a", "src/absolute", "src/by/way/a", "src/in/up/in/a"} <= found.keys()
    assert {data for path, data in found.items() if path != "bento.yaml"} == {b"a"} and len(found) < 30


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


def name_model(light: Project, model: str) -> None:
    """Make a model one of the Bento's, as its bento.yaml has it."""
    info = light.world.home / "bentos" / light.world.latest("light").replace(":", "/") / "bento.yaml"
    text = info.read_text()
    assert "models: []" in text
    info.write_text(text.replace("models: []", f"models: [{model}]", 1))


def give_model(light: Project, tag: str, content: bytes) -> None:
    """The same of a model of the store, which has one file."""
    name, _, version = tag.partition(":")
    directory = light.world.home / "models" / name / version
    directory.mkdir(parents=True)
    (directory / "model.yaml").write_text(f"name: {name}\nversion: {version}\n")
    (directory / name).write_bytes(content)
    name_model(light, f"{{tag: '{tag}'}}")


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
    shutil.rmtree(world.home / "bentos" / speller.tag.replace(":", "/") / "models", ignore_errors=True)
    run = world.run("export", speller.tag, "a.tar")
    root = world.home / "models"
    assert run.code == 1 and not list(tmp_path.glob("*.tar"))
    assert run.stderr == (
        f"error: The model word_list:new is not in the model store {root}.\n"
        "  hint: Do `bentoml models pull word_list:new`, or import it.\n"
    )
    (root / "word_list/newer").mkdir(parents=True)  # whose name begins alike
    assert world.run("export", speller.tag, "a.tar").stderr == run.stderr


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
    name_model(light, "{tag: 'acme--tiny:1', registry: huggingface, metadata: {model_id: acme/tiny, revision: abc}}")
    run = light.run("export", "light", "a.tar").good()
    assert run.stderr.startswith("warning: The model acme--tiny:1 (huggingface) is not in the archive, as in bentoml's")
    assert not [path for path in members(light / "a.tar") if "models" in path]


@pytest.mark.parametrize("suffix", ["tar", "bento", "zip"])
def test_a_disk_that_is_full(suffix: str, light: Project) -> None:
    """As far as a process can tell: its files may not grow any more."""
    give_model(light, "noise:one", os.urandom(1 << 20))
    (light / f"a.{suffix}").write_text("before")
    line = f'ulimit -f 512; exec "$0" export light a.{suffix}'
    run = light.world.command(["sh", "-c", line, SCRIPT], light.directory)
    assert run.code == 1 and run.stdout == ""
    assert run.stderr == (
        f"error: {light.directory}/a.{suffix} cannot be written: File too large.\n"
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


@pytest.mark.parametrize("where", ["bentos/light", "models/noise"])
def test_a_directory_that_cannot_be_read(where: str, light: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root, who runs tests too, may read everything; so the system is made to refuse."""
    give_model(light, "noise:one", b"noise")
    (light.world.home / "models/noise/one/inner").mkdir()
    refused = next((light.world.home / where).glob("*/env" if where.startswith("bentos") else "*/inner"))
    scandir = os.scandir

    def locked(path: str) -> object:
        if path == str(refused):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    with pytest.raises(StoreError, match=f"{refused} cannot be read: Permission denied."):
        export("light", "a.tar", light.world.env, str(light.directory))
    assert not list(light.directory.glob("*.tar"))


def test_ctrl_c(light: Project) -> None:
    """A model that takes minutes: what compresses best takes longest."""
    give_model(light, "words:one", b"".join(b"%d and %d\n" % (n, n * n) for n in range(4_000_000)))
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
