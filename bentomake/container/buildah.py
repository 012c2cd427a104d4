"""buildah: `buildah build`; OCI images, no daemon; of BuildKit's Dockerfiles, newer ones have the mounts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

from ..bento.epoch import VARIABLE
from ..errors import UsageError
from .backend import BackendUnhealthy, Image
from .docker import buildkit_wanted, numbers
from .engine_command import EngineCommand, output_type
from .options import Options, Value
from .request import Request
from .secret_source import masked, quoted, read_secret
from .words import BUILDAH

_EPOCH = "bentomake.source_date_epoch"
_OWN_STORE = "It keeps its images in its own store anyway: leave it out."
_PLAIN = "Its output is plain text anyway: leave it out, or use --progress, which is bentomake's own."


class Buildah(EngineCommand):
    """Layers are cached (BUILDAH_LAYERS), which buildah itself does only when told."""

    name = "buildah"
    binary = "buildah"
    words = BUILDAH
    valued_switches = frozenset({"pull"})
    defaults: ClassVar[Mapping[str, str]] = {"BUILDAH_FORMAT": "oci", "BUILDAH_LAYERS": "true", "DOCKER_BUILDKIT": "0"}
    instead: Mapping[str, str] = {
        "load": _OWN_STORE,
        "progress": _PLAIN,
        "push": "`buildah push TAG` does that afterwards; buildctl, buildx, docker and nerdctl push when they build.",
    }
    oldest = (1, 28)  # with which BuildKit's Dockerfiles were seen to be built
    get = "https://github.com/containers/buildah/blob/main/install.md, or choose another engine with --backend."

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._env = env or {}
        self.wanted = buildkit_wanted(self._env)
        self._number: str | None = None
        # A build that fails, or is interrupted, leaves its container behind, but for --force-rm; that wants --layers.
        cached = self.env(env or {})["BUILDAH_LAYERS"].lower() in ("true", "1")
        self.tidy: tuple[str, ...] = (f"--layers={str(cached).lower()}", "--force-rm")

    @property
    def buildkit(self) -> bool:
        return self.wanted and self.outdated is None

    @cached_property
    def outdated(self) -> str | None:
        """Its release, if that may not have what BuildKit's Dockerfiles mount."""
        try:
            number = self.number(self._env)
        except BackendUnhealthy:  # said by `version`
            return None
        return f"{self.name} {number}" if numbers(number) < self.oldest else None

    def plain_because(self) -> tuple[str, str] | None:
        """Why it is given the plain Dockerfile though nobody asked for that, and what would be better."""
        if not self.wanted or self.outdated is None:
            return None
        oldest = ".".join(map(str, self.oldest))
        return (
            f"{self.outdated} gets the plain Dockerfile: what the other mounts came with {self.name} {oldest}. Each "
            "build fetches its packages anew.",
            f"Upgrade: {self.get.partition(', or')[0]}. DOCKER_BUILDKIT=0 asks for the plain one, and nothing is said.",
        )

    def check_one(self, name: str, value: Value) -> None:
        super().check_one(name, value)
        if name in ("cache-from", "cache-to") and "=" in str(value):
            raise UsageError(
                f"The option {name} of {self.name} is a repository, not {masked(str(value))!r}.",
                hint=f"Write --opt {name}=registry.example.com/cache; `type=…` is BuildKit's (--backend buildx; "
                "but for type=inline with a builder of its own: `docker buildx create --use`).",
            )
        if name == "secret" and any(sign in (read_secret(str(value)).file or "") for sign in ',"'):
            raise UsageError(
                f"{self.name} reads no secret from a file with a comma or a quotation mark in its path.",
                hint="Give another path to it (a symbolic link), or --secret id=NAME,env=VARIABLE.",
            )
        if name == "output" and output_type(str(value)) not in ("local", "tar"):
            raise UsageError(
                f"The output of {self.name} is files (type=local or type=tar), not {value!r}.",
                hint=f"`{self.binary} push TAG oci-archive:FILE` makes an archive of an image that it has.",
            )

    def check(self, options: Options) -> None:
        super().check(options)
        platforms = options.platforms()
        if len(platforms) > 1 and not options.value("manifest"):
            raise UsageError(
                f"{self.name} needs a manifest list for {len(platforms)} platforms ({', '.join(platforms)}).",
                hint="Add --opt manifest=NAME, or build one platform at a time.",
            )

    def spelled(self, request: Request) -> list[str]:
        """SOURCE_DATE_EPOCH is its --timestamp; by the label, no last layer of another time is taken for this one."""
        epoch = request.build_args.get(VARIABLE)
        if epoch is None or request.options.values("timestamp"):
            return [*self.tidy, *super().spelled(request)]
        return [*self.tidy, "--timestamp", epoch, "--label", f"{_EPOCH}={epoch}", *super().spelled(request)]

    def file(self, path: str) -> str:
        """It may be given several, with commas between."""
        return quoted(path)

    def version(self, env: Mapping[str, str]) -> str:
        asked = self.ask(env, "info")
        try:
            told = json.loads(asked.stdout)
            store = f"{told['store']['GraphDriverName']} {told['store']['GraphRoot']}"
        except (ValueError, LookupError, TypeError):
            raise self.unhealthy("buildah is installed, but does not work.", asked, "Try `buildah info`.") from None
        return f"{self.name} version {self.number(env)} ({store}, {self.env(env)['BUILDAH_FORMAT']})"

    def number(self, env: Mapping[str, str]) -> str:
        """Its version, `1.28.2`; asked once."""
        if self._number is None:
            words = self.ask(env, "--version").stdout.split()
            self._number = words[2] if len(words) > 2 else "?"
        return self._number

    def image(self, reference: str, env: Mapping[str, str]) -> Image | None:
        return self.inspected(reference, self.ask(env, "inspect", "--type", "image", reference))

    def image_of(self, reference: str, found: Mapping[str, Any]) -> Image:
        config = found["OCIv1"]
        manifest = json.loads(found.get("Manifest") or "{}")
        layers = [*manifest.get("layers", []), manifest.get("config") or {}]
        parts = [config.get("os") or "linux", config.get("architecture"), config.get("variant")]
        return Image(
            reference,
            f"sha256:{found['FromImageID']}",
            found.get("FromImageDigest") or None,
            "/".join(part for part in parts if part),
            sum(int(layer.get("size") or 0) for layer in layers),
            (found["FromImage"],),
            (config.get("config") or {}).get("Labels") or {},
        )
