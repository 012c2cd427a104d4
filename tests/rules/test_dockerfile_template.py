"""docker.dockerfile_template: what BentoML's documents promise to a user's template, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from dockerfile_made import BUILDKIT, DOCKERFILE, TEMPLATE, Made, make
from template_examples import EXAMPLES

from bentomake.errors import BentofileError

BLOCKS = ["BASE_IMAGE", "USER", "ENVARS", "COMPONENTS", "ENTRYPOINT"]


def rendered(tmp_path: Path, template: str, *, more: dict[str, str] | None = None, **params: Any) -> Made:
    files = {"Dockerfile.template": template, **(more or {})}
    given = {path: text.encode() for path, text in files.items()}
    return make(tmp_path, **{"docker__dockerfile_template": "./Dockerfile.template", "files": given, **params})


def extending(**blocks: str) -> str:
    text = "{% extends bento_base_template %}\n"
    for name, content in blocks.items():
        text += f"{{% block SETUP_BENTO_{name} %}}\n{content}\n{{% endblock %}}\n"
    return text


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_documents_renders_as_the_golden_one(example: str, tmp_path: Path) -> None:
    template, options = EXAMPLES[example]
    made = rendered(tmp_path, template, **options)
    golden = Path(__file__).with_name("golden") / "template" / f"{example}.Dockerfile"
    if os.environ.get("BENTOMAKE_TEST_WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(made[DOCKERFILE])
    assert made[DOCKERFILE] == golden.read_text()
    assert made.warnings == []
    assert made[TEMPLATE] == template


INSTALLS = "apt-get install -y --no-install-recommends build-essential"


@pytest.mark.parametrize(
    ("run", "compilers"),
    [
        ("RUN g++ -O2 x.cc -o x", True),
        ("RUN --network=none make install", True),
        ("RUN set -ex && \\\n\tcd /x && gcc x.c", True),
        ("RUN python -m pip install ./native", False),
        ("RUN apt-get install -y \\\n    gcc \\\n    make && true", False),
        ("{# make sure of this #}\n# make sure of that", False),
        ("RUN ./make thing && echo 'it is to make one' && mymake x", False),
        ("ENV CC=gcc", False),
    ],
)
def test_a_compiler_that_the_template_calls_is_there_as_in_bentomls_images(
    run: str, compilers: bool, tmp_path: Path
) -> None:
    made = rendered(tmp_path, extending(BASE_IMAGE=f"{{{{ super() }}}}\n{run}"))
    assert (INSTALLS in made[DOCKERFILE]) is (INSTALLS in made[BUILDKIT]) is compilers
    in_base = rendered(tmp_path / "given", extending(USER=f"{{{{ super() }}}}\n{run}"), docker__base_image="mine:1")
    assert INSTALLS not in in_base[DOCKERFILE], "what is in a base image is the user's affair"


@pytest.mark.parametrize(
    ("run", "bash"),
    [
        ("RUN A=( $(ls) ) && echo ${A[@]}", True),
        ("RUN true && \\\n\tA+=(b)", True),
        ("RUN diff <(ls /a) <(ls /b)", True),
        ("RUN wc <<<word", True),
        ("RUN set -euo pipefail && true", True),
        ('SHELL ["zsh", "-c"]\nRUN A=( b )', False),
        ("RUN wc <<EOF\nword\nEOF", False),
        ("RUN echo $(ls) $((1+(2))) >/x", False),
        ("# A=( b )", False),
    ],
)
def test_words_that_only_bash_knows_get_bash_where_sh_is_another(run: str, bash: bool, tmp_path: Path) -> None:
    line = 'SHELL ["/bin/bash", "-c"]\n'
    template = extending(COMPONENTS=f"{{{{ super() }}}}\n{run}")
    made = rendered(tmp_path, template)
    assert made[DOCKERFILE].count(line) == made[BUILDKIT].count(line) == bash
    assert line not in rendered(tmp_path / "alpine", template, docker__distro="alpine")[DOCKERFILE], "it has none"


def test_caches_that_begin_with_a_stage_of_the_guide_have_it_unless_it_is_the_templates_own(tmp_path: Path) -> None:
    run = "RUN --mount=type=cache,from=cached,target=/var/cache/apt true"
    made = rendered(tmp_path, extending(BASE_IMAGE=f"FROM debian AS other\n{run}\n{{{{ super() }}}}"))
    assert made[DOCKERFILE].index("FROM scratch AS cached\n") < made[DOCKERFILE].index("FROM debian AS other\n")
    own = rendered(tmp_path, extending(BASE_IMAGE=f"FROM debian as cached\nFROM debian\n{run}\n{{{{ super() }}}}"))
    assert "FROM scratch AS cached" not in own[DOCKERFILE]


def test_a_template_that_adds_nothing_changes_nothing(tmp_path: Path) -> None:
    same = rendered(tmp_path, extending(**dict.fromkeys(BLOCKS, "{{ super() }}")), docker__env={"A": "b"})
    plain = make(tmp_path, docker__env={"A": "b"})
    for name in (DOCKERFILE, BUILDKIT):
        lines = [
            line for line in same[name].split("\n") if line and not line.startswith("# syntax=")
        ]  # it may want one
        assert lines == [line for line in plain[name].split("\n") if line]


def test_an_empty_setup_script_is_one(tmp_path: Path) -> None:
    made = rendered(tmp_path, extending(USER="{{ super() }}"), docker__setup_script="s", more={"s": ""})
    assert "./env/docker/setup_script" in made[DOCKERFILE]


def test_each_block_can_be_extended_and_replaced(tmp_path: Path) -> None:
    around = {name: f"# before {name}\n{{{{ super() }}}}\n# after {name}" for name in BLOCKS}
    lines = rendered(tmp_path, extending(**around))[DOCKERFILE].splitlines()
    places = [lines.index(f"# {when} {name}") for name in BLOCKS for when in ("before", "after")]
    assert places == sorted(places)
    for name in BLOCKS:
        only = rendered(tmp_path, extending(**{name: "FROM mine\nRUN true"}))[DOCKERFILE]
        assert only.count("FROM mine\nRUN true\n") == 1
        assert ("AS base-container" in only) == (name != "BASE_IMAGE")
        assert ("python3 -m pip install" in only) == (name != "COMPONENTS")
        assert ("ENTRYPOINT" in only) == (name != "ENTRYPOINT")


def test_without_our_base_image_the_sources_are_still_copied(tmp_path: Path) -> None:
    text = rendered(tmp_path, extending(BASE_IMAGE="ARG V=3\nFROM python:$V"))[DOCKERFILE]
    assert "--from=bento" not in text and "COPY --chown=bentoml:bentoml src ./src/\n" in text
    assert "FROM scratch" not in text, "an ARG before the first FROM stays before the first FROM"


@pytest.mark.parametrize("distro", ["debian", "alpine", "given"])
def test_the_users_variables_are_honoured_everywhere(distro: str, tmp_path: Path) -> None:
    given = {"docker__base_image": "x"} if distro == "given" else {"docker__distro": distro}
    script = {"docker__setup_script": "s"}
    head = '{% set bento__user = "kim" %}\n{% set bento__uid_gid = 1500 %}\n'
    text = rendered(tmp_path, head + extending(), more={"s": "#!/bin/sh\n"}, **given, **script)[DOCKERFILE]
    assert "bentoml:" not in text and "/home/bentoml" not in text and "1034" not in text
    assert "\nUSER kim\n" in text and "1500" in text
    assert 'ENTRYPOINT ["/home/kim/bento/env/docker/entrypoint.sh"]' in text
    assert 'ENV BENTO_PATH="/home/kim/bento" BENTOML_HOME="/home/kim/"' in text


def test_home_and_path_can_be_set_after_extends_too_and_blocks_see_them(tmp_path: Path) -> None:
    template = extending(USER="{{ super() }}\n# {{ bento__home }} {{ bento__path }} {{ bento__entrypoint }}")
    template += '{% set bento__home = "/srv" %}\n'
    assert "# /srv /srv/bento /srv/bento/env/docker/entrypoint.sh\n" in rendered(tmp_path, template)[DOCKERFILE]
    template += '{% set bento__path = "/opt/b" %}\n'
    text = rendered(tmp_path, template)[DOCKERFILE]
    assert "# /srv /opt/b /opt/b/env/docker/entrypoint.sh\n" in text
    assert "WORKDIR /opt/b\n" in text and "--home-dir /srv " in text


def test_uid_and_gid_may_differ(tmp_path: Path) -> None:
    text = rendered(tmp_path, extending() + '{% set bento__uid_gid = "1500:1600" %}')[DOCKERFILE]
    assert "groupadd --gid 1600" in text and "--uid 1500 --gid 1600" in text


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("__options__distro", "debian"),
        ("__options__python_version", "3.11"),
        ("__options__cuda_version", "12.1.1"),
        ("__options__env['A']", "b c"),
        ("__options__system_packages | join('+')", "git+vim"),
        ("__options__setup_script", "None"),
        ("__options__base_image", "None"),
        ("__options__dockerfile_template", "./Dockerfile.template"),
        ("bento__uid_gid", "1034"),
        ("bento__user", "bentoml"),
        ("bento__home", "/home/bentoml/"),
        ("bento__path", "/home/bentoml/bento"),
        ("bento__entrypoint", "/home/bentoml/bento/env/docker/entrypoint.sh"),
        ("bento__add_header", "True"),
        ("bento__enable_buildkit", "False"),
        ("bento__buildkit_frontend", "docker/dockerfile:1"),
        ("__prometheus_port__", "3001"),
        ("__base_image__", "nvidia/cuda:12.1.1-cudnn8-runtime-ubuntu22.04"),
        ("__conda_python_version__", "3.11"),
        ("__is_cuda__", "True"),
        ("expands_bento_path('a', 'b')", "/home/bentoml/bento/a/b"),
        ("expands_bento_path('a', bento_path='/x')", "/x/a"),
        ("'it is' | bash_quote", "'it is'"),
        ("' a   b ' | normalize_line", "a b"),
    ],
)
def test_what_a_template_can_ask_for(expression: str, value: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"docker__env": {"A": "b c"}, "docker__system_packages": ["git", "vim"]}
    template = extending(USER=f"# <{{{{ {expression} }}}}>\n{{{{ super() }}}}")
    made = rendered(tmp_path, template, docker__cuda_version="12.1", **options)
    assert f"\n# <{value}>\n" in made[DOCKERFILE]
    assert made.warnings == []


def test_the_macros(tmp_path: Path) -> None:
    content = """{% call common.RUN(__enable_buildkit__) -%} {{ common.mount_cache("/a", ",id=x") }} {% endcall -%} true
RUN {{ common.mount_cache("/b") }} true
{{ common.setup_conda("3.9", bento__path) }}
{{ common.setup_conda("3.9", bento__path, conda_path="/c", enable_buildkit=False) }}"""
    template = '{% import "_macros.j2" as common %}\n' + extending(USER=content)
    made = rendered(tmp_path, template)
    lines = made[DOCKERFILE].splitlines()
    assert "RUN true" in [" ".join(line.split()) for line in lines]
    assert "--mount" not in made[DOCKERFILE], "without BuildKit there is no cache mount"
    assert "RUN /opt/conda/bin/conda install -y -n base --override-channels -c conda-forge python=3.9 pip \\" in lines
    assert any(
        "if [ -f /home/bentoml/bento/env/conda/environment.yml ]; then /c/bin/conda env" in line for line in lines
    )
    cached = made[BUILDKIT].splitlines()
    assert "RUN --mount=type=cache,sharing=locked,target=/a,id=x true" in [" ".join(line.split()) for line in cached]
    assert "RUN --mount=type=cache,sharing=locked,target=/b true" in cached
    assert sum("target=/opt/conda/pkgs " in line for line in cached) == 1


def test_buildkit_as_the_template_wants_it(tmp_path: Path) -> None:
    made = rendered(tmp_path, "{% set bento__enable_buildkit = true %}\n" + extending())
    assert made[DOCKERFILE] == made[BUILDKIT] and "--mount=type=cache" in made[DOCKERFILE]
    made = rendered(tmp_path, '{% set bento__buildkit_frontend = "docker/dockerfile:1.4" %}\n' + extending())
    assert made[BUILDKIT].startswith("# syntax=docker/dockerfile:1.4\n")
    made = rendered(tmp_path, "ARG BEFORE=1\n\n" + extending())
    assert made[BUILDKIT].startswith("# syntax=docker/dockerfile:1\nARG BEFORE=1\n")
    made = rendered(tmp_path, "{% set bento__add_header = false %}" + extending())
    assert made[DOCKERFILE].startswith("# The sources are put together")


def test_a_template_without_extends_is_the_whole_dockerfile_with_a_warning(tmp_path: Path) -> None:
    made = rendered(tmp_path, "FROM python\nCOPY . {{ bento__path }}\n{% do [].append(1) %}")
    assert made[DOCKERFILE] == made[BUILDKIT] == "FROM python\nCOPY . /home/bentoml/bento\n"
    ((message, place, hint),) = made.said
    assert message.startswith("Dockerfile.template does not extend bento_base_template")
    assert (place, "{% extends" in str(hint)) == ("Dockerfile.template", True)


def test_an_unknown_name_renders_as_nothing_but_not_without_a_word(tmp_path: Path) -> None:
    template = extending(USER="{% if bento__typo %}RUN x{% endif %}\n# <{{ bento_path }}>\n{{ super() }}")
    made = rendered(tmp_path, template)
    assert "\n# <>\n" in made[DOCKERFILE]
    said = "`bento_path` is not defined: it renders as nothing."
    assert made.said == [(said, "Dockerfile.template:4", "Did you mean bento__path?")]
    ((_, _, hint),) = rendered(tmp_path, extending(USER="# <{{ something }}>\n{{ super() }}")).said
    assert hint == "Define it with {% set %}, or take it out."


@pytest.mark.parametrize(
    ("block", "hint"),
    [
        ("SETUP_BENTO_COMPONENT", "Did you mean SETUP_BENTO_COMPONENTS?"),
        ("setup_bento_user", "Did you mean SETUP_BENTO_USER?"),
        (
            "mine",
            "The blocks are SETUP_BENTO_BASE_IMAGE, SETUP_BENTO_USER, SETUP_BENTO_ENVARS, SETUP_BENTO_COMPONENTS, "
            "SETUP_BENTO_ENTRYPOINT.",
        ),
    ],
)
def test_a_block_that_the_base_lacks_is_said_to_be_dropped(block: str, hint: str, tmp_path: Path) -> None:
    template = extending(USER="{{ super() }}") + f"{{% block {block} %}}\nRUN dropped\n{{% endblock %}}\n"
    made = rendered(tmp_path, template)
    assert "dropped" not in made[DOCKERFILE]
    said = f"There is no block {block} in bento_base_template: it is in no Dockerfile."
    assert made.said == [(said, "Dockerfile.template:5", hint)]


@pytest.mark.parametrize(
    ("text", "line", "shown"),
    [
        ("# a comment\n\nRUN XX\nRUN YY\n", 7, "RUN XX"),
        ("\n{{ bento__path }}\n", 6, "{{ bento__path }}"),
        ("{% if bento__path %}\nRUN XX\n{% endif %}\n", 6, "RUN XX"),
        ("{% include 'beside.j2' ignore missing %}\n", 5, "{% include 'beside.j2' ignore missing %}"),
    ],
)
def test_text_outside_of_all_blocks_is_said_to_be_dropped(text: str, line: int, shown: str, tmp_path: Path) -> None:
    made = rendered(tmp_path, extending(USER="{{ super() }}") + text)
    assert "XX" not in made[DOCKERFILE]
    hint = "Put it into a block, for example {% block SETUP_BENTO_COMPONENTS %}."
    said = f"`{shown}` stands outside of all blocks: it is in no Dockerfile."
    assert made.said == [(said, f"Dockerfile.template:{line}", hint)]


def test_what_is_not_dropped_is_not_said_to_be(tmp_path: Path) -> None:
    template = "ARG BEFORE=1\n{# a remark #}\n{% macro mine() %}RUN macro{% endmacro %}\n"
    template += extending(USER="{{ super() }}\n{% block inner %}\nRUN inner\n{% endblock %}\n{{ self.more() }}")
    template += "{% block more %}\nRUN more\n{% endblock %}\n{% set x = 1 %}\n# a comment\n{% do [].append(1) %}\n"
    made = rendered(tmp_path, template)
    assert "RUN inner\n" in made[DOCKERFILE] and "RUN more\n" in made[DOCKERFILE]
    assert made.said == []


def test_included_files_lie_beside_the_template_in_the_bento(tmp_path: Path) -> None:
    template = '{% import "lib/mine.j2" as mine %}\n{% extends bento_base_template %}\n'
    template += '{% include "none.j2" ignore missing %}{% block SETUP_BENTO_USER %}{{ mine.hi("x") }}\n{% endblock %}'
    more = {"docker/lib/mine.j2": "{% macro hi(who) %}RUN echo {{ who }}{% endmacro %}"}
    made = make(
        tmp_path,
        docker__dockerfile_template="docker/Dockerfile.j2",
        files={"docker/Dockerfile.j2": template.encode(), "docker/lib/mine.j2": more["docker/lib/mine.j2"].encode()},
    )
    assert "\nRUN echo x\n" in made[DOCKERFILE]
    assert made["env/docker/lib/mine.j2"] == more["docker/lib/mine.j2"]
    assert ("file", "ctx/docker/lib/mine.j2") in made.discovered, "another version of it is another key"
    assert ("file", "ctx/docker/none.j2") in made.discovered, "so is its appearance"


@pytest.mark.parametrize(
    ("template", "message", "place"),
    [
        ("{% extends bento_base_template %}\n\n{% block X %}", "Unexpected end of template", ":3"),
        (extending(USER="\n{{ 1 / 0 }}"), "ZeroDivisionError: division by zero.", ":4"),
        ("{% extends 'nothing.j2' %}", "There is no template nothing.j2.", ":1"),
        ("\n{% include 'gone.j2' %}", "There is no template gone.j2.", ":2"),
        ("\n{{ ''.__class__.__mro__[1].__subclasses__() }}", "access to attribute '__class__'", ":2"),
        ("\n{{ expands_bento_path.__globals__ }}", "access to attribute '__globals__'", ":2"),
        ("{% include '/etc/passwd' %}", "not below its own directory", ""),
        ("{% include '../secret' %}", "not below its own directory", ""),
        ("{% import 'a/../../secret' as x %}", "not below its own directory", ""),
        ("{% include 'entrypoint.sh' %}FROM x", "a name that the Bento needs", ""),
        ("\n{% for x in range(10**9) %}{% endfor %}", "Range too big", ":2"),
        ("nothing at all", "renders no FROM", ""),
        ("{% macro m() %}{{ m() }}{% endmacro %}\n{{ m() }}", "nested too deeply", ":1"),
        pytest.param("{{ " + "(" * 100_000 + ")" * 100_000 + " }}", "nested too deeply", "", id="deep"),
        ("FROM x\n{% for x in range(99999) %}{{ 'a' * 99 }}{% endfor %}", "more than 1 MiB", ""),
        ("FROM x\n{{ 'a' * 10**11 }}", "memory", ":2"),
        ("\n{{ undefined.attribute }}", "'undefined' is undefined", ":2"),
    ],
)  # fmt: skip
def test_what_cannot_be_rendered_is_an_error_at_its_line(
    template: str, message: str, place: str, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("hunter2")
    with pytest.raises(BentofileError) as caught:
        rendered(tmp_path, template, more={"entrypoint.sh": ""})
    assert message in caught.value.message
    assert caught.value.place == f"Dockerfile.template{place}"
    assert caught.value.exit_code == 2 and caught.value.hint
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    ("template", "hint"),
    [
        ("{% extends bento_base_template %}{% endblok %}", "Write it as a jinja2 template; what only looks like a tag"),
        ("FROM x\n{{ ''.__class__ }}", "A template sees bentomake's variables and nothing behind them."),
        ("FROM x\n{{ nothing.at_all }}", "Define it with {% set %}, or ask first whether it `is defined`."),
        ("FROM x\n{{ 1 / 0 }}", "Correct the expression; jinja2 evaluates it."),
        ("RUN x\n", "Write FROM and an image, or begin it with {% extends bento_base_template %}."),
        ("{% include 'entrypoint.sh' %}", "Give the file another name."),
        ("FROM x\n{% for x in range(99999) %}{{ 'a' * 99 }}{% endfor %}", "See whether a loop of it ends;"),
    ],
)  # fmt: skip
def test_an_error_says_what_to_do(template: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(BentofileError) as caught:
        rendered(tmp_path, template, more={"entrypoint.sh": ""})
    assert str(caught.value.hint).startswith(hint)


def test_a_link_does_not_lead_out_of_the_context(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("FROM hunter2\n")
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "out").symlink_to("../secret")
    where = f"which leads to {tmp_path}/secret, outside of the build context."
    with pytest.raises(BentofileError) as caught:
        make(tmp_path, docker__dockerfile_template="out")
    assert caught.value.message == f"docker.dockerfile_template names out, {where}"
    with pytest.raises(BentofileError) as caught:
        rendered(tmp_path, "FROM x\n{% include 'out' %}\n")
    assert caught.value.message == f"The template names out, {where}"
    assert caught.value.place == "./Dockerfile.template".removeprefix("./")
    assert caught.value.hint == "Replace the link by a copy of what it leads to."
    (tmp_path / "context" / "within").symlink_to("Dockerfile.template")
    assert (
        "FROM y"
        in make(tmp_path, docker__dockerfile_template="within", files={"Dockerfile.template": b"FROM y\n"})[DOCKERFILE]
    )


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 9 ** (9 ** 9) }}",
    ],
)
def test_a_template_without_end_is_stopped(template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bentomake.container.guarded.SECONDS", 1)
    with pytest.raises(BentofileError, match="is not rendered after 1 seconds"):
        rendered(tmp_path, template)


def test_a_missing_template_and_one_outside_of_the_context(tmp_path: Path) -> None:
    for path, message in (
        ("none", "names none, which does not exist"),
        ("../x", "not a file inside the build context"),
    ):
        with pytest.raises(BentofileError, match=message) as caught:
            make(tmp_path, docker__dockerfile_template=path)
        assert caught.value.place == "bentofile.yaml:docker.dockerfile_template"


def test_a_template_that_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(BentofileError, match="not UTF-8") as caught:
        make(tmp_path, docker__dockerfile_template="t", files={"t": b"FROM x\n\xff\n"})
    assert caught.value.place == "t:2"


def test_a_template_named_as_one_of_ours_does_not_replace_it(tmp_path: Path) -> None:
    text = extending(USER="# mine\n{{ super() }}").encode()
    made = make(tmp_path, docker__dockerfile_template="base.j2", files={"base.j2": text})
    assert "# mine" in made[DOCKERFILE] and "useradd" in made[DOCKERFILE]


def test_conda_for_cuda_is_left_to_a_template_that_sets_it_up(tmp_path: Path) -> None:
    options: dict[str, Any] = {"docker__cuda_version": "12", "conda__dependencies": ["numpy"]}
    own = rendered(tmp_path, extending(), **options)[DOCKERFILE]
    assert "COPY --from=continuumio/miniconda3" in own and "envs/bento" in own
    users = extending(COMPONENTS="{{ super() }}\n{{ m.setup_conda(__python_version__, bento__path) }}")
    left = rendered(tmp_path, '{% import "_macros.j2" as m %}' + users, **options)[DOCKERFILE]
    assert "COPY --from=continuumio/miniconda3" not in left and "envs/bento" not in left
    assert "COPY --chown=bentoml:bentoml env/conda ./env/conda/" in left


@pytest.mark.parametrize("block", ["USER", "ENVARS", "COMPONENTS"])
def test_setup_conda_has_the_file_of_the_bento_in_any_block(block: str, tmp_path: Path) -> None:
    users = extending(**{block: "{{ super() }}\n{{ m.setup_conda(__python_version__, bento__path) }}"})
    template = '{% import "_macros.j2" as m %}' + users
    for path in (DOCKERFILE, BUILDKIT):
        with_file = rendered(tmp_path, template, docker__cuda_version="12", conda__dependencies=["numpy"])[path]
        lines = with_file.splitlines()
        (run,) = [number for number, line in enumerate(lines) if "/opt/conda/bin/conda install -y -n base" in line]
        assert lines[run - 1] == "COPY env/conda /home/bentoml/bento/env/conda/"
        assert "COPY env/conda " not in rendered(tmp_path, template, docker__cuda_version="12")[path]
