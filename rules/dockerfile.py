"""The Dockerfile of a Bento, and the files that it uses. It knows options only: neither the lock nor the sources."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from bentomake.bento import conda, distros, grpc_bounds, image, image_commands, pip_words, run_script
from bentomake.bento.info import spec_1
from bentomake.bento.layout import BUILDKIT, DOCKERFILE, TEMPLATE
from bentomake.bento.package_source import Options, secret_variables, variables
from bentomake.bento.schema import NAME_IT, NO_SHELL_VARIABLE, SHELL_VARIABLE
from bentomake.bento.variables import Variable, check, docker_env, docker_variables, refers_to_another
from bentomake.engine.rule import Context, Produced, rule
from bentomake.engine.tree import Entry
from bentomake.errors import BentofileError, Several

ENTRYPOINT = "env/docker/entrypoint.sh"
SETUP_SCRIPT = "env/docker/setup_script"
INSTALL = "env/python/install.sh"
VERSION = "env/python/version.txt"
DOCKER = tuple(
    f"docker.{name}"
    for name in (
        "distro",
        "python_version",
        "cuda_version",
        "env",
        "system_packages",
        "setup_script",
        "base_image",
        "dockerfile_template",
    )
)
SYSTEMS = ("debian", "alpine", "ubi8", "amazonlinux", "given", "_shadow", "_rpm", "_index")


@rule(
    outputs=[
        DOCKERFILE,
        BUILDKIT,
        ENTRYPOINT,
        f"({conda.FILE})",
        f"({SETUP_SCRIPT})",
        f"({INSTALL})",
        f"({VERSION})",
        "env/docker/",  # a user's template, and the files that it includes; scripts of an image in code
    ],
    inputs=[image.RULE],
    params=[
        *DOCKER,
        *conda.OPTIONS,
        "envs",
        "python.index_url",
        "python.no_index",
        "python.trusted_host",
        "python.find_links",
        "python.extra_index_url",
        "python.pip_args",
        "python.wheels",
    ],
    oracles=["generation", "python.version", "bentoml.version"],
    templates=[
        "base.j2",
        "_macros.j2",
        "_commands.j2",
        *(f"{name}.j2" for name in SYSTEMS),
        "install.sh.j2",
        "entrypoint.sh",
    ],
)
def dockerfile(ctx: Context) -> Mapping[str, Produced]:
    """A distro is a file DISTRO.j2 beside this one, and an entry of bento/distros.py; `given.j2` is for base_image.

    Generation "runner" installs by install.sh, which bentoml's own `containerize` runs too; "class" by one command,
    and has install.sh only where bento.yaml is of the older form.
    """
    from bentomake.container.rendering import render
    from bentomake.container.template_wants import granted

    in_code = image.of(ctx)
    if in_code is not None:
        image.remark(ctx, in_code)
    ctx = image.beside(ctx)
    environment = conda.environment(ctx)
    path = ctx.param("docker.setup_script")
    script = run_script.read(ctx, "docker.setup_script", path) if path else None
    template = _user_template(ctx)
    facts = _facts(ctx, environment, script, template)
    facts |= image_commands.facts(ctx, in_code, facts)
    facts |= granted(template and template.text, facts)
    ours = {name: ctx.template(name) for name in dockerfile.templates if name.endswith(".j2")}
    made: dict[str, Produced] = {ENTRYPOINT: _executable(ctx, "entrypoint", ctx.template("entrypoint.sh").encode())}
    if template is None:
        made[DOCKERFILE] = render(ours, facts).text
        made[BUILDKIT] = render(ours, facts, buildkit=True).text
    else:
        made |= template.render(ours, facts)
    if environment is not None:
        made[conda.FILE] = environment.data
    if script is not None:
        made[SETUP_SCRIPT] = _executable(ctx, "setup_script", script)
    for one in image_commands.scripts(in_code):
        data = run_script.read(ctx, "run_script of the image in code", one, "script", ctx.place("service"))
        made[image.script(one)] = _executable(ctx, "script", data)
    if ctx.oracle("generation") == "runner" or spec_1(ctx.param):
        made[INSTALL] = _executable(ctx, "install", render(ours, facts, name="install.sh.j2").text.encode())
        made[VERSION] = facts["python_version"]  # no newline: bentoml puts it into a command as it is
    return made


def _facts(ctx: Context, environment: conda.Environment | None, script: bytes | None, template: Any) -> dict[str, Any]:
    """All that the templates are filled with, in JSON types."""
    from bentomake.bento import artifacts

    generation = ctx.oracle("generation")
    base_image = _one_word(ctx, "docker.base_image")
    distro = ctx.param("docker.distro") or "debian"
    asked = ctx.param("docker.python_version")
    python = ".".join(str(asked or ctx.oracle("python.version")).split(".")[:2])
    cuda = None if base_image else ctx.param("docker.cuda_version")
    if not base_image:
        _refuse_unsupported(ctx, distro, python, cuda, environment is not None)
    cuda = distros.cuda_version(cuda, generation) if cuda else None
    env = _env(ctx)
    if environment is not None and environment.python not in (None, python):
        ctx.warn(
            f"conda's environment has Python {environment.python}, the requirements are for Python {python}.",
            place=ctx.place("conda"),
            hint=f'Write docker.python_version: "{environment.python}"'
            if environment.python in distros.CONDA_PYTHONS
            else f"Write python={python} there: BentoML does not run on Python {environment.python}.",
        )
    return {
        "generation": generation,
        "bentoml_version": ctx.oracle("bentoml.version"),
        "distro": "given" if base_image else distro,
        "image": base_image or distros.image(distro, python, cuda, environment is not None),
        "python_version": python,
        "conda": _conda(environment, distro, base_image or cuda, template),
        "system_packages": [] if base_image else _words(ctx, "docker.system_packages"),
        "env": dict(sorted(env.items())),  # the order in a mapping is in no key
        "secrets": _secrets(ctx),
        "setup_script": None if script is None else _when(ctx, script),
        "index_words": _index_words(ctx),
        "pip_words": [*(_index_words(ctx) if generation == "runner" else []), *_pip_args(ctx)],
        "wheelhouse": {"stage": artifacts.STAGE, "place": artifacts.PLACE} if artifacts.suits(_pip_args(ctx)) else None,
        "grpc_bounds": grpc_bounds.beside([]) if generation == "runner" else [],
        "feature_words": [] if generation == "runner" else [*_index_words(ctx), *_pip_args(ctx)],
        "docker": {
            **{name.partition(".")[2]: ctx.param(name) for name in DOCKER},
            "distro": None if base_image else distro,
            "python_version": asked if base_image else python,
            "cuda_version": cuda,
            "env": docker_env(ctx) or None,
            "system_packages": ctx.param("docker.system_packages") or None,
        },
    }


def _when(ctx: Context, script: bytes) -> str:
    return "late" if run_script.needs_sources(ctx, "docker.setup_script", script) else "early"


def _refuse_unsupported(ctx: Context, distro: str, python: str, cuda: str | None, with_conda: bool) -> None:
    lacks = distros.support(distro, python, cuda, with_conda, ctx.oracle("generation"))
    errors = []
    for lack in lacks:
        option, hint = lack.option, lack.hint
        if option == "docker.python_version" and not ctx.param(option):
            option, hint = (
                "docker.distro",
                f"{hint} The service's own Python is used unless docker.python_version is set.",
            )
        errors.append(BentofileError(lack.message, place=ctx.place(option), hint=hint))
    if errors:
        raise errors[0] if len(errors) == 1 else Several([*errors])


def _conda(
    environment: conda.Environment | None, distro: str, other_image: str | None, template: Any
) -> dict[str, Any] | None:
    """`installed`: the Dockerfile installs the packages; `copy_from`: it first fetches conda from another image.

    A template that calls setup_conda for an image without conda brings conda itself.
    """
    if environment is None:
        return None
    installed = not (other_image and template is not None and template.mentions("setup_conda"))
    known = distros.DISTROS[distro].conda
    fetched = installed and other_image is not None and other_image in distros.CUDA
    return {
        "python": environment.python,
        "channels": environment.channels,
        "installed": installed,
        "copy_from": known if fetched else None,
    }


def _user_template(ctx: Context) -> Any:
    path = ctx.param("docker.dockerfile_template")
    if not path:
        return None
    from bentomake.container.user_template import UsersOwn

    return UsersOwn(ctx, path, taken=(DOCKERFILE, BUILDKIT, ENTRYPOINT, SETUP_SCRIPT), main=TEMPLATE)


def _executable(ctx: Context, name: str, data: bytes) -> Entry:
    path = os.path.join(ctx.workdir, name)
    with open(path, "wb") as file:
        file.write(data)
    return ctx.put_file(path, 0o755)


def _line(ctx: Context, name: str, value: object) -> str:
    text = str(value)
    if re.search(r"[\n\r\0]", text):
        raise BentofileError(
            f"A value of {name} has a line break, which a Dockerfile cannot hold.",
            place=ctx.place(name),
            hint="Write it in one line, encoded if it has to be; or put it into a file that is packed.",
        )
    return text


def _words(ctx: Context, name: str) -> list[str]:
    return list(dict.fromkeys(word for item in ctx.param(name) or [] for word in _line(ctx, name, item).split()))


def _one_word(ctx: Context, name: str) -> str | None:
    words = str(ctx.param(name) or "").split()
    if len(words) > 1:
        raise BentofileError(
            f"{name} is not one word: {' '.join(words)}.",
            place=ctx.place(name),
            hint="Write one image, for example python:3.11-slim.",
        )
    return words[0] if words else None


def _index_words(ctx: Context) -> list[str]:
    """Where packages come from; a requirement file of generation "class" says so itself."""
    lines = Options.of(ctx.param, ctx.place).lines()
    return [word for line in lines for word in _line(ctx, "python", line).split(" ", 1)]


def _pip_args(ctx: Context) -> list[str]:
    text = _line(ctx, "python.pip_args", ctx.param("python.pip_args") or "")
    return pip_words.split(text, ctx.place("python.pip_args"))


def _env(ctx: Context) -> dict[str, str]:
    """docker.env, and what `envs` gives the image: name → value."""
    found = docker_variables(ctx, remark=True)
    for env, place in _envs(ctx):
        # A variable without a value is for whoever runs the image; the stage `build` is for secrets of its building,
        # of which bento.yaml has the value that is lent where the environment has none.
        if env.get("stage") == "build":
            if env.get("value") and ctx.oracle("generation") == "runner":
                ctx.warn(
                    f"The value of {env['name']} is not given to the build of the image: bentoml 1.1 has no place for "
                    "it in bento.yaml.",
                    place=place,
                    hint=f"Set the variable {env['name']} where the image is built.",
                )
        elif env.get("value"):
            found.append(Variable(env["name"], str(env["value"]), place))
            check(found[-1], "envs")
    given = {variable.name: variable for variable in found}
    for name, value, place in given.values():
        if refers_to_another(name, value):
            ctx.warn(
                f"A $NAME in the value of {name} is taken literally: only ${name} itself would mean something, its "
                "value in the base image.",
                place=place,
                hint="Write the value itself; what only the running image knows, the service reads or a script sets.",
            )
    return {name: variable.value for name, variable in given.items()}


def _envs(ctx: Context) -> list[tuple[dict[str, Any], str | None]]:
    """`envs` of the bentofile and of the service, with their places."""
    listed = enumerate(ctx.param("envs") or [])
    in_code = [(env, ctx.place("service")) for env in image.envs(ctx)]
    return [*((env, ctx.place(f"envs[{index}].value")) for index, env in listed), *in_code]


def _secrets(ctx: Context) -> list[dict[str, Any]]:
    """What the layer of the requirements is given: the variables of index URLs, and `envs` that only a build has."""
    named = {*secret_variables(Options.of(ctx.param, ctx.place)), *variables(_pip_args(ctx))}
    given = {env["name"]: place for env, place in _envs(ctx) if env.get("stage") == "build"}
    for name, place in given.items():  # of the service; those of the bentofile are judged by its text
        if not re.fullmatch(SHELL_VARIABLE, name):
            raise BentofileError(NO_SHELL_VARIABLE.format(name), place=place, hint=NAME_IT)
    return [{"name": name, "required": name in named} for name in sorted(named | given.keys())]
