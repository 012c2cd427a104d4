"""What "Advanced Containerization" shows works as it is written there, with a real engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from containers import ENGINES
from harness import SCRIPT
from shop import QUICK, Shop

pytestmark = [
    pytest.mark.real,
    pytest.mark.engine,
    pytest.mark.skipif("docker" not in ENGINES, reason="BENTOMAKE_TEST_ENGINES does not name docker"),
]
BENTO = "/home/bentoml/bento"
BLOCKS = ("BASE_IMAGE", "USER", "ENVARS", "COMPONENTS", "ENTRYPOINT")


def test_each_block_can_be_extended(shop: Shop) -> None:
    parts = ["{% extends bento_base_template %}"]
    for block in BLOCKS:
        root, user = ("USER root\n", "\nUSER bentoml") if block == "ENTRYPOINT" else ("", "")
        parts.append(
            f"{{% block SETUP_BENTO_{block} %}}\n{{{{ super() }}}}\n{root}"
            f'RUN echo "{block} $(pwd) $BENTO_PATH" >> /told{user}\n{{% endblock %}}'
        )
    made = shop.project("\n".join(parts)).containerize().good()
    assert [line.split() for line in shop.engine.read(made.tag, "/told").splitlines()] == [
        ["BASE_IMAGE", "/"],
        ["USER", "/"],
        ["ENVARS", BENTO, BENTO],
        ["COMPONENTS", BENTO, BENTO],
        ["ENTRYPOINT", BENTO, BENTO],
    ]
    assert shop.engine.run(made.tag, "id", "-u", "-n") == "bentoml"


def test_a_command_beside_the_base_template_is_seen_with_plain_progress(shop: Shop) -> None:
    template = QUICK.replace("# more", 'RUN echo "We are running this during bentoml containerize!"')
    tag = shop.project(template).build()
    run = shop.world.run("containerize", "--progress", "plain", tag).good()
    assert "We are running this during bentoml containerize!" in run.stderr
    assert run.stdout == ""


def test_the_dockerfile_is_shown_by_a_line_of_the_shell(shop: Shop) -> None:
    line = 'cat "$(bentomake get $BENTO -o path)/env/docker/Dockerfile"'
    tag = shop.project().build()
    path = f"{Path(SCRIPT).parent}:{shop.world.env['PATH']}"
    shown = shop.world.command(["sh", "-c", line], env={"BENTO": tag, "PATH": path}).good()
    assert "\nCOPY --chown=bentoml env/docker ./env/docker\n" in shown.stdout


def test_an_entrypoint_of_ones_own(shop: Shop) -> None:
    template = QUICK + (
        "{% block SETUP_BENTO_ENTRYPOINT %}\n{{ super() }}\n\n"
        'ENTRYPOINT [ "{{ bento__entrypoint }}", "python", "-c", "import os, sys; print(os.getuid(), sys.argv[1:])" ]\n'
        "{% endblock %}\n"
    )
    made = shop.project(template).containerize().good()
    assert shop.engine.run(made.tag, "a", "b c") == "1034 ['a', 'b c']"


def test_variables_that_a_template_may_set(shop: Shop) -> None:
    template = QUICK.replace(
        "{% block",
        '{% set bento__home = "/opt/held" %}\n{% set bento__user = "server" %}\n'
        '{% set bento__uid_gid = "2001:2002" %}\n{% set bento__path = "/opt/held/it" %}\n{% block',
        1,
    )
    made = shop.project(template).containerize().good()
    assert shop.engine.run(made.tag, "sh", "-c", "id -un; id -u; id -g; pwd; echo $BENTO_PATH").split() == [
        *("server", "2001", "2002", "/opt/held/it", "/opt/held/it"),
    ]


def test_a_base_image_of_ones_own(shop: Shop) -> None:
    name = f"{shop.name()}:latest"
    shop.engine.call("tag", "python:3.11-slim", name)
    try:
        box = shop.project(options=f'docker:\n  base_image: "{name}"\n  env: {{GREETING: "good day"}}\n')
        box.project.edit("bentofile.yaml", '  python_version: "3.11"\n', "")
        made = box.containerize().good()
        assert f"] FROM docker.io/library/{name}" in made.log
        assert shop.engine.run(made.tag, "sh", "-c", "echo $GREETING") == "good day"
        assert shop.containerize(made.tag).good().ran == set()
        # Another image of that name is another base.
        shop.engine.call("build", "-q", "-t", name, "-", given="FROM python:3.11-slim\nENV BASE=second\n")
        again = shop.containerize(made.tag).good()
        assert again.ran == {"image"} and f"the base image {name} changed" in again.said
        assert shop.engine.run(made.tag, "sh", "-c", "echo $BASE") == "second"
    finally:
        shop.engine.call("image", "rm", "-f", name)


# A wheel without any tool that a base image may lack.
MAKE_A_WHEEL = """\
import os, zipfile
os.mkdir("dist")
with zipfile.ZipFile("dist/mypackage-0.0.1-py3-none-any.whl", "w") as wheel:
    wheel.write("mypackage.py")
    info = "mypackage-0.0.1.dist-info"
    wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: mypackage\\nVersion: 0.0.1\\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(f"{info}/RECORD", "")
"""


def test_a_package_of_ones_own_is_built_in_another_stage(shop: Shop) -> None:
    template = (
        "{% extends bento_base_template %}\n{% block SETUP_BENTO_BASE_IMAGE %}\n"
        "FROM --platform=$BUILDPLATFORM python:3.11-slim as buildstage\nRUN mkdir /tmp/mypackage\n\n"
        "WORKDIR /tmp/mypackage/\nCOPY src/mypackage .\n"
        "RUN python make_a_wheel.py\n\n"
        "{{ super() }}\n{% endblock %}\n"
        + QUICK.partition("\n")[2].replace(
            "# more",
            "COPY --from=buildstage /tmp/mypackage/dist/ /tmp/wheels/\n"
            "RUN --network=none pip install --no-index --find-links /tmp/wheels mypackage",
        )
    )
    files = {"mypackage/make_a_wheel.py": MAKE_A_WHEEL, "mypackage/mypackage.py": "WHO = 'my package'\n"}
    made = shop.project(template, **files).containerize().good()
    assert shop.engine.run(made.tag, "python", "-c", "import mypackage; print(mypackage.WHO)") == "my package"
    assert shop.engine.run(made.tag, "sh", "-c", "ls -d /tmp/mypackage || echo none").splitlines()[-1] == "none"


@pytest.mark.parametrize(
    "script",
    [
        '#!/usr/bin/env bash\nset -euo pipefail\necho "$(id -u) ${BASH_VERSION%%.*} $(pwd)" > /opt/setup\n',
        "#!/usr/bin/env python3\nimport os\nopen('/opt/setup', 'w').write(f'{os.getuid()} 5 {os.getcwd()}')\n",
    ],
    ids=["bash", "python"],
)
@pytest.mark.parametrize("base", ["", "  base_image: python:3.11-slim\n"], ids=["ours", "base_image"])
def test_a_setup_script(base: str, script: str, shop: Shop) -> None:
    box = shop.project(None, f"docker:\n{base}  setup_script: ./setup\n", setup=script)
    made = box.containerize().good()
    assert shop.engine.read(made.tag, "/opt/setup") == f"0 5 {BENTO}"
    box.project.edit("service.py", "2 * x", "4 * x")
    assert box.containerize().good().cached("RUN chmod 0755 ./env/docker/setup_script")


def test_features_are_installed_with_the_requirements(shop: Shop) -> None:
    box = shop.project(None)
    tag = box.build()
    plain = shop.containerize(tag).good()
    run = shop.world.run("containerize", tag, "--enable-features", "nothing")
    assert run.code == 2 and run.stderr.startswith("error: bentoml has no feature nothing.\n")
    made = shop.containerize(tag, "--enable-features", "aws", "--enable-features", "grpc,tracing").good()
    assert made.ran == {"wheelhouse", "image"} and "image.features changed" in made.said
    assert "other" not in shop.engine.run(plain.tag, "ls", "/usr/local/lib/python3.11/site-packages").split()
    assert "other-3.0.dist-info" in shop.engine.run(made.tag, "ls", "/usr/local/lib/python3.11/site-packages")
    assert shop.containerize(tag, "--enable-features", "tracing,aws,grpc").good().ran == set()


def test_the_entrypoint_makes_of_words_what_bentoml_documents(shop: Shop) -> None:
    tag = shop.project(None).containerize().good().tag
    for words, said in {
        "": f"serve {BENTO}",
        "--port 80": f"serve --port 80 {BENTO}",
        "serve": f"serve {BENTO}",
        "serve-http --timeout 9": f"serve-http --timeout 9 {BENTO}",
        "serve-grpc": f"serve-grpc {BENTO}",
        "python -c print(1)": None,
    }.items():
        told = shop.engine.run(tag, *words.split())
        assert sorted(told.split()) == sorted(f"bentoml {said}".split()) if said else told == "1", (words, told)
    assert shop.engine.run(tag, "sh", "-c", "echo $BENTOML_PORT", env={"PORT": "77"}) == "77"


def test_features_want_a_dockerfile_that_has_a_place_for_them(shop: Shop) -> None:
    tag = shop.project().build()  # its template replaces the block in which they are installed
    run = shop.world.run("containerize", tag, "--enable-features", "grpc")
    assert run.code == 2
    assert (
        "error: This Bento's Dockerfile has no place for features of bentoml: bentomake did not write it.\n"
        "  hint: Build the Bento with bentomake, or add `bentoml[…]` to its packages.\n"
    ) in run.stderr
