"""docker's options in buildctl's words: --opt for the Dockerfile frontend, --output, and the caches."""

from __future__ import annotations

import re

from ..errors import UsageError
from .engine_command import output_type
from .image_tag import qualified
from .options import Options
from .request import Request

# buildctl's own, passed as they are
NATIVE = frozenset(
    {
        "allow",
        "export-cache",
        "frontend",
        "import-cache",
        "local",
        "metadata-file",
        "no-cache",
        "oci-layout",
        "opt",
        "output",
        "progress",
        "secret",
        "ssh",
        "trace",
    }
)
# docker's, translated here
OWN = frozenset(
    {
        "add-host",
        "attest",
        "build-arg",
        "build-context",
        "cache-from",
        "cache-to",
        "cgroup-parent",
        "iidfile",
        "label",
        "load",
        "network",
        "no-cache-filter",
        "platform",
        "provenance",
        "pull",
        "push",
        "sbom",
        "shm-size",
        "target",
        "ulimit",
    }
)
_NAMED = ("docker", "image", "oci")  # outputs that know what the image is called
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def frontend_opts(request: Request) -> list[str]:
    """The flags that say the same to the Dockerfile frontend, in a fixed order."""
    options = request.options
    found: dict[str, str] = {}
    for name in ("target", "cgroup-parent"):
        if options.value(name):
            found[name] = str(options.value(name))
    if options.platforms():
        found["platform"] = ",".join(options.platforms())
    if options.value("shm-size"):
        found["shm-size"] = str(_bytes(str(options.value("shm-size"))))
    if options.values("ulimit"):
        found["ulimit"] = ",".join(options.values("ulimit"))
    if options.values("add-host"):
        found["add-hosts"] = ",".join(_host(value) for value in options.values("add-host"))
    if options.on("pull"):
        found["image-resolve-mode"] = "pull"
    if options.values("no-cache-filter"):
        found["no-cache"] = ",".join(options.values("no-cache-filter"))
    for value in request.all_build_args():
        name, equals, text = value.partition("=")
        if not equals:
            raise UsageError(f"buildctl needs the value of the build argument {name}.", hint=f"Write {name}=${name}.")
        found[f"build-arg:{name}"] = text
    for value in options.values("label"):
        name, _, text = value.partition("=")
        found[f"label:{name}"] = text
    found.update(_attestations(options))
    words: list[str] = []
    words += _network(options, found)
    words += _contexts(request, found)
    for name, text in found.items():
        words += ["--opt", f"{name}={text}"]
    for name, flag in (("cache-from", "--import-cache"), ("cache-to", "--export-cache")):
        for value in options.values(name):
            words += [flag, value if "=" in value else f"type=registry,ref={value}"]
    return words


def outputs(request: Request, archive: str | None) -> list[str]:
    """What --output is to be: the user's own; an image to push; an archive to load."""
    options = request.options
    found = [f"type=local,dest={text}" if "=" not in text else text for text in options.values("output")]
    if {"local", "tar"} & {output_type(text) for text in found}:
        return found
    name = _field("name", ",".join(qualified(tag) for tag in request.tags))
    found = [f"{text},{name}" if output_type(text) in _NAMED and "name=" not in text else text for text in found]
    if options.on("push"):
        found.append(f"type=image,{name},push=true")
    if options.on("load") or not found:
        if archive is None:
            raise UsageError("buildctl has nowhere to put the image.", hint="Give --opt output=… or --opt push.")
        found.append(f"type=docker,{name},{_field('dest', archive)}")
    return found


def _field(name: str, value: str) -> str:
    """A field of a line of comma-separated values."""
    return f'"{name}={value}"' if "," in value else f"{name}={value}"


def _network(options: Options, found: dict[str, str]) -> list[str]:
    mode = options.value("network") or "default"
    if mode not in ("default", "host", "none", "sandbox"):
        raise UsageError(f"buildctl has no network {mode!r}.", hint="It can be default, host or none.")
    if mode != "default":
        found["force-network-mode"] = mode
    return ["--allow", "network.host"] if mode == "host" and "network.host" not in options.values("allow") else []


def _contexts(request: Request, found: dict[str, str]) -> list[str]:
    words: list[str] = []
    for text in request.all_contexts():
        name, _, value = text.partition("=")
        if name in ("context", "dockerfile"):
            raise UsageError(f"buildctl's own directories are called context and dockerfile: {name} cannot be another.")
        if "://" in value or value.startswith("git@"):
            found[f"context:{name}"] = value
        else:
            words += ["--local", f"{name}={value}"]
            found[f"context:{name}"] = f"local:{name}"
    return words


def _attestations(options: Options) -> dict[str, str]:
    said = [*options.values("attest")]
    for kind in ("provenance", "sbom"):
        said += [f"type={kind},{value}" for value in options.values(kind)]
    found: dict[str, str] = {}
    for text in said:
        fields = [part for part in text.split(",") if part]
        what = next((part[len("type=") :] for part in fields if part.startswith("type=")), None)
        if what is None:
            raise UsageError(f"The attestation {text!r} has no type.", hint="Write type=sbom,… or type=provenance,….")
        rest = [part for part in fields if not part.startswith("type=") and part.lower() != "true"]
        if "false" in rest or "disabled=true" in rest:
            found.pop(f"attest:{what}", None)
        else:
            found[f"attest:{what}"] = ",".join(part for part in rest if part != "disabled=false")
    return found


def _host(value: str) -> str:
    """`host:ip` and `host=ip`; an IPv6 address has colons of its own."""
    name, mark, address = value.partition("=") if "=" in value else value.partition(":")
    if not mark:
        raise UsageError(f"{value!r} is no host with its address.", hint="Write --opt add-host=HOST:IP.")
    return f"{name}={address.strip('[]')}"


def _bytes(text: str) -> int:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\s*", text.lower())
    if found is None:
        raise UsageError(f"{text!r} is no size.", hint="Write 64m, 1g, or bytes.")
    return int(float(found[1]) * _UNITS[found[2]])
