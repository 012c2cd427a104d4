"""buildah: `buildah build`; OCI images, no daemon; it knows the mounts and the contexts of BuildKit's Dockerfiles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from ..bento.epoch import VARIABLE
from ..errors import UsageError
from .backend import BackendUnhealthy, Image
from .docker import buildkit_wanted, numbers
from .engine_command import EngineCommand, output_type
from .options import Options, Value
from .request import Request
from .secret_source import masked
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
        self.buildkit = buildkit_wanted(env or {})
        # A build that fails, or is interrupted, leaves its container behind, but for --force-rm; that wants --layers.
        cached = self.env(env or {})["BUILDAH_LAYERS"].lower() in ("true", "1")
        self.tidy: tuple[str, ...] = (f"--layers={str(cached).lower()}", "--force-rm")

    def check_one(self, name: str, value: Value) -> None:
        super().check_one(name, value)
        if name in ("cache-from", "cache-to") and "=" in str(value):
            raise UsageError(
                f"The option {name} of {self.name} is a repository, not {masked(str(value))!r}.",
                hint=f"Write --opt {name}=registry.example.com/cache; `type=…` is BuildKit's (--backend buildx; "
                "but for type=inline with a builder of its own: `docker buildx create --use`).",
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

    def version(self, env: Mapping[str, str]) -> str:
        asked = self.ask(env, "info")
        try:
            told = json.loads(asked.stdout)
            store = f"{told['store']['GraphDriverName']} {told['store']['GraphRoot']}"
        except (ValueError, LookupError, TypeError):
            raise self.unhealthy("buildah is installed, but does not work.", asked, "Try `buildah info`.") from None
        said = self.ask(env, "--version").stdout.split()[:3]
        self.expect(said[-1] if said else "")
        return f"{' '.join(said)} ({store}, {self.env(env)['BUILDAH_FORMAT']})"

    def expect(self, version: str) -> None:
        """BackendUnhealthy if such an engine may not have all that the Dockerfile asks of it."""
        if self.buildkit and numbers(version) < self.oldest:
            oldest = ".".join(map(str, self.oldest))
            raise BackendUnhealthy(
                f"{self.name} {version} may not have what the Dockerfile mounts: {oldest} has.",
                hint=f"Set DOCKER_BUILDKIT=0 for a plain Dockerfile, or upgrade: {self.get}",
            )

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
