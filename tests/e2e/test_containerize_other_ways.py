"""Images by other ways: the goal `image` of a project, Python, another backend, Bentos that real bentoml has built."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from containers import ENGINES
from shop import QUICK, Shop

from bentomake import container
from bentomake.errors import StepError, UsageError

pytestmark = [
    pytest.mark.real,
    pytest.mark.engine,
    pytest.mark.skipif("docker" not in ENGINES, reason="BENTOMAKE_TEST_ENGINES does not name docker"),
]
BENTO = "/home/bentoml/bento"


def test_the_goal_image_builds_installs_and_containerizes(shop: Shop) -> None:
    box = shop.project()
    plan = box.project.run("build", "image", "-n").good()
    assert "  image         may run" in plan.stderr or "image       may run" in plan.stderr
    assert not (shop.world.home / "bentos" / box.name).exists()

    first = box.project.run("build", "image", "--output", "json").good()
    assert {"sources", "bento", "image"} <= first.ran
    assert first.path.is_dir() and shop.engine.id(first.tag) is not None
    assert box.project.run("build", "image", "--output", "json").good().ran == set()
    plan = box.project.run("build", "image", "-n", "--output", "json").good()
    assert set(plan.states.values()) == {"cached"}
    assert shop.containerize(first.tag).good().states["image"] in ("cached", "ran")

    box.project.edit("service.py", "2 * x", "4 * x")
    plan = box.project.run("build", "image", "-n", "--output", "json").good()
    assert plan.states["sources"] == "runs" and plan.states["image"] == "may run"
    second = box.project.run("build", "image", "--output", "json").good()
    assert second.states["image"] == "ran" and second.states["wheelhouse"] == "cached" and second.tag != first.tag
    assert "4 * x" in shop.engine.read(second.tag, f"{BENTO}/src/service.py")

    shop.engine.call("image", "rm", "-f", second.tag)
    again = box.project.run("build", "image", "--output", "json").good()
    assert again.ran == {"image"} and again.tag == second.tag


@pytest.fixture
def here(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """This process is in the stories' world."""
    for name, value in shop.world.env.items():
        if name != "HOME":
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_from_python(shop: Shop, here: Path) -> None:
    template = QUICK.replace("# more", 'ARG GREETING\nRUN echo "said: $GREETING"\nENV GREETING=$GREETING')
    box = shop.project(template)
    tag = box.build()
    lines: list[str] = []
    names = [f"{box.name}-a:1", f"{box.name}-b:1"]
    made = container.build(
        tag, "docker", names, build_arg={"GREETING": "good day"}, no_cache=False, on_line=lines.append
    )
    assert made.tags == names and made.id == shop.engine.id(names[0]) == shop.engine.id(names[1])
    assert made.engine == "docker" and (made.platform or "").startswith("linux/") and (made.size or 0) > 1e7
    assert any("load build context" in line for line in lines)
    assert "GREETING=good day" in shop.engine.config(names[0])["Env"]

    lines.clear()
    again = container.build(box.name, image_tag=names, build_arg={"GREETING": "good day"}, on_line=lines.append)
    assert again == made and lines == []
    assert container.build(f"{box.name}:latest", image_tag=f"{box.name}-c", build_arg="GREETING=hi").tags == [
        f"{box.name}-c"
    ]
    with pytest.raises(UsageError, match="There is no Bento no_such_bento"):
        container.build("no_such_bento")
    with pytest.raises(UsageError, match="docker has no option squash-all"):
        container.build(tag, squash_all=True)
    with pytest.raises(UsageError, match="bentoml has no feature nothing"):
        container.build(tag, features=["nothing"])


def test_a_failure_in_python_is_an_error_with_all_that_is_known(shop: Shop, here: Path) -> None:
    tag = shop.project(QUICK.replace("# more", "RUN echo why; false")).build()
    with pytest.raises(StepError) as raised:
        container.build(tag)
    assert "this failed: RUN echo why; false" in raised.value.message
    assert (raised.value.place, raised.value.detail) == ("Dockerfile.template (line 6 of the template)", "why")


def test_an_engine_is_asked_from_python(shop: Shop, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert container.health("docker") is True and container.get_backend().name == "docker"
    tag = shop.project().build()
    text = container.get_containerfile(tag)
    stored = shop.world.home / "bentos" / tag.replace(":", "/") / "env/docker/Dockerfile.buildkit"
    assert text == stored.read_text()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{here}/none.sock")
    assert container.health("docker") is False


def test_a_registered_backend_makes_the_image(shop: Shop, here: Path) -> None:
    """As in the documents, "lima" is docker by another name: it gets the context, the file and the tags."""
    (here / "limactl").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {here}/argv\nexec docker "$@"\n')
    (here / "limactl").chmod(0o755)

    def arguments(
        context_path: str = ".", file: str = "", tag: tuple[str, ...] = (), cache_from: str | None = None
    ) -> list[str]:
        words = ["--file", file, *(word for name in tag for word in ("--tag", name))]
        return [*words, *(["--cache-from", cache_from] if cache_from else []), context_path]

    container.register_backend(
        f"lima-{here.name}".replace("_", "-"),
        buildkit_support=True,
        health=lambda: True,
        construct_build_args=arguments,
        binary=str(here / "limactl"),
        env={"DOCKER_BUILDKIT": "1"},
    )
    tag = shop.project().build()
    made = container.build(tag, backend=f"lima-{here.name}".replace("_", "-"))
    assert made.tags == [tag] and shop.engine.id(tag) is not None
    argv = (here / "argv").read_text().splitlines()
    assert argv[0] == "build" and argv[argv.index("--tag") + 1] == tag and argv[-1].endswith(tag.partition(":")[0])


INSTALLED = """\
from bentomake.container import register_backend

def make():
    register_backend("lima", buildkit_support=False, health=lambda: True, construct_build_args=words, binary="buildah")

def words(context_path, file, tag, label=(), iidfile=None, **options):
    more = [word for each in label for word in ("--label", each)]
    return [*more, *(["--iidfile", iidfile] if iidfile else []), "--tag", tag, "--file", file, context_path]
"""


@pytest.mark.skipif("buildah" not in ENGINES, reason="BENTOMAKE_TEST_ENGINES does not name buildah")
def test_a_backend_of_an_installed_package_is_chosen_by_the_command(shop: Shop, tmp_path: Path) -> None:
    """ "lima" is buildah by another name, which an entry point brings; nothing but its name is said."""
    (tmp_path / "their_backend.py").write_text(INSTALLED)
    (tmp_path / "their_backend-1.dist-info").mkdir()
    for name, text in {
        "METADATA": "Metadata-Version: 2.1\nName: their-backend\nVersion: 1\n",
        "entry_points.txt": "[bentomake.backends]\nlima = their_backend:make\n",
    }.items():
        (tmp_path / "their_backend-1.dist-info" / name).write_text(text)
    box = shop.project()
    tag, buildah = box.build(), ENGINES["buildah"]
    try:
        for words, env in ((("--backend", "lima"), {}), ((), {"BENTOMAKE_BACKEND": "lima"})):
            run = shop.world.run(
                "containerize", tag, "-o", "json", *words, env={**env, "PYTHONPATH": str(tmp_path)}
            ).good()
            assert run.json["engine"] == "lima" and run.json["id"] == buildah.id(tag) is not None
    finally:
        buildah.remove(box.name)
    run = shop.world.run("containerize", tag, "--backend", "lima")
    assert run.code == 2 and run.stderr.startswith("error: There is no backend lima.\n")


def test_another_backend_of_the_same_daemon(shop: Shop) -> None:
    tag = shop.project().build()
    made = shop.containerize(tag, env={"BENTOML_CONTAINERIZE_BACKEND": "buildx"}).good()
    assert shop.engine.id(tag) is not None
    assert shop.containerize(tag, "--backend", "buildx").good().ran == set()
    other = shop.containerize(tag, env={"BENTOMAKE_BACKEND": "docker"}).good()
    assert made.ran >= {"image"} and other.ran == {"image"} and "image.engine changed" in other.said


REAL = """\
{% extends bento_base_template %}
{% block SETUP_BENTO_COMPONENTS %}
COPY --chown={{ bento__user }}:{{ bento__user }} . ./
{% endblock %}
"""
REAL_BENTOFILE = 'service: "service:{service}"\ninclude: ["*.py"]\n{more}docker:\n  base_image: python:3.11-slim\n' + (
    "  dockerfile_template: Dockerfile.template\n"
)
CLASS = "import bentoml\n\n\n@bentoml.service(name='{name}')\nclass Light:\n    @bentoml.api\n"
CLASS += "    def same(self, x: int) -> int:\n        return x\n"
RUNNER = "import bentoml\nfrom bentoml.io import JSON\n\nsvc = bentoml.Service('{name}')\n\n\n"
RUNNER += "@svc.api(input=JSON(), output=JSON())\ndef same(x):\n    return x\n"


@pytest.mark.parametrize("generation", ["class", "runner"])
def test_a_bento_that_real_bentoml_has_built(generation: str, shop: Shop, bentoml11: str, bentoml14: str) -> None:
    name = shop.name()
    python, source = {"class": (bentoml14, CLASS), "runner": (bentoml11, RUNNER)}[generation]
    service = {"class": "Light", "runner": "svc"}[generation]
    project = shop.world.project(
        name,
        {
            "service.py": source.replace("{name}", name),
            "bentofile.yaml": REAL_BENTOFILE.format(service=service, more="python: {lock_packages: false}\n"),
            "Dockerfile.template": REAL,
        },
    )
    shop.world.command([python, "-m", "bentoml", "build"], project.directory).good()
    tag = shop.world.latest(name)
    (shop.world.home / "bentos" / name / tag.partition(":")[2] / "src/__pycache__").mkdir()
    (shop.world.home / "bentos" / name / tag.partition(":")[2] / "src/__pycache__/x.pyc").write_text("left")
    made = shop.containerize(tag).good()
    assert made.tag == tag and shop.containerize(tag).good().ran == set()
    info = yaml.safe_load(shop.engine.read(tag, f"{BENTO}/bento.yaml"))
    assert f"{info['name']}:{info['version']}" == tag
    there = shop.engine.files(tag, BENTO)
    assert "src/service.py" in there and not any("__pycache__" in path for path in there)
    assert shop.engine.run(tag, "id", "-u") == "1034"
    run = shop.world.run("containerize", tag, "--enable-features", "grpc")
    assert run.code == 2 and "This Bento's Dockerfile has no place for features of bentoml" in run.stderr


def test_the_answer_of_json_is_what_python_gives(shop: Shop, here: Path) -> None:
    tag = shop.project().build()
    answer = json.loads(shop.world.run("containerize", tag, "-q", "-o", "json").good().stdout)
    assert answer == container.build(tag)._asdict()
