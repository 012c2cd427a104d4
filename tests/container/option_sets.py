"""Sets of options that every backend is given: what users write, and what bentomake adds of its own."""

from __future__ import annotations

from typing import Any

from bentomake.container.options import Options
from bentomake.container.request import Request

# name → (words of --opt, fields of the request that are not the usual ones)
SETS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "nothing": ([], {}),
    "two-tags": ([], {"tags": ("bentomake-test:1", "bentomake-test:two")}),
    "one-platform": (["platform=linux/amd64"], {}),
    "build-args": (["build-arg=FOO=bar", "build-arg:TWO=two words", "build_arg=EQUALS=a=b,c", "build-arg=EMPTY="], {}),
    "secrets": (["secret=id=aws,src=aws credentials", "secret:id=token,env=TOKEN"], {}),
    "ssh": (["ssh=default=agent.sock"], {}),
    "no-cache-and-pull": (["no-cache", "pull=false"], {}),
    "always-pull": (["pull"], {}),
    "progress": (["progress=plain"], {}),
    "target-and-labels": (["target=second", "label=a=b c", "label:org.x/y=1,2"], {}),
    "network-host": (["network=host"], {}),
    "network-none": (["network:none"], {}),
    "push": (["push"], {"tags": ("localhost:5000/bentomake-test:1",)}),
    "load": (["load"], {}),
    "load-off": (["load=false"], {}),
    "output-local": (["output=type=local,dest=out", "load", "push"], {}),
    "output-archive": (["output=type=oci,dest=image.oci"], {}),
    "output-docker-archive": (["output=type=docker,dest=image.tar"], {}),
    "cache": (["cache-from=localhost:5000/cache", "cache-to=type=inline"], {}),
    "cache-repository": (["cache-from=localhost:5000/cache", "cache-to=localhost:5000/cache"], {}),
    "hosts-and-limits": (["add-host=me:10.0.0.1", "add-host=you:::1", "ulimit=nofile=1024:2048", "shm-size=64m"], {}),
    "cgroup": (["cgroup-parent=/bentomake-test"], {}),
    "stages-and-entitlement": (["no-cache-filter=first", "no-cache-filter=second", "allow=network.host"], {}),
    "attestations": (["provenance=mode=max", "sbom=true", "attest=type=sbom,generator=image"], {}),
    "no-attestations": (["provenance=false"], {}),
    "files-about-it": (["metadata-file=metadata.json", "iidfile=id.txt"], {}),
    "contexts": (["build-context=theirs=wheels", "build-context=web=https://example.invalid/x.git"], {}),
    "platforms": (["platform=linux/amd64,linux/arm64"], {}),
    "platforms-pushed": (["platform=linux/amd64", "platform=linux/arm64", "push"], {}),
    "squash": (["squash", "format=docker", "jobs=2"], {}),
    "layers-off": (["layers=false", "pull=always"], {}),
    "unheard-of": (["platfrom=linux/amd64"], {}),
    "no-value": (["platform"], {}),
    "of-bentomake": (
        ["build-arg=FOO=theirs"],
        {
            "contexts": {"wheelhouse": "wheels"},
            "build_args": {"FOO": "ours", "SOURCE_DATE_EPOCH": "1700000000"},
            "secrets": ("id=token,env=TOKEN",),
            "iidfile": "id.txt",
            "metadata_file": "metadata.json",
            "progress": "plain",
        },
    ),
}


def request_of(name: str) -> Request:
    words, fields = SETS[name]
    usual: dict[str, Any] = {
        "context": "context",
        "dockerfile": "context/env/docker/Dockerfile",
        "tags": ("bentomake-test:1",),
        "scratch": "scratch",
    }
    return Request(**{**usual, **fields}, options=Options.parse(words))
