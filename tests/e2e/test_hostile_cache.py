"""The cache may be hostile, broken, full of lies, unreadable or far away: a build is right, or it says why not."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import re
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest
from harness import SCRIPT, Project, World, hand_over, world_of_a_user
from surroundings import Index, check_store, content_digest, save_model

from bentomake.engine.content_store import ContentStore, hashed_at
from bentomake.engine.digest import Digest, of_bytes
from bentomake.engine.manifest import Manifest
from bentomake.engine.trace import ActionCache
from bentomake.engine.tree import FILE, Entry

SERVICE = """\
import bentoml

bentoml.models.get("toy_model:latest")


@bentoml.service
class Light:
    @bentoml.api
    def echo(self, text: str) -> str:
        return text
"""
FILES = {
    "service.py": SERVICE,
    "bentofile.yaml": 'service: "service:Light"\ninclude: ["*.py", "*.sh", data]\npython:\n  packages: [toy]\n',
    "data/packed.txt": "packed, never looked at\n",
    "data/empty.txt": "",
    "run.sh": "#!/bin/sh\n",
}


class Marker:
    """A pickle of this makes a directory when it is loaded."""

    def __init__(self, path: Path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


class Built:
    """A project that was built once, and its content digest."""

    def __init__(self, world: World, python: str):
        self.world = world
        world.env |= Index(world.directory / "index").for_builds_with(python)
        save_model(world.home, "one", b"weights")
        self.project: Project = world.project("light", FILES)
        (self.project / "run.sh").chmod(0o755)
        hand_over(world)
        self.tag, self.digest = self.build()

    def build(self, *args: str, said: str = "") -> tuple[str, str]:
        """A build that has to succeed, whatever it finds; (tag, content digest)."""
        run = self.project.run("-o", "path", *args).good()
        assert said in run.stderr, run.stderr
        bento = Path(run.stdout.strip())
        assert bento in check_store(self.world.home)
        return f"{bento.parent.name}:{bento.name}", content_digest(bento)

    def forget_the_bento(self) -> None:
        shutil.rmtree(self.world.home / "bentos")

    @property
    def database(self) -> Path:
        return self.world.cache / "actions" / "cache.db"

    def plant(self, statement: str, *values: object) -> None:
        with sqlite3.connect(self.database) as db:
            assert db.execute(statement, values).rowcount > 0

    def blob(self, data: bytes) -> Path:
        (found,) = [p for p in (self.world.cache / "blobs").rglob("*") if p.is_file() and p.read_bytes() == data]
        return found


@pytest.fixture
def built(tmp_path, bentoml14):
    return Built(World(tmp_path, bentoml14), bentoml14)


def rewrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


# The action cache


def test_planted_pickles_are_misses_that_are_said_and_nothing_of_them_runs(built, tmp_path):
    planted = pickle.dumps(Marker(tmp_path / "pwned"))
    (built.database.parent / "planted.val").write_bytes(planted)
    for statement, values in [
        ("UPDATE Cache SET mode = 4, value = ?", (planted,)),
        ("UPDATE Cache SET raw = 0, key = ? WHERE rowid = (SELECT max(rowid) FROM Cache)", (planted,)),
        ("UPDATE Cache SET mode = 4, value = NULL, filename = 'planted.val'", ()),
        ("UPDATE Cache SET mode = 2, value = NULL, filename = 'planted.val'", ()),
        ("UPDATE Cache SET mode = 3, value = NULL, filename = '../../../../../../etc/passwd'", ()),
    ]:
        built.plant(statement, *values)
        assert built.build("-v", said="not one of ours" if "raw" not in statement else "") == (built.tag, built.digest)
        for command in (["cache", "stats"], ["cache", "gc", "--limit", "1K"], ["cache", "verify"], ["explain"]):
            assert "Traceback" not in built.project.run(*command).stderr, (statement, command)
        assert built.build() == (built.tag, built.digest)
    assert not (tmp_path / "pwned").exists()


def test_a_trace_that_was_moved_to_another_key_is_not_believed(built):
    """Each trace gets the bytes of another one: what they promise is not what their keys say."""
    built.plant(
        "UPDATE Cache SET value = (SELECT value FROM Cache AS o WHERE o.key LIKE 'trace/%'"
        " AND o.key != Cache.key LIMIT 1) WHERE key LIKE 'trace/%'"
    )
    assert built.build("-v", said="does not give its key") == (built.tag, built.digest)


@pytest.mark.parametrize("damage", ["garbage", "truncated", "empty", "a directory"])
def test_a_damaged_database_starts_anew_and_it_is_said(built, damage):
    whole = built.database.read_bytes()
    for path in built.database.parent.glob("cache.db-*"):
        path.unlink()
    if damage == "a directory":
        built.database.unlink()
        (built.database / "sub").mkdir(parents=True)
    else:
        half = {"garbage": random.Random(1).randbytes(len(whole)), "truncated": whole[: len(whole) // 2], "empty": b""}
        built.database.write_bytes(half[damage])
    assert built.build("-v") == (built.tag, built.digest)
    assert " 0 ran, " in built.project.run().good().stderr


# The content store


def test_a_truncated_blob_and_a_flipped_byte_are_found_by_the_build_and_made_good(built):
    for data, damaged in [(b"packed, never looked at\n", b"packed"), (SERVICE.encode(), SERVICE.encode()[:-1] + b"#")]:
        built.forget_the_bento()
        blob = built.blob(data)
        rewrite(blob, damaged)
        if len(damaged) < len(data):
            os.utime(
                blob, ns=(hashed_at(of_bytes(data)),) * 2
            )  # its time says that it was hashed, its size that it is another
        assert built.build("-v", said="is damaged") == (built.tag, built.digest)
        assert built.blob(data)


def test_a_damaged_blob_does_not_reach_a_bento_through_its_link(built):
    """A blob and the Bento's file may be one inode: verify says it, and a new Bento is right."""
    blob = built.blob(b"packed, never looked at\n")
    rewrite(blob, b"PACKED, never looked at\n")
    os.utime(blob, ns=(hashed_at(of_bytes(b"packed, never looked at\n")),) * 2)  # forged: only a full hash can find it
    verify = built.project.run("cache", "verify")
    assert verify.code == 1 and str(blob) in verify.stderr and "1 were damaged" in verify.stdout
    built.forget_the_bento()
    assert built.build() == (built.tag, built.digest)
    assert built.project.run("cache", "verify").code == 0


@pytest.mark.parametrize(
    ("path", "climbs"),
    [
        (b"bento/README.md", b"bento/../../../../evil.txt"),
        (b"bento/src\0", b"bento/../../../../evil.txt\0"),
        (b"data/packed.txt", b"../../../../evil.txt"),  # in the tree that stands for src/
    ],
)
def test_a_tree_that_would_climb_out_of_the_bento_is_refused(built, tmp_path, path, climbs):
    """A trace may name any tree that hashes to its name: a path in it must not leave the Bento."""
    evil = tmp_path / "cache"
    with sqlite3.connect(built.database) as db:
        rows = dict(db.execute("SELECT key, value FROM Cache WHERE key LIKE 'trace/%'").fetchall())
    key, trace = next((key, json.loads(text)) for key, text in rows.items() if json.loads(text)["rule"] == "bento")

    def changed(digest: str, old: bytes, new: bytes) -> str:
        """The tree of that digest with other bytes in it: its own digest."""
        sha256 = digest.partition("-")[0]
        before = (evil / "blobs" / sha256[:2] / sha256[2:]).read_bytes()
        after = before.replace(old, new)
        assert after != before
        name = hashlib.sha256(after).hexdigest()
        (evil / "blobs" / name[:2]).mkdir(exist_ok=True)
        (evil / "blobs" / name[:2] / name[2:]).write_bytes(after)
        return f"{name}-{len(after)}"

    if not path.startswith(b"bento/"):
        sha256 = trace["tree"].partition("-")[0]
        text = (evil / "blobs" / sha256[:2] / sha256[2:]).read_bytes()
        (inner,) = re.findall(rb"40000 (\S+) bento/src\0", text)
        path, climbs = inner, changed(inner.decode(), path, climbs).encode()
    trace["tree"] = changed(trace["tree"], path, climbs)
    built.plant("UPDATE Cache SET value = ? WHERE key = ?", json.dumps(trace), key)
    built.forget_the_bento()
    assert built.build() == (built.tag, built.digest)
    assert not list(tmp_path.rglob("evil.txt"))


def test_every_other_file_of_the_cache_may_be_garbage(built):
    state = built.world.cache / "state"
    for path in [p for p in state.rglob("*") if p.is_file() and p.name != "in-use"]:
        before = path.read_bytes()
        for garbage in (b"", b"{}", b"[1]", b"\xff\0garbage" * 20):
            path.write_bytes(garbage)
            found = built.build()
            assert found == (built.tag, built.digest), path
        if path.exists():
            path.write_bytes(before)


# A cache that cannot be used, or lies elsewhere


@pytest.mark.parametrize("how", ["a file", "below a file", "a file inside it"])
def test_a_cache_that_cannot_be_used_is_a_warning_and_the_build_works(built, how, tmp_path):
    if how == "a file inside it":
        (tmp_path / "odd").mkdir()
        (tmp_path / "odd" / "actions").write_text("in the way")
        cache = tmp_path / "odd"
    else:
        (tmp_path / "file").write_text("in the way")
        cache = tmp_path / "file" if how == "a file" else tmp_path / "file" / "below"
    built.world.env["BENTOMAKE_CACHE_DIR"] = str(cache)
    run = built.project.run("-o", "tag").good()
    assert run.stdout.strip() == built.tag
    assert f"warning: The cache {cache} cannot be used" in run.stderr and "remembers nothing" in run.stderr
    assert (tmp_path / "file").is_file() if how != "a file inside it" else (cache / "actions").is_file()


@pytest.fixture
def of_a_user(tmp_path_factory, bentoml14):
    """Built by somebody who is not root, since root may write anywhere."""
    with world_of_a_user(bentoml14) as world:
        yield Built(world, bentoml14)


def test_directories_that_may_not_be_written_are_said_where_it_matters(of_a_user):
    built = of_a_user
    for path in (*built.world.cache.rglob("*"), built.world.cache):
        if os.getuid() == 0:  # the user of this test may read what root may: so the cache is root's now
            os.chown(path, 0, 0)
        path.chmod(0)
    run = built.project.run("-o", "tag").good()
    assert run.stdout.strip() == built.tag
    assert f"warning: The cache {built.world.cache} cannot be used" in run.stderr
    built.world.cache.chmod(0o700)

    # A store that may only be read: what is there is found; what is missing cannot be put there, and that is said.
    built.world.env["BENTOMAKE_CACHE_DIR"] = str(built.world.directory / "user" / "cache")
    places = [p for p in built.world.home.rglob("*") if p.is_dir()] + [built.world.home]
    for path in places:
        path.chmod(0o555)
    try:
        assert built.build() == (built.tag, built.digest)
        built.project.edit("data/packed.txt", "never", "not")
        hand_over_files(built)
        run = built.project.run("-o", "tag")
        assert run.code == 1 and "Traceback" not in run.stderr
        assert f"The Bento store {built.world.home}/bentos cannot be written" in run.stderr and "hint:" in run.stderr
    finally:
        for path in places:
            path.chmod(0o755)
    assert built.build()[0] != built.tag
    assert len(check_store(built.world.home)) == 2


def hand_over_files(built: Built) -> None:
    if built.world.user is not None:
        for path in built.project.directory.rglob("*"):
            os.chown(path, built.world.user, built.world.user, follow_symlinks=False)


def other_file_system(beside: Path) -> Path | None:
    for name in ("/dev/shm", "/run", "/var/tmp", os.path.expanduser("~")):
        if os.path.isdir(name) and os.access(name, os.W_OK) and os.stat(name).st_dev != os.stat(beside).st_dev:
            return Path(name)
    return None


def test_a_cache_on_another_file_system_gives_copies_and_it_is_said(built):
    """Where this machine has only one, a unit test of the content store stands for it (EXDEV)."""
    elsewhere = other_file_system(built.world.home)
    if elsewhere is None:
        return
    cache = elsewhere / f"bentomake-test-{os.getpid()}"
    built.world.env["BENTOMAKE_CACHE_DIR"] = str(cache)
    try:
        built.forget_the_bento()
        assert built.build("-v", said="no hard link") == (built.tag, built.digest)
        bento = built.world.home / "bentos" / built.tag.replace(":", "/")
        assert all(path.stat().st_nlink == 1 for path in (bento / "src").rglob("*") if path.is_file())
        assert os.access(bento / "src" / "run.sh", os.X_OK)
        assert " 0 ran, " in built.project.run().good().stderr
    finally:
        shutil.rmtree(cache, ignore_errors=True)


def test_a_bento_on_the_same_file_system_shares_its_bytes(built):
    bento = built.world.home / "bentos" / built.tag.replace(":", "/")
    source, model = bento / "src/data/packed.txt", bento / "models/toy_model/one/weights.bin"
    linked = source.stat().st_nlink > 1
    assert linked or source.stat().st_mode & 0o222  # a reflink is a file of its own
    assert model.stat().st_ino == (built.world.home / "models/toy_model/one/weights.bin").stat().st_ino
    for name in ("bento.yaml", "README.md", "env/docker/Dockerfile", "apis/openapi.yaml"):
        assert (bento / name).stat().st_nlink == 1 and (bento / name).stat().st_mode & 0o200, name
    blobs = [p.read_bytes() for p in (built.world.cache / "blobs").rglob("*") if p.is_file()]
    assert b"weights" not in blobs  # models are never copied into the content store


# Place, user, clock


def test_place_user_umask_zone_and_times_do_not_count_and_under_one_epoch_the_bytes_are_the_same(tmp_path, bentoml14):
    """One project twice: elsewhere, as somebody else, in another zone, with other times: the same bytes."""
    here = World(tmp_path, bentoml14)
    with world_of_a_user(bentoml14) as there:
        there.env |= {
            "TZ": "Asia/Tokyo",
            "LC_ALL": "C",
            "USER": "somebody",
            "LOGNAME": "somebody",
            "PYTHONHASHSEED": "7",
        }
        found = []
        for world, name, umask in ((here, "light", "022"), (there, "some/other place", "077")):
            world.env |= Index(world.directory / "index").for_builds_with(bentoml14) | {
                "SOURCE_DATE_EPOCH": "1700000000"
            }
            save_model(world.home, "one", b"weights")
            project = world.project(name, FILES)
            (project / "run.sh").chmod(0o755 if world is here else 0o700)
            if world is there:
                for path in (project / "service.py", project / "data/packed.txt"):
                    path.chmod(0o600)
                for path in project.directory.rglob("*"):
                    os.utime(path, (1, 1))
            hand_over(world)
            line = ["/bin/sh", "-c", f'umask {umask}; exec "$@"', "sh", SCRIPT, "-o", "path"]
            run = world.command(line, cwd=project.directory).good()
            found.append(Path(run.stdout.strip()))
        assert found[0].name == found[1].name
        one, other = (described(bento) for bento in found)
        assert one.keys() == other.keys()
        assert {name for name in one if one[name] != other[name]} == set()


def described(bento: Path) -> dict[str, tuple[str, bytes]]:
    """Path → (mode, bytes) of everything in a Bento; its models/ are the model store's own files."""
    found = {}
    for path in bento.rglob("*"):
        name = str(path.relative_to(bento))
        if name.startswith("models/") or path.is_dir():
            found[name] = ("", b"")
        else:
            found[name] = (oct(stat.S_IMODE(path.lstat().st_mode)), path.read_bytes())
    return found


@pytest.mark.parametrize("planted", [{"name": "../../planted"}, {"version": "../../../planted"}, {"models": [{}]}, []])
def test_a_planted_trace_makes_no_bento_elsewhere(built, planted):
    store, cache = ContentStore(str(built.world.cache)), ActionCache(str(built.database.parent))
    (row,) = [row for key in cache.traces() if (row := cache.read(f"trace/{key}"))["rule"] == "bento"]
    tree = dict(store.shallow(Digest.parse(row["tree"])))
    arrival = json.loads(store.read(tree["bento.json"].digest))
    text = json.dumps({**arrival, **planted} if planted else planted)
    tree["bento.json"] = Entry(store.put_bytes(text.encode()), FILE)
    key = Manifest.from_json(row["manifest"]).key
    cache.write(f"trace/{key}", {**row, "tree": str(store.put_tree(tree))})
    cache.close()
    built.forget_the_bento()
    run = built.project.run("-o", "path", "-q")
    assert run.code == 1 and "error: What the cache says of the Bento cannot be read" in run.stderr, run.stderr
    assert "Traceback" not in run.stderr and not list(built.world.directory.rglob("planted"))
