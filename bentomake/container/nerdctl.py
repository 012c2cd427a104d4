"""nerdctl: `nerdctl build` into containerd, by a buildkitd."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from ..errors import UsageError
from . import buildkitd
from .docker import buildkit_wanted
from .engine_command import EngineCommand, output_type
from .options import Options
from .request import Request
from .words import BUILDKIT


class Nerdctl(EngineCommand):
    """`--push` is its output `type=image,push=true`; it takes one output and one pushed name."""

    name = "nerdctl"
    binary = "nerdctl"
    words = (
        BUILDKIT
        - {"add-host", "annotation", "builder", "cgroup-parent", "load", "metadata-file", "no-cache-filter", "shm-size"}
        - {"ulimit"}
    ) | {"buildkit-host", "ipfs", "rm"}
    instead: Mapping[str, str] = {"load": "It keeps its images in containerd anyway: leave it out."}
    get = "https://github.com/containerd/nerdctl, or choose another engine with --backend."

    def __init__(self, env: Mapping[str, str]) -> None:
        super().__init__()
        self.wanted = buildkit_wanted(env)
        if sys.platform == "darwin":
            self.get = "On macOS it runs in lima (https://github.com/lima-vm/lima#getting-started)."

    def check(self, options: Options) -> None:
        super().check(options)
        if len(options.values("output")) + options.on("push") > 1:
            raise UsageError("nerdctl takes one output.", hint="Give one --opt output, or push.")

    def spelled(self, request: Request) -> list[str]:
        words = super().spelled(request)
        if not request.options.on("push"):
            return words
        if len(request.tags) != 1:
            raise UsageError("nerdctl pushes under one name.", hint="Give one -t/--image-tag with push.")
        return [*words, "--output", f"type=image,name={request.tags[0]},push=true"]

    def handled(self, request: Request) -> set[str]:
        return {"push"}

    def stores(self, options: Options) -> bool:
        return all(output_type(output) == "image" for output in options.values("output"))

    def version(self, env: Mapping[str, str]) -> str:
        self.find(env)
        buildkitd.expect(self.name, env)
        asked = self.ask(env, "version", "--format", "{{json .}}")
        try:
            told = json.loads(asked.stdout)
            parts = {part["Name"]: part["Version"] for part in told["Server"]["Components"]}
            client = told["Client"]["Version"]
        except (ValueError, LookupError, TypeError):
            hint = "Start it: `sudo systemctl start containerd`; rootless: `containerd-rootless-setuptool.sh install`."
            raise self.unhealthy("nerdctl is installed, but containerd cannot be reached.", asked, hint) from None
        where = f"{env.get('CONTAINERD_NAMESPACE') or 'default'}, {env.get('BUILDKIT_HOST') or 'buildkitd'}"
        return f"nerdctl {client}, containerd {parts.get('containerd')} ({where})"
