"""An image described in code, `@bentoml.service(image=…)`: beside it, an option of the bentofile counts more."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

from ..engine.rule import Context
from . import distros, targets

RULE = "described"
FILE = "image.json"
# What such an image has no place for; real builds say so and go on.
UNUSED = (
    *("docker.cuda_version", "docker.dockerfile_template", "python.wheels"),
    *("conda.environment_yml", "conda.channels", "conda.dependencies", "conda.pip"),
)
_SHARED = {"docker.base_image": "base_image", "docker.distro": "distro", "docker.python_version": "python_version"}
Command = dict[str, Any]  # {"run": TEXT}, {"packages": NAMES} or {"script": FILE}


@dataclass(frozen=True)
class Image:
    """What the probe saw of it; see service/image_calls.py. `given` are the arguments that the code names."""

    base_image: str | None
    distro: str
    python_version: str | None
    lock: bool
    pack_git: bool
    uv_lock: bool
    requirements: list[dict[str, str]]
    commands: list[Command]
    post_commands: list[Command]
    build_include: list[str]
    given: list[str]


def of(ctx: Context, rule: str = RULE) -> Image | None:
    """The image that the service describes, from the tree of that input; None if it describes none."""
    files = ctx.input(rule)
    return Image(**json.loads(files.text(FILE))) if FILE in files else None


def for_lock(image: Image) -> str:
    """What of an image the lock depends on, as the file that `of` reads."""
    rest = replace(image, requirements=[], commands=[], post_commands=[], build_include=[], given=[])
    return json.dumps(asdict(rest), indent=1) + "\n"


def envs(ctx: Context) -> list[dict[str, str]]:
    """The variables of the service itself, as `envs` of a bentofile."""
    files = ctx.input(RULE)
    found: list[dict[str, str]] = json.loads(files.text("envs.json")) if "envs.json" in files else []
    return found


def option(param: Callable[[str], Any], image: Image | None) -> Callable[[str], Any]:
    """The options of the bentofile, with those of the image where it says nothing; what it cannot have is unset."""
    if image is None:
        return param

    def value(name: str) -> Any:
        if name in UNUSED:
            return None
        found = param(name)
        if name in _SHARED:
            return found or getattr(image, _SHARED[name])
        if name == "docker.libc":
            return _libc(param, image)
        if (name == "python.lock_packages" and not image.lock) or (
            name == "python.pack_git_packages" and not image.pack_git
        ):
            return False
        return found

    return value


def _libc(param: Callable[[str], Any], image: Image) -> str | None:
    """As the bentofile has it, where that chooses the image: `docker.said` is what it chooses by."""
    said = param("docker.said")
    if said == "base_image" or (said == "distro" and not image.base_image):
        found: str | None = param("docker.libc")
        return found
    values = {"docker.base_image": image.base_image, "docker.distro": image.distro}
    return targets.libc({**dict.fromkeys(UNUSED), **values})


class _Beside:
    """The context of a rule, with `option`s in place of the bentofile's alone."""

    def __init__(self, ctx: Context, image: Image):
        self._ctx, self._image = ctx, image
        self.param = option(ctx.param, image)

    def place(self, name: str) -> str | None:
        from_code = name in _SHARED and not self._ctx.param(name) and self.param(name)
        return self._ctx.place("service" if from_code else name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)


def beside(ctx: Context, rule: str = RULE) -> Context:
    """The same context, whose options are what the bentofile and the image in code say together."""
    image = of(ctx, rule)
    return ctx if image is None else cast(Context, _Beside(ctx, image))


def remark(ctx: Context, image: Image) -> None:
    """Warn of options that the image in code leaves without effect, and of those that are in both."""
    for name in UNUSED:
        if ctx.param(name):
            ctx.warn(
                f"{name} has no effect: the service describes its image in code.",
                place=ctx.place(name),
                hint="Say it in the code, or remove the image there.",
            )
    for name, key in _SHARED.items():
        here, there = ctx.param(name), getattr(image, key)
        if here and there and key in image.given and str(here) != str(there):
            ctx.warn(
                f"{name} is {here}, so the {key} of the image in code ({there}) is not used.",
                place=ctx.place(name),
                hint="Write it in one place.",
            )


def script(path: str) -> str:
    """Where a script lies in the Bento; bentoml's name has a digest of an absolute path, this one of a relative one."""
    return f"env/docker/script__{hashlib.md5(posixpath.normpath(path).encode(), usedforsecurity=False).hexdigest()}"


def section(options: Mapping[str, Any], image: Image, python: str, requirements: str) -> dict[str, Any]:
    """The part `image` of bento.yaml, for bentoml's own `containerize`; `options` are those of `option`."""
    distro = options["docker.distro"] or "debian"
    before = [one for one in image.commands if one.get("packages") != []]
    if options.get("docker.system_packages"):
        before = [*before, {"packages": [w for item in options["docker.system_packages"] for w in item.split()]}]
    after = list(image.post_commands)
    written = [_command(one, distro) for one in before]
    if distro in distros.DISTROS:
        written = [*distros.install_commands(distro, python, ""), *written]
    setup = "./env/docker/setup_script"
    return {
        "base_image": options["docker.base_image"] or distros.image(distro, python),
        "python_version": python,
        "commands": written,
        "python_requirements": requirements,
        "post_commands": [
            *(_command(one, distro) for one in after),
            *([f"chmod +x {setup} && {setup}"] if options.get("docker.setup_script") else []),
        ],
        "build_include": list(image.build_include),
    }


def _command(one: Command, distro: str) -> str:
    if "packages" in one:
        return distros.install(distro, one["packages"])
    if "script" in one:
        path = f"./{script(one['script'])}"
        return f"chmod +x {path} && {path}"
    return str(one["run"])
