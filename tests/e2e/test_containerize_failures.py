"""An image that cannot be built: what is said, where it was written, and that nothing is remembered or left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import own_engines
import pytest
from containers import ENGINES
from harness import end, start, wait_for
from shop import QUICK, Shop

pytestmark = [
    pytest.mark.real,
    pytest.mark.engine,
    pytest.mark.skipif("docker" not in ENGINES, reason="BENTOMAKE_TEST_ENGINES does not name docker"),
]
NAP = f"1200.{os.getpid()}"  # seconds; by this number the build of this run is known among processes
BROKEN = QUICK.replace("# more", "RUN echo this is why && \\\n    false")


def errors(said: str) -> str:
    """From the error on."""
    return said[said.index("error: ") :]


def test_an_instruction_of_the_users_template(shop: Shop) -> None:
    box = shop.project(BROKEN)
    for _ in range(2):  # a failure is not remembered
        run = box.project.run("build", "image")
        assert run.code == 1
        tag = shop.world.latest(box.name) if (shop.world.home / "bentos" / box.name).exists() else ""
        assert errors(run.stderr) == (
            "error: bentofile.yaml:4 (line 6 of the template): docker could not build the image of "
            f"{tag}; this failed: RUN echo this is why && false\n"
            "  | this is why\n"
            f"  hint: It is line 30 of env/docker/Dockerfile.buildkit in the Bento: cd $(bentomake get {tag} -o path)\n"
        )
        assert re.search(r"^  image +failed ", run.stderr, re.MULTILINE)
    assert shop.engine.id(tag) is None
    assert list((shop.world.home / "tmp").iterdir()) == []
    # The same of the stored Bento, where no bentofile is at hand.
    stored = shop.world.run("containerize", tag)
    assert stored.code == 1
    assert errors(stored.stderr).startswith("error: Dockerfile.template (line 6 of the template): docker could not ")
    box.project.edit("Dockerfile.template", "false", "true")
    mended = box.project.run("build", "image").good()
    tag = shop.world.latest(box.name)
    assert f'Successfully built Bento(tag="{tag}").\n' in mended.stderr
    assert f'Successfully built Bento container for "{tag}" with tag(s) "{tag}".\n' in mended.stderr
    assert shop.engine.id(tag) is not None


def test_what_the_user_named_is_not_there(shop: Shop) -> None:
    """A builder, an agent, a base image: whoever finds out, it is the user's mistake, and the next build is right."""
    base = "ARG BASE=python:3.11-slim\nFROM $BASE AS other"
    template = f"{QUICK}{{% block SETUP_BENTO_BASE_IMAGE %}}\n{base}\n{{{{ super() }}}}\n{{% endblock %}}\n"
    tag = shop.project(template).build()
    for words, said in (
        (["--opt", "builder=nosuch"], "error: docker has no builder nosuch.\n"),
        (["--ssh", "default"], "error: The option ssh=default lends the ssh agent, and SSH_AUTH_SOCK names none.\n"),
        (["--build-arg", "BASE=--help"], "error: The Dockerfile starts from --help, which is no image.\n"),
    ):
        run = shop.world.run("containerize", tag, *words)
        assert run.code == 2 and said in run.stderr
        assert shop.engine.id(tag) is None
    assert "image" in shop.containerize(tag).good().ran


def test_a_setup_script_that_fails(shop: Shop) -> None:
    script = "#!/bin/sh\nfor i in $(seq 40); do echo line $i; done\nexit 7\n"
    box = shop.project(None, "docker:\n  setup_script: ./setup\n", setup=script)
    run = box.project.run("build", "image")
    said = errors(run.stderr).splitlines()
    assert run.code == 1
    assert said[0].startswith("error: bentofile.yaml:5: docker could not build the image of ")
    assert said[0].endswith("RUN chmod 0755 ./env/docker/setup_script && ./env/docker/setup_script")
    assert said[-3:-1] == ["  | line 39", "  | line 40"] and 10 <= len(said) <= 14


def test_a_disk_that_is_full(shop: Shop) -> None:
    fill = "RUN --mount=type=tmpfs,size=1m,target=/small head -c 3000000 /dev/zero > /small/file"
    box = shop.project(QUICK.replace("# more", fill))
    run = box.project.run("build", "image")
    assert run.code == 1
    assert "No space left on device" in errors(run.stderr).splitlines()[1]
    assert "  hint: Is the engine's disk full? `docker system df` says what is on it" in run.stderr
    assert shop.engine.id(shop.world.latest(box.name)) is None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MiB, on which an engine can keep its images."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "small", disk], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.skipif("buildah" not in ENGINES, reason="BENTOMAKE_TEST_ENGINES does not name buildah")
def test_an_engine_whose_disk_is_full(shop: Shop, small_disk: Path, tmp_path: Path) -> None:
    """buildah can have a store for this test alone."""
    name = shop.name()
    bento = shop.world.home / "bentos" / name / "v1"
    (bento / "env/docker").mkdir(parents=True)
    (bento / "bento.yaml").write_text(f"name: {name}\nversion: v1\n")
    (bento / "env/docker/Dockerfile").write_text("FROM scratch\nCOPY bento.yaml weights /\n")
    (bento / "weights").write_bytes(os.urandom(32 << 20))  # more than the disk holds
    settings = tmp_path / "storage.conf"
    settings.write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{small_disk}/g"\nrunroot = "{small_disk}/r"\n')
    words, env = (f"{name}:v1", "--backend", "buildah"), {"CONTAINERS_STORAGE_CONF": str(settings)}
    run = shop.world.run("containerize", *words, env=env)
    said = errors(run.stderr)
    assert run.code == 1 and f": buildah could not build the image of {name}:v1; this failed: COPY" in said
    assert "no space left on device" in said
    assert "  hint: Is the engine's disk full? `buildah images` says what is on it" in said
    assert buildah(env, "images", "-q") == ""
    assert list((shop.world.home / "tmp").iterdir()) == []
    subprocess.run(["mount", "-o", "remount,size=200m", small_disk], check=True)
    assert "image" in shop.containerize(*words, env=env).good().ran
    assert buildah(env, "images", "-q", "--no-trunc") != ""
    assert shop.containerize(*words, env=env).good().ran == set()


def buildah(env: dict[str, str], *words: str) -> str:
    """What a command of buildah prints, of the store that `env` names."""
    return subprocess.run(
        ["buildah", *words], env={**os.environ, **env}, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_registry_that_is_not_there(shop: Shop) -> None:
    box = shop.project()
    tag = box.build()
    for _ in range(2):
        run = shop.world.run("containerize", tag, "-t", f"localhost:1/{box.name}:x", "--opt", "push")
        assert run.code == 1
        name = f"localhost:1/{box.name}:x"
        said = errors(run.stderr)
        assert f"docker built the image of {tag}, but localhost:1 was not reached for the push of {name}." in said
        assert "connection refused" in said and "-t localhost:1/…/NAME:TAG names the registry" in said


def test_an_engine_that_is_not_there(shop: Shop, tmp_path: Path) -> None:
    tag = shop.project().build()
    run = shop.world.run("containerize", tag, env={"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert run.code == 2
    assert f"docker is installed, but its daemon at unix://{tmp_path}/none.sock cannot be reached." in run.stderr
    assert "  hint: Start it (Docker Desktop, or `sudo systemctl start docker`)" in run.stderr
    run = shop.world.run("containerize", tag, env={"PATH": str(tmp_path)})
    assert run.code == 2 and "docker is not installed" in run.stderr
    run = shop.world.run("containerize", tag, env={"BENTOMAKE_BACKEND": "dokcer"})
    assert run.code == 2 and run.stderr.startswith("error: There is no backend dokcer.\n  hint: Did you mean docker?")
    run = shop.world.run("containerize", tag, env={"BENTOMAKE_BACKEND": "nerdctl", "PATH": str(tmp_path)})
    assert run.code == 2 and "nerdctl is not installed" in run.stderr


def test_an_engine_that_dies(shop: Shop, tmp_path: Path) -> None:
    docker = next(f"{d}/docker" for d in os.environ["PATH"].split(":") if os.access(f"{d}/docker", os.X_OK))
    (tmp_path / "docker").write_text(
        f'#!/bin/sh\n[ "$1" = build ] || exec {docker} "$@"\necho "#1 [internal] load"\necho "#1 DONE"\nkill -9 $$\n'
    )
    (tmp_path / "docker").chmod(0o755)
    tag = shop.project().build()
    run = shop.world.run("containerize", tag, env={"PATH": f"{tmp_path}:{shop.world.env['PATH']}"})
    assert run.code == 1
    assert f"error: docker was killed (signal 9) while it built the image of {tag}." in errors(run.stderr)
    assert shop.containerize(tag).good().ran == {"image"}


def test_a_daemon_that_is_killed(shop: Shop, tmp_path: Path) -> None:
    place = own_engines.place()
    if place is None:
        pytest.skip("BENTOMAKE_TEST_ENGINES_AT names no docker that a test may kill")
    box = shop.project(QUICK.replace("# more", f"RUN echo waiting && sleep {NAP}"))
    tag = box.build()
    argv = [shop.world.run("--version").argv[0], "containerize", tag, "--progress", "plain"]
    log = tmp_path / "log"
    with log.open("w") as output:
        process = start(argv, shop.world.directory, shop.world.env, output=output)
    try:
        wait_for(lambda: bool(sleeping()), process)
        os.kill(int((place / "docker/pid").read_text()), signal.SIGKILL)
        (place / "docker/pid").unlink()  # it may be a zombie for a while, which the next one takes for alive
        process.wait(timeout=60)
    finally:
        end(process)
        for pid in sleeping():  # it had no daemon any more to end it
            os.kill(int(pid), signal.SIGKILL)
        own_engines.bring_up(place)
    assert process.returncode == 1
    said = errors(log.read_text())
    assert f"error: docker lost its daemon while it built the image of {tag}." in said
    assert "  hint: Start it again, and see its log: it may say why it ended." in said
    assert list((shop.world.home / "tmp").iterdir()) == []
    box.project.edit("Dockerfile.template", f"sleep {NAP}", "true")
    box.containerize().good()


@pytest.mark.parametrize("name", ["docker", "buildah", "podman"])
def test_an_interrupted_build_is_cancelled_and_leaves_nothing(name: str, shop: Shop, tmp_path: Path) -> None:
    if name not in ENGINES:
        pytest.skip(f"BENTOMAKE_TEST_ENGINES does not name {name}")
    engine = ENGINES[name]
    box = shop.project(QUICK.replace("# more", f"RUN echo waiting && sleep {NAP}"))
    tag = box.build()
    argv = [shop.world.run("--version").argv[0], "containerize", tag, "--backend", name, "--progress", "plain"]
    before = containers(name)
    log = tmp_path / "log"
    with log.open("w") as output:
        process = start(argv, shop.world.directory, shop.world.env, output=output)
    try:
        wait_for(lambda: "waiting\n" in log.read_text().replace("RUN echo waiting", ""), process)
        wait_for(lambda: bool(sleeping()), process)  # the shell speaks before it starts it
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=120)
    finally:
        end(process)
    assert process.returncode == 130, log.read_text()
    assert "Traceback" not in log.read_text()
    assert list((shop.world.home / "tmp").iterdir()) == []
    assert engine.id(tag) is None
    wait_for_the_end()
    assert containers(name) <= before
    box.project.edit("Dockerfile.template", f"sleep {NAP}", "true")
    try:
        assert engine.id(box.containerize("--backend", name).good().tag) is not None
    finally:
        engine.remove(box.name)


def containers(name: str) -> set[str]:
    """The containers that an engine has, those that it builds in among them."""
    words = {"docker": ["ps", "-aq"], "buildah": ["containers", "-q"], "podman": ["ps", "-aq", "--external"]}
    return set(ENGINES[name].call(*words[name]).split())


def sleeping() -> list[str]:
    """The processes of this machine that are the build's `sleep`."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if (directory / "cmdline").read_bytes() == b"sleep\0%s\0" % NAP.encode():
                found.append(directory.name)
        except OSError:
            continue
    return found


def wait_for_the_end() -> None:
    import time

    until = time.monotonic() + 120
    while sleeping():
        assert time.monotonic() < until, "the engine goes on building"
        time.sleep(0.1)
