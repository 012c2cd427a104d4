"""What an image described in code does in a Dockerfile: packages, commands and scripts in their order, its secrets."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping
from typing import Any

from ..engine.rule import Context
from ..errors import BentofileError
from . import distros
from .image import Command, Image, script


def facts(ctx: Context, image: Image | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """What the templates are filled with, over `options`, the facts that do not come from the image in code.

    `commands` and `post_commands` are lists of {"packages": NAMES}, {"script": PATH} or {"run": INSTRUCTION};
    packages that stand before everything else are `system_packages`. `venv` is a Python for a base image that may have
    another; `packages_by` is the distribution whose packages they are.
    """
    if image is None:
        return {
            **{"commands": [], "post_commands": [], "build_include": [], "venv": None},
            "packages_by": options["distro"],
        }
    distro = ctx.param("docker.distro")
    known = distro in distros.DISTROS
    packages = [word for item in ctx.param("docker.system_packages") or [] for word in str(item).split()]
    before = commands(image, packages, distro)
    early = before.pop(0)["packages"] if before and "packages" in before[0] else []

    def told(one: Command) -> Command:
        if "script" in one:
            return {"script": script(one["script"])}
        return {"run": instruction(one["run"], options["secrets"])} if "run" in one else one

    return {
        "system_packages": early,
        "commands": [told(one) for one in before],
        "post_commands": [told(one) for one in image.post_commands],
        "build_include": [_copied(path) for path in included(image, ctx.place("service"))],
        "venv": options["python_version"] if options["distro"] == "given" else None,
        "packages_by": distro if known else "given",
    }


def _copied(path: str) -> str:
    """The words of a COPY, from the Bento to the image: a directory stays one."""
    target = posixpath.dirname(f"src/{path}") + "/" if re.search(r"[*?\[]", path) else f"src/{path}"
    words = [f"src/{path}", f"./{target}"]
    return json.dumps(words) if re.search(r"\s", path) else " ".join(words)


def scripts(image: Image | None) -> list[str]:
    """The files of the context that are run, each once."""
    if image is None:
        return []
    return list(dict.fromkeys(one["script"] for one in [*image.commands, *image.post_commands] if "script" in one))


def commands(image: Image, packages: list[str], distro: str) -> list[Command]:
    """What is run before the requirements are installed, with the bentofile's system packages; those of a kind as one.

    What bentoml installs in every image is there where commands may count on it.
    """
    first = distros.FIRST.get(distro, ())
    wanted = any("packages" not in one for one in [*image.commands, *image.post_commands])
    asked: list[Command] = [{"packages": list(first)}] if first and wanted else []
    asked += [*image.commands, *([{"packages": packages}] if packages else [])]
    joined: list[Command] = []
    for one in asked:
        if "packages" in one and joined and "packages" in joined[-1]:
            joined[-1] = {"packages": list(dict.fromkeys([*joined[-1]["packages"], *one["packages"]]))}
        else:
            joined.append(one)
    return joined


def included(image: Image, place: str | None) -> list[str]:
    """What is packed and is there while requirements are installed; BentofileError for a path out of the sources."""
    found = []
    for path in image.build_include:
        normal = posixpath.normpath(path)
        if normal.startswith(("/", "../", "~")) or normal == ".." or re.search(r"[\n\r\0]", normal):
            raise BentofileError(
                f"build_include of the image in code names {path}, which is not in the Bento's sources.",
                place=place,
                hint="Its paths are relative to the build context.",
            )
        found.append(normal)
    return list(dict.fromkeys(found))


def instruction(text: str, secrets: list[dict[str, Any]]) -> str:
    """A RUN with the secrets that it is given; what has several lines becomes one word, which a Dockerfile can hold."""
    flags = re.match(r"\s*(?:--[a-z]+=\S+\s+)*", text)
    assert flags is not None
    command = text[flags.end() :].strip("\n")
    mounts = "".join(
        f"--mount=type=secret,id={one['name']}{',required=true' if one['required'] else ''} " for one in secrets
    )
    read = "".join(
        f"if [ -f /run/secrets/{one['name']} ]; then {one['name']}=$(cat /run/secrets/{one['name']})"
        f" && export {one['name']}; fi && "
        for one in secrets
    )
    if "\n" in command or command.endswith("\\"):
        command = json.dumps(["/bin/sh", "-ec", read + command])
        return f"RUN {flags[0].lstrip()}{mounts}{command}"
    return f"RUN {flags[0].lstrip()}{mounts}{read}{command}"
