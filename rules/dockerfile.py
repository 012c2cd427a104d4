"""The Dockerfile of a Bento, and the scripts that it runs. It knows options only: neither the lock nor the sources."""

from __future__ import annotations

import os
import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bentomake.engine.rule import Context, rule
from bentomake.engine.tree import Entry
from bentomake.errors import BentofileError

if TYPE_CHECKING:
    from jinja2 import Environment

DOCKERFILE = "env/docker/Dockerfile"
ENTRYPOINT = "env/docker/entrypoint.sh"
SETUP_SCRIPT = "env/docker/setup_script"
INSTALL = "env/python/install.sh"
VERSION = "env/python/version.txt"

DISTROS = ("debian",)  # a distro is a file DISTRO.j2 beside this one, and a name here
PIP_OPTIONS = ("index_url", "extra_index_url", "find_links", "trusted_host")  # each `--` and its name with hyphens


@rule(
    outputs=[DOCKERFILE, ENTRYPOINT, f"({SETUP_SCRIPT})", f"({INSTALL})", f"({VERSION})"],
    params=[
        "docker.distro",
        "docker.python_version",
        "docker.env",
        "docker.system_packages",
        "docker.setup_script",
        "docker.base_image",
        "docker.cuda_version",
        "docker.dockerfile_template",
        "envs",
        *(f"python.{option}" for option in PIP_OPTIONS),
        "python.no_index",
        "python.pip_args",
    ],
    oracles=["generation", "python.version", "bentoml.version"],
    templates=["base.j2", "debian.j2", "given.j2", "install.sh.j2", "entrypoint.sh"],
)
def dockerfile(ctx: Context) -> Mapping[str, str | bytes | Entry]:
    generation = ctx.oracle("generation")
    version = ctx.param("docker.python_version") or ctx.oracle("python.version")
    base_image = _one_word(ctx, "docker.base_image")
    script = _setup_script(ctx)
    python_version = ".".join(str(version).split(".")[:2])
    options = {
        "base_image": base_image,
        "python_version": python_version,
        "system_packages": [] if base_image else _words(ctx, "docker.system_packages"),
        "env": dict(_env(ctx)),
        "setup_script": script and ("late" if _needs_sources(ctx, script) else "early"),
        "pip_words": list(_pip_words(ctx)),
    }
    _warn_of_what_is_ignored(ctx, base_image)
    known = {
        "options": options,
        "generation": generation,
        "bento__distro": "given" if base_image else DISTROS[0],
        "bentoml_version": ctx.oracle("bentoml.version"),
    }
    jinja = _jinja(ctx)
    made: dict[str, str | bytes | Entry] = {
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
    jinja.filters.update(env_value=env_value, shell_word=shell_word)
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


def shell_word(word: str) -> str:
    """A word for sh: all of it literal, but `${NAME}`, which is how index credentials are written."""
    if not re.search(r"\$\{[A-Za-z_]\w*\}", word):
        return shlex.quote(word)
    return '"' + re.sub(r'[\\"`]|\$(?!\{[A-Za-z_]\w*\})', lambda found: "\\" + found[0], word) + '"'


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


def _pip_words(ctx: Context) -> Iterator[str]:
    if ctx.param("python.no_index"):
        yield "--no-index"
    for option in PIP_OPTIONS:
        for value in _listed(ctx, f"python.{option}"):
            yield "--" + option.replace("_", "-")
            yield _without_credentials(ctx, f"python.{option}", value)
    try:
        words = shlex.split(_line(ctx, "python.pip_args", ctx.param("python.pip_args") or ""))
    except ValueError as error:
        raise BentofileError(
            f"python.pip_args cannot be split into words: {error}.", place=ctx.place("python.pip_args")
        ) from error
    for word in words:
        yield _without_credentials(ctx, "python.pip_args", word)


def _without_credentials(ctx: Context, name: str, word: str) -> str:
    """A Bento travels: what stands before the `@` of a URL stays out of it, but for a name and `${VARIABLE}`."""
    found = re.search(r"://([^/?#@]*)@", word)
    if not found:
        return word
    user, colon, password = found[1].partition(":")
    if re.fullmatch(r"(\$\{[A-Za-z_]\w*\})+", password if colon else user):
        return word
    ctx.warn(
        f"The credentials in {name} stay out of the Bento, so its image cannot use them.",
        place=ctx.place(name),
        hint="Write them as ${NAME}, to be taken from the environment where the image is built.",
    )
    return word[: found.start(1)] + word[found.end() :]


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
            raise BentofileError(f"{name!r} cannot name an environment variable.", place=ctx.place("docker.env"))
        if any(other.strip("${}") != name for other in re.findall(r"\$\{[A-Za-z_]\w*\}|\$[A-Z_][A-Z0-9_]*\b", value)):
            ctx.warn(
                f"A $NAME in the value of {name} is taken literally: only $"
                f"{name} itself would mean something, its value in the base image.",
                place=ctx.place("docker.env"),
            )
        yield name, _line(ctx, "docker.env", value)


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


def _warn_of_what_is_ignored(ctx: Context, base_image: str | None) -> None:
    unsupported = ["docker.cuda_version", "docker.dockerfile_template"]
    if base_image:
        if ctx.param("docker.system_packages"):
            ctx.warn(
                "docker.system_packages are not installed: docker.base_image comes as it is.",
                place=ctx.place("docker.system_packages"),
            )
    elif ctx.param("docker.distro") not in (None, *DISTROS):
        unsupported.append("docker.distro")
    for name in unsupported:
        if ctx.param(name):
            ctx.warn(
                f"{name} is recorded in the Bento, but its Dockerfile does not follow it yet: it is for {DISTROS[0]}.",
                place=ctx.place(name),
            )
