"""What the values of options look like, where all engines agree: a slip is told before anything is built."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from ..errors import UsageError
from .dockerfile_text import stages
from .options import Value

_SYSTEMS = "darwin|freebsd|linux|windows"
_MACHINES = "386|aarch64|amd64|arm64|arm|armel|armhf|i386|loong64|mips64le|ppc64le|riscv64|s390x|x86_64"
_PLATFORM = rf"local|(?:{_SYSTEMS})(?:/[\w.-]+){{0,2}}|{_MACHINES}"
_SIZE = r"\d+(?:\.\d+)?\s*[kmgt]?i?b?"
_LIMIT = r"(?:-1|\d+|unlimited)"
# option → what its value looks like, and how to write it
_SHAPES = {
    "add-host": (r"[^:=]+[:=].+", "HOST:IP"),
    "build-context": (r"[^=]+=.+", "NAME=DIRECTORY, or NAME=docker-image://IMAGE"),
    "memory": (_SIZE, "512m, 2g, or bytes"),
    "platform": (rf"(?:{_PLATFORM})(?:,\s*(?:{_PLATFORM}))*", "linux/amd64 or linux/arm64"),
    "shm-size": (_SIZE, "64m, 1g, or bytes"),
    "ulimit": (rf"[a-z]+={_LIMIT}(?::{_LIMIT})?|host", "nofile=1024 or nofile=1024:4096"),
}
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*://|git@")  # of a context: no directory of this machine


def checked(name: str, value: Value) -> None:
    """UsageError for a value that no engine takes; relative paths are the working directory's."""
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"The option {name} needs a value.", hint=f"Write --opt {name}=VALUE.")
    shape = _SHAPES.get(name)
    if shape is not None and not re.fullmatch(shape[0], value.strip(), re.IGNORECASE):
        raise UsageError(
            f"The option {name} cannot be {value!r}.", hint=f"Write --opt {name}=…, for instance {shape[1]}."
        )
    if name == "build-context":
        where = value.partition("=")[2]
        if not _ELSEWHERE.match(where) and not os.path.isdir(os.path.expanduser(where)):
            raise UsageError(
                f"There is no directory {where} for the build context {value.partition('=')[0]}.",
                hint="Relative paths begin in the working directory (-C).",
            )
    if name in ("iidfile", "metadata-file"):
        if os.path.isdir(value):
            raise UsageError(f"The {name} {value} is a directory.", hint=f"Write --opt {name}=FILE.")
        if not os.path.isdir(os.path.dirname(value) or "."):
            raise UsageError(
                f"There is no directory {os.path.dirname(value)} for the {name}.",
                hint="Relative paths begin in the working directory (-C).",
            )
    if name == "output" and value.startswith("type=local") and "dest=" not in value:
        raise UsageError(
            "The output type=local needs a directory.", hint="Write --opt output=type=local,dest=DIRECTORY."
        )


def check_keys(values: Iterable[str], env: Mapping[str, str]) -> None:
    """UsageError for an ssh option (ID, or ID=SOCKET_OR_KEY,…) behind which there is nothing."""
    for value in values:
        name, equals, files = value.partition("=")
        if not equals and not env.get("SSH_AUTH_SOCK"):
            raise UsageError(
                f"The option ssh={name} lends the ssh agent, and SSH_AUTH_SOCK names none.",
                hint=f'Start one (`eval "$(ssh-agent)" && ssh-add`), or name a key: --opt ssh={name}=FILE.',
            )
        missing = next((file for file in files.split(",") if equals and not os.path.exists(file)), None)
        if missing is not None:
            what = f"{missing}, which is not there" if missing else "no file after its ="
            hint = "Relative paths begin in the working directory (-C), and `~` is for shells only."
            raise UsageError(f"The option ssh={name} names {what}.", hint=hint)


def check_base(image: str) -> None:
    """UsageError for what an engine would take for an option of its own."""
    if image.startswith("-"):
        raise UsageError(
            f"The Dockerfile starts from {image}, which is no image.", hint="Is a --build-arg of its FROM mistaken?"
        )


def check_target(target: str | None, text: str, name: str) -> None:
    """UsageError if the Dockerfile with that text and name has no such stage, by name or by number."""
    known = stages(text)
    names = [stage for stage in known if stage]
    if target is not None and target.lower() not in {*(stage.lower() for stage in names), *map(str, range(len(known)))}:
        hint = f"It has {', '.join(names)}." if names else "Its stages have no names: leave --target out."
        raise UsageError(f"The Bento's {name} has no stage {target}.", hint=hint)
