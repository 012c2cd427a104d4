"""The Dockerfile of a Bento, and the scripts that it runs. It knows options only: neither the lock nor the sources."""

from __future__ import annotations

import os
import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bentomake.bento.package_source import Options, refuse_credentials
from bentomake.engine.rule import Context, Produced, rule
from bentomake.engine.tree import Entry
from bentomake.errors import BentofileError

if TYPE_CHECKING:
    from jinja2 import Environment

DOCKERFILE = "env/docker/Dockerfile"
ENTRYPOINT = "env/docker/entrypoint.sh"
SETUP_SCRIPT = "env/docker/setup_script"
INSTALL = "env/python/install.sh"
VERSION = "env/python/version.txt"


@rule(
    outputs=[DOCKERFILE, ENTRYPOINT, f"({SETUP_SCRIPT})", f"({INSTALL})", f"({VERSION})"],
    params=[
        "docker.distro",
        "docker.python_version",
        "docker.env",
        "docker.system_packages",
        "docker.setup_script",
        "docker.base_image",
        "envs",
        "python.index_url",
        "python.no_index",
        "python.trusted_host",
        "python.find_links",
        "python.extra_index_url",
        "python.pip_args",
    ],
    oracles=["generation", "python.version", "bentoml.version"],
    templates=["base.j2", "debian.j2", "given.j2", "install.sh.j2", "entrypoint.sh"],
)
def dockerfile(ctx: Context) -> Mapping[str, Produced]:
    """A distro is a file DISTRO.j2 beside this one; `given.j2` is for docker.base_image.

    Generation "runner" installs by install.sh, which bentoml's own `containerize` runs too; "class" by one command.
    """
    generation = ctx.oracle("generation")
    version = ctx.param("docker.python_version") or ctx.oracle("python.version")
    base_image = _one_word(ctx, "docker.base_image")
    script = _setup_script(ctx)
    python_version = ".".join(str(version).split(".")[:2])
    options = {
        "base_image": base_image,
        "python_version": python_version,
        "system_packages": [] if base_image else _words(ctx, "docker.system_packages"),
        "env": dict(sorted(_env(ctx), key=lambda pair: pair[0])),  # the order in a mapping is in no key
        "setup_script": script and ("late" if _needs_sources(ctx, script) else "early"),
        "pip_words": [*(_index_words(ctx) if generation == "runner" else []), *_pip_args(ctx)],
    }
    if base_image and ctx.param("docker.system_packages"):
        ctx.warn(
            "docker.system_packages are not installed: docker.base_image comes as it is.",
            place=ctx.place("docker.system_packages"),
        )
    known = {
        "options": options,
        "generation": generation,
        "bento__distro": "given" if base_image else ctx.param("docker.distro") or "debian",
        "bentoml_version": ctx.oracle("bentoml.version"),
    }
    jinja = _jinja(ctx)
    made: dict[str, Produced] = {
        DOCKERFILE: jinja.get_template("base.j2").render(known),
        ENTRYPOINT: _executable(ctx, "entrypoint", ctx.template("entrypoint.sh").encode()),
    }
    if script is not None:
        made[SETUP_SCRIPT] = _executable(ctx, "setup_script", script)
    if generation == "runner":
        made[INSTALL] = _executable(ctx, "install", jinja.get_template("install.sh.j2").render(known).encode())
        made[VERSION] = python_version  # no newline: bentoml puts it into a command as it is
    return made


def _jinja(ctx: Context) -> Environment:
    from jinja2 import DictLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    jinja = SandboxedEnvironment(
        loader=DictLoader({name: ctx.template(name) for name in dockerfile.templates if name.endswith(".j2")}),
        autoescape=False,  # no HTML: the two filters quote
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    jinja.filters.update(env_value=env_value, shell_word=shlex.quote)
    return jinja


def _executable(ctx: Context, name: str, data: bytes) -> Entry:
    path = os.path.join(ctx.workdir, name)
    with open(path, "wb") as file:
        file.write(data)
    return ctx.put_file(path, 0o755)


def env_value(value: str, name: str = "") -> str:
    """A value as the ENV instruction wants it: all of it literal, but a reference to `name` itself (PATH=/x:$PATH)."""
    quoted = re.sub(r'([\\"$])', r"\\\1", value)
    if name:
        itself = re.escape(name)
        quoted = re.sub(rf"\\(\$(?:\{{{itself}\}}|{itself}(?!\w)))", r"\1", quoted)
    return f'"{quoted}"'


def _line(ctx: Context, name: str, value: object) -> str:
    text = str(value)
    if re.search(r"[\n\r\0]", text):
        raise BentofileError(
            f"A value of {name} has a line break, which a Dockerfile cannot hold.", place=ctx.place(name)
        )
    return text


def _listed(ctx: Context, name: str) -> list[str]:
    value = ctx.param(name)
    return [_line(ctx, name, item) for item in ([value] if isinstance(value, str) else value or [])]


def _words(ctx: Context, name: str) -> list[str]:
    return list(dict.fromkeys(word for item in _listed(ctx, name) for word in item.split()))


def _one_word(ctx: Context, name: str) -> str | None:
    words = str(ctx.param(name) or "").split()
    if len(words) > 1:
        raise BentofileError(f"{name} is not one word: {' '.join(words)}.", place=ctx.place(name))
    return words[0] if words else None


def _index_words(ctx: Context) -> list[str]:
    """Where packages come from; a requirement file of generation "class" says so itself."""
    lines = Options.of(ctx.param, ctx.place).lines()
    return [word for line in lines for word in _line(ctx, "python", line).split(" ", 1)]


def _pip_args(ctx: Context) -> list[str]:
    try:
        words = shlex.split(_line(ctx, "python.pip_args", ctx.param("python.pip_args") or ""))
    except ValueError as error:
        raise BentofileError(
            f"python.pip_args cannot be split into words: {error}.", place=ctx.place("python.pip_args")
        ) from error
    for word in words:
        if "://" in word:
            refuse_credentials(word, ctx.place("python.pip_args"))
    return words


def _env(ctx: Context) -> Iterator[tuple[str, str]]:
    declared = ctx.param("docker.env") or {}
    if isinstance(declared, Mapping):
        pairs = [(str(name), "" if value is None else str(value)) for name, value in declared.items()]
    elif isinstance(declared, str):
        pairs = list(_dotenv(ctx, declared))
    else:
        pairs = [_assignment(ctx, str(item)) for item in declared]
    later = {"value": "", "stage": "all"}
    given: list[dict[str, Any]] = [{**later, **env} for env in ctx.param("envs") or []]
    # A variable without a value is for whoever runs the image; one of the stage `build` is a secret of its building.
    pairs += [(env["name"], str(env["value"])) for env in given if env["value"] and env["stage"] != "build"]
    for name, value in pairs:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", name):
            raise BentofileError(
                f"{name!r} cannot name an environment variable.", place=ctx.place(f"docker.env.{name}")
            )
        if any(other.strip("${}") != name for other in re.findall(r"\$\{[A-Za-z_]\w*\}|\$[A-Z_][A-Z0-9_]*\b", value)):
            ctx.warn(
                f"A $NAME in the value of {name} is taken literally: only $"
                f"{name} itself would mean something, its value in the base image.",
                place=ctx.place(f"docker.env.{name}"),
            )
        yield name, _line(ctx, f"docker.env.{name}", value)


def _assignment(ctx: Context, item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not equals:
        raise BentofileError(
            f"docker.env has {item!r}, which is not NAME=VALUE.", place=ctx.place("docker.env"), hint=f"{name}=value"
        )
    return name.strip(), value


def _dotenv(ctx: Context, path: str) -> Iterator[tuple[str, str]]:
    data = _context_file(ctx, "docker.env", path)
    for number, line in enumerate(data.decode("utf-8-sig", "replace").splitlines(), 1):
        stripped = line.strip().removeprefix("export ").strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = (part.strip() for part in stripped.partition("="))
        if not equals:
            raise BentofileError(f"Line {number} is not NAME=VALUE.", place=f"{path}:{number}")
        if quoted := re.match(r"""'([^']*)'\s*(?:#.*)?$|"((?:[^"\\]|\\.)*)"\s*(?:#.*)?$""", value):
            value = quoted[1] if quoted[2] is None else re.sub(r'\\([\\"$])', r"\1", quoted[2])
        else:
            value = re.sub(r"(^|\s+)#.*$", "", value)
        yield name, value


def _context_file(ctx: Context, name: str, path: str) -> bytes:
    """The bytes of a file that a parameter names, relative to the context; another version of it is another key."""
    normal = posixpath.normpath(path)
    if normal.startswith(("/", "../", "~")) or normal in (".", ".."):
        raise BentofileError(
            f"{name} names {path}, which is not a file inside the build context.",
            place=ctx.place(name),
            hint="Put the file into the context and name it relative to that.",
        )
    if ctx.discover("file", f"ctx/{normal}").digest == "absent":
        raise BentofileError(f"{name} names {path}, which does not exist.", place=ctx.place(name))
    try:
        data = ctx.host("read")(f"ctx/{normal}")
    except OSError as error:
        raise BentofileError(f"{name} names {path}: {error.strerror}.", place=ctx.place(name)) from error
    assert isinstance(data, bytes)
    return data


def _setup_script(ctx: Context) -> bytes | None:
    path = ctx.param("docker.setup_script")
    if not path:
        return None
    script = _context_file(ctx, "docker.setup_script", path)
    first = script.partition(b"\n")[0]
    if not first.startswith(b"#!"):
        ctx.warn(
            f"The setup script {path} has no shebang, so sh runs it.",
            place=ctx.place("docker.setup_script"),
            hint="Begin it with #!/bin/bash or #!/usr/bin/env python.",
        )
    elif first.endswith(b"\r"):
        ctx.warn(
            f"The setup script {path} has Windows line ends, with which Linux does not find its interpreter.",
            place=ctx.place("docker.setup_script"),
            hint=f"Run dos2unix {path}.",
        )
    return script


def _needs_sources(ctx: Context, script: bytes) -> bool:
    if not re.search(rb"\bBENTO_PATH\b|\bbento/src\b|(?<![\w/.-])(?:\./)?src\b(?!-)", script):
        return False
    ctx.warn(
        "The setup script mentions src or BENTO_PATH, so it runs after the sources are copied, at every change of one.",
        place=ctx.place("docker.setup_script"),
    )
    return True
