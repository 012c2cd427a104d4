"""buildx: `docker buildx build`, which loads what it built unless told to put it elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from .docker import Docker
from .options import Options
from .request import Request


class Buildx(Docker):
    name = "buildx"
    head = ("buildx", "build")
    waits = False  # its builder is whichever `docker buildx use` named: it may be down, and would be booted

    def spelled(self, request: Request) -> list[str]:
        words = super().spelled(request)
        return words if "--load" in words or not loads_by_itself(request.options) else ["--load", *words]

    def handled(self, request: Request) -> set[str]:
        pushes = {"load"} if request.options.on("push") else set()
        return super().handled(request) | pushes

    def stores(self, options: Options) -> bool:
        somewhere = options.on("load") or bool(options.values("output"))
        return loads_by_itself(options) or (somewhere and not options.on("push") and super().stores(options))

    def version(self, env: Mapping[str, str]) -> str:
        docker = super().version(env)
        asked = self.ask(env, "buildx", "version")
        plugin = asked.stdout.split()
        if asked.returncode != 0 or len(plugin) < 2:
            raise self.unhealthy(
                "docker has no buildx here.",
                asked,
                "Install the plugin (https://docs.docker.com/build/buildx/install/), or use --backend docker.",
            )
        return f"{docker}, buildx {plugin[1]}"


def loads_by_itself(options: Options) -> bool:
    """--load is the default where nothing else says what becomes of the image."""
    said = [value for name, value in options.given if name == "load"]
    return not said and not options.on("push") and not options.values("output")
