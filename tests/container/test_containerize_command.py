"""`bentomake containerize`: what its words ask for, and what it says of what was made."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import bentomake.containerize
from bentomake.cli.main import run
from bentomake.cli.options import OLDER
from bentomake.container.buildx import Buildx
from bentomake.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, StepError
from bentomake.execution import Result
from bentomake.images import Image
from bentomake.workspace import ImageAsk

MADE = Image(["iris:v1", "me/iris:v1"], "sha256:abc", None, "linux/amd64", 7, "docker")


class Asked:
    """What the command handed on; it answers with an image, or with an error."""

    tag: str
    image: ImageAsk
    settings: Any
    dry: bool
    times = 0
    error: StepError | None = None
    made = MADE
    odd: tuple[str, ...] = ()

    def __call__(self, tag: str, session: Any, progress: Any, *, dry: bool = False, head_start: Any = None) -> Result:
        self.times += 1
        session.store.notes.extend(self.odd)
        self.tag, self.settings, self.image, self.dry = tag, session.settings, session.settings.image, dry
        result = Result({})
        result.errors = [] if self.error is None else [self.error]
        result.images = [self.made] if self.error is None else []
        return result


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    found = Asked()
    monkeypatch.setattr(bentomake.containerize, "containerize", found)
    for name in ("DOCKER_BUILDKIT", "BENTOML_CONTAINERIZE_BACKEND", "BENTOMAKE_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    return found


def test_nothing_but_a_tag(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["containerize", "iris:latest"]) == EXIT_OK
    assert (asked.tag, asked.dry, asked.settings.force) == ("iris:latest", False, False)
    image = asked.image
    assert (image.backend, image.tags, image.features) == ("docker", (), ())
    assert (image.run_as_root, image.offline, image.wheel_cache) == (False, False, True)
    assert image.options is not None and image.options.given == ()
    said = capsys.readouterr()
    assert said.out == ""
    assert (
        'Successfully built Bento container for "iris:latest" with tag(s) "iris:v1, me/iris:v1".\n'
        "To run it: docker run --rm -p 3000:3000 iris:v1\n"
    ) in said.err


def test_everything_at_once(
    asked: Asked, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said_well: list[Any] = []  # before anything else: sudo may want a password
    monkeypatch.setattr(Buildx, "health", lambda backend, env: said_well.append(backend.rooted))
    words = ["containerize", "iris", "-t", "a:1", "--image-tag", "b", "--docker-image-tag", "localhost:5000/c:x"]
    words += ["--backend", "buildx", "--opt", "build-arg:A=two words", "--opt", "no-cache", "--enable-features"]
    words += ["grpc,io-image", "--enable-features", "aws", "--run-as-root", "--offline", "--no-wheel-cache"]
    words += ["--progress", "plain", "-j", "3", "-B", "-C", str(tmp_path)]
    assert run(words) == EXIT_OK and said_well == [os.geteuid() != 0]
    image = asked.image
    assert (image.backend, image.tags) == ("buildx", ("a:1", "b", "localhost:5000/c:x"))
    assert image.features == ("grpc", "io-image", "aws")
    assert (image.run_as_root, image.offline, image.wheel_cache) == (True, True, False)
    assert image.options is not None
    assert image.options.given == (("build-arg", "A=two words"), ("no-cache", True))
    assert image.options.deprecated == ()
    assert (asked.settings.cwd, asked.settings.jobs, asked.settings.force) == (str(tmp_path), 3, True)
    assert "To serve gRPC: docker run --rm -p 3000:3000 -p 3001:3001 iris:v1 serve-grpc" in capsys.readouterr().err


def test_each_older_flag_is_the_option_of_its_name(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    values = {"secret": "id=aws,src=x", "platform": "linux/amd64", "shm-size": "1m", "network": "host"}
    values |= {"ulimit": "nofile=1024", "build-context": f"a={os.getcwd()}"}
    for name, (_, _, metavar, _) in OLDER.items():
        words = [f"--{name}"] if metavar is None else [f"--{name}", values.get(name, "a=b")]
        assert run(["containerize", "iris", "--backend", "buildx", *words]) == EXIT_OK, name
        assert asked.image.options is not None
        assert asked.image.options.given == ((name, True if metavar is None else words[1]),)
        shown = "=…" if metavar is None else f"={words[1]}"
        said = capsys.readouterr().err
        expected = {"build-arg": "=a=…"}.get(name, "" if metavar is None else shown)
        assert f"warning: '--{name}{expected}' is deprecated: write '--opt {name}{expected}'.\n" in said
    assert run(["containerize", "iris", "-q", "--platform", "linux/amd64"]) == EXIT_OK
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "epoch", "said"),
    [
        (["--opt", "progress=fancy"], "", "There is no progress 'fancy'."),
        ([], "yesterday", "SOURCE_DATE_EPOCH is 'yesterday', which is no number of seconds."),
        ([], "1.5", "SOURCE_DATE_EPOCH is '1.5', which is no number of seconds."),
        ([], "9" * 5000, "which is no number of seconds."),
    ],
    ids=["progress", "no number", "no whole number", "no year"],
)
def test_what_is_wrong_is_said_before_anything_is_looked_at(
    words: list[str], epoch: str, said: str, asked: Asked, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    assert run(["containerize", "iris", *words]) == EXIT_USAGE
    assert said in capsys.readouterr().err and asked.times == 0


@pytest.mark.parametrize(
    ("env", "words", "backend"),
    [
        ({}, [], "docker"),
        ({"BENTOML_CONTAINERIZE_BACKEND": "buildah"}, [], "buildah"),
        ({"BENTOMAKE_BACKEND": "podman"}, [], "podman"),
        ({"BENTOML_CONTAINERIZE_BACKEND": "buildah"}, ["--backend", "buildx"], "buildx"),
    ],
)
def test_which_backend(
    env: dict[str, str], words: list[str], backend: str, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert run(["containerize", "iris", *words]) == EXIT_OK
    assert asked.image.backend == backend


@pytest.mark.parametrize(
    ("env", "words", "said"),
    [
        ({}, ["--backend", "dokcer"], "error: There is no backend dokcer.\n  hint: Did you mean docker?"),
        ({}, ["--output", "tag"], "error: --output tag would be a file of the engine's.\n  hint: Write -o tag to have"),
        ({}, ["-t", "Iris:1"], "error: 'Iris:1' cannot be the name of an image.\n"),
        ({}, ["--enable-features", "grcp"], "error: bentoml has no feature grcp.\n  hint: Did you mean grpc?"),
        ({}, ["--opt", "=x"], "error: --opt '=x' names no option.\n"),
        ({}, ["--opt", "tag=x"], "error: The option tag is bentomake's own.\n  hint: -t/--image-tag names the image."),
        ({}, ["--opt", "no-cache=perhaps"], "error: The option no-cache is on or off, not 'perhaps'.\n"),
        ({}, ["--opt", "file=x"], "error: The option file is bentomake's own.\n"),
        ({}, ["--secret", "hush"], "error: A secret has no id.\n"),
        ({}, ["--opt", "layers"], "error: docker has no option layers.\n  hint: buildah, podman have it (--backend)."),
        (
            {"DOCKER_BUILDKIT": "0"},
            ["--secret", "id=a,src=b"],
            "error: docker has no option secret.\n  hint: docker has it only with BuildKit, and DOCKER_BUILDKIT is 0.",
        ),
        (
            {"DOCKER_BUILDKIT": "0"},
            ["--opt", "platform=linux/amd64,linux/arm64"],
            "error: docker without BuildKit builds for one platform.\n",
        ),
        (
            {},
            ["--backend", "buildah", "--opt", "progress=plain"],
            "error: buildah has no option progress.\n  hint: Its output is plain text anyway",
        ),
        (
            {},
            ["--backend", "buildah", "--opt", "cache-to=type=inline"],
            "error: The option cache-to of buildah is a repository, not 'type=inline'.\n",
        ),
        (
            {},
            ["--backend", "buildah", "--opt", "cache-to=type=s3,secret_access_key=hush"],
            "error: The option cache-to of buildah is a repository, not 'type=s3,secret_access_key=…'.\n",
        ),
        (
            {},
            ["--backend", "podman", "--output", "type=oci,dest=x"],
            "error: The output of podman is files (type=local or type=tar), not 'type=oci,dest=x'.\n",
        ),
        (
            {},
            ["--backend", "podman", "--platform", "linux/amd64,linux/arm64"],
            "error: podman needs a manifest list for 2 platforms (linux/amd64, linux/arm64).\n",
        ),
        (
            {},
            ["--backend", "buildx", "--platform", "linux/amd64", "--platform", "linux/arm64"],
            "error: buildx cannot load an image of 2 platforms (linux/amd64, linux/arm64) into its store.\n",
        ),
        (
            {},
            ["--backend", "nerdctl", "--opt", "push", "--opt", "output=x"],
            "error: nerdctl takes one output.\n",
        ),
        ({}, ["-C", "/no/such/place"], "error: There is no directory /no/such/place.\n"),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(
    env: dict[str, str],
    words: list[str],
    said: str,
    asked: Asked,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert run(["containerize", "iris", *words]) == EXIT_USAGE
    assert said in capsys.readouterr().err
    assert asked.times == 0


@pytest.mark.parametrize(
    ("answer", "out"),
    [
        ("tag", "iris:v1\nme/iris:v1\n"),
        ("id", "sha256:abc\n"),
        ("json", json.dumps(MADE._asdict(), indent=2) + "\n"),
    ],
)
def test_the_answer_is_alone_on_stdout(answer: str, out: str, asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["containerize", "iris", "-q", "-o", answer]) == EXIT_OK
    assert capsys.readouterr() == (out, "")


def test_an_image_that_was_sent_elsewhere_cannot_be_run_here(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    asked.made = Image(["iris:v1"], None, None, None, None, "docker")
    assert run(["containerize", "iris"]) == EXIT_OK
    assert "To run it" not in capsys.readouterr().err


def test_files_are_no_image_that_has_a_name(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    asked.made = Image(["iris:v1"], None, None, None, None, "docker")
    assert run(["containerize", "iris", "--opt", "output=type=tar,dest=out.tar"]) == EXIT_OK
    said = capsys.readouterr().err
    assert 'Successfully built Bento container for "iris", as asked: type=tar,dest=out.tar.\n' in said
    assert "iris:v1" not in said


def test_a_build_that_fails(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    asked.error = StepError("docker could not build the image of iris:v1.", detail="no space left")
    assert run(["containerize", "iris", "-o", "id"]) == EXIT_FAILED
    said = capsys.readouterr()
    assert said.out == "" and "error: docker could not build the image of iris:v1.\n  | no space left" in said.err


def test_what_is_odd_about_the_cache_is_said_in_v(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    asked.odd = ("blob 12 is damaged; it counts as missing",)
    assert run(["containerize", "iris"]) == EXIT_OK
    assert "damaged" not in capsys.readouterr().err
    assert run(["containerize", "iris", "-v"]) == EXIT_OK
    assert "note: blob 12 is damaged; it counts as missing\n" in capsys.readouterr().err


def test_a_dry_run_says_so(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["containerize", "iris", "-n"]) == EXIT_OK
    assert asked.dry is True and "Successfully" not in capsys.readouterr().err


def test_nothing_of_a_build_argument_stays_in_the_cache(
    asked: Asked, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = ["containerize", "iris", "--opt", "build-arg=KEY=hush-hush"]
    monkeypatch.setattr("sys.argv", ["bentomake", *words])
    assert run(words) == EXIT_OK
    kept = [path for path in (tmp_path / "cache-of-bentomake").rglob("*") if path.is_file()]
    assert any(b"containerize" in path.read_bytes() for path in kept), "the run is recorded"
    assert not any(b"hush" in path.read_bytes() for path in kept)
