"""The commands, and the options of `build` and `containerize`, as data for click and for the reader of plain lines.

Of an option: name of the value → how it is spelled, its kind, its metavar or choices, its help.
"""

from __future__ import annotations

from typing import Any

# command → (module, one line of help); a command's module is imported when it is used
COMMANDS = {
    "build": ("build", "Build here, or in the named directories (the default command)."),
    "containerize": ("containerize", "Make an image of a Bento of the store."),
    "check": ("check", "Judge a bentofile: what cannot work, and what will surprise."),
    "schema": ("schema", "Print the JSON Schema of a bentofile, for editors."),
    "explain": ("explain", "Say why the steps of a past run ran, or did not."),
    "list": ("store", "List the Bentos of the store."),
    "get": ("store", "Show a Bento of the store."),
    "delete": ("store", "Delete Bentos from the store."),
    "export": ("export", "Write a Bento of the store into an archive."),
    "cache": ("cache", "Look after the cache: stats, gc, verify, export-wheels, clear."),
    "completion": ("completion", "Print the completion script of a shell."),
}

Kind = str
FLAG: Kind = "flag"
ONE: Kind = "one"
MANY: Kind = "many"
CHOICE: Kind = "choice"
COUNT: Kind = "count"
SECONDS: Kind = "seconds"
MAYBE: Kind = "maybe"  # many, each with a value or without

Table = dict[str, tuple[str, Kind, Any, str]]

_HOW = ("auto", "tty", "plain", "json")

BUILD: Table = {
    "bentofile": ("-f --bentofile", ONE, "FILE", "The bentofile; the one TARGET is then the build context."),
    "directory": ("-C --directory", ONE, "DIR", "Work in this directory."),
    "python": ("--python", ONE, "PATH", "The Python (or virtual environment) that runs the service."),
    "jobs": ("-j --jobs", COUNT, "N", "Steps at once (default: the cores)."),
    "keep_going": ("-k --keep-going", FLAG, None, "Go on with what does not depend on a failure."),
    "dry_run": ("-n --dry-run", FLAG, None, "Say what would run and why; run nothing."),
    "always_make": ("-B --always-make", FLAG, None, "Run every step, whatever is known."),
    "quiet": ("-q --quiet", FLAG, None, "Print only errors and the answer of --output."),
    "question": ("--question", FLAG, None, "Build nothing; exit 1 if something would have to run."),
    "explain": ("--explain", FLAG, None, "Say for every step why it ran, or did not."),
    "diff": ("--diff", FLAG, None, "With --explain: the text that changed."),
    "upgrade": (
        *("--upgrade", MAYBE, "[PACKAGE]"),
        "Resolve anew: all packages, or the named one; also Hugging Face revisions.",
    ),
    "locker": ("--locker", CHOICE, ("uv", "pip-compile"), "What resolves the lock (default: uv)."),
    "hashes": ("--hashes", FLAG, None, "Lock with hashes of all packages."),
    "platform": ("--platform", CHOICE, ("linux/amd64", "linux/arm64"), "Lock for that machine."),
    "output": ("-o --output", CHOICE, ("json", "tag", "path"), "What to print on stdout."),
    "progress": ("--progress", CHOICE, _HOW, "How to show it."),
    "import_timeout": ("--import-timeout", SECONDS, "SECONDS", "For the service (300)."),
    "version": ("--version", ONE, "V", "The Bento's version instead of one made from its content."),
    "name": ("--name", ONE, "N", "The Bento's name."),
    "labels": ("--label", MANY, "K=V", "A label more."),
    "args": ("--arg", MANY, "K=V", "A template argument for bentoml.use_arguments."),
    "arg_file": ("--arg-file", ONE, "FILE", "The same, as YAML."),
    "strict": ("--strict", FLAG, None, "What would be a warning about the project is an error."),
    "verbose": ("-v --verbose", FLAG, None, "Also what happens inside."),
}

CONTAINERIZE: Table = {
    "tags": ("-t --image-tag --docker-image-tag", MANY, "NAME[:TAG]", "Name it so (many)."),
    "backend": ("--backend", ONE, "NAME", "docker (default), buildx, buildctl, podman, buildah, nerdctl …"),
    "enable_features": ("--enable-features", MANY, "NAME,…", "Of bentoml: {features}."),
    "opts": ("--opt", MANY, "NAME[=VALUE]", "An option of the engine (many)."),
    "run_as_root": ("--run-as-root", FLAG, None, "Start the engine by sudo."),
    "offline": ("--offline", FLAG, None, "Install without a network, from the wheel cache alone."),
    "wheel_cache": ("--wheel-cache/--no-wheel-cache", FLAG, None, "Fetch packages once for all images (default)."),
    "progress": ("--progress", CHOICE, _HOW, "How to show it."),
    "answer": ("-o", CHOICE, ("json", "tag", "id"), "What to print on stdout."),
    "directory": ("-C --directory", ONE, "DIR", "Work in this directory."),
    "jobs": ("-j --jobs", COUNT, "N", "Steps at once (default: the cores)."),
    "dry_run": ("-n --dry-run", FLAG, None, "Say what would run and why; run nothing."),
    "always_make": ("-B --always-make", FLAG, None, "Run every step, whatever is known."),
    "explain": ("--explain", FLAG, None, "Say for every step why it ran, or did not."),
    "quiet": ("-q --quiet", FLAG, None, "Print only errors and the answer of -o."),
    "verbose": ("-v --verbose", FLAG, None, "Also what happens inside."),
}

# The flags that bentoml had before --opt, by name.
OLDER: Table = {
    "add-host": ("--add-host", MANY, "HOST:IP", "A host and its address, for RUN."),
    "build-arg": ("--build-arg", MANY, "NAME[=VALUE]", "A build argument; without a value, the variable of that name."),
    "cache-from": ("--cache-from", MANY, "NAME|type=…", "Where layers may be found."),
    "iidfile": ("--iidfile", ONE, "FILE", "Write the image's id there."),
    "label": ("--label", MANY, "KEY=VALUE", "A label more."),
    "network": ("--network", ONE, "MODE", "The network of RUN."),
    "no-cache": ("--no-cache", FLAG, None, "Use no layer of an earlier build."),
    "output": ("--output", MANY, "type=…", "Put the image (or its files) somewhere else than into the engine's store."),
    "platform": ("--platform", MANY, "OS/ARCH", "For which machines."),
    "pull": ("--pull", FLAG, None, "Ask the registry for newer base images."),
    "secret": ("--secret", MANY, "id=…,src=FILE", "A secret for RUN --mount=type=secret; or id=…,env=NAME."),
    "ssh": ("--ssh", MANY, "default|ID[=…]", "An SSH agent or key for RUN --mount=type=ssh."),
    "target": ("--target", ONE, "STAGE", "Stop at that stage."),
    "allow": ("--allow", MANY, "ENTITLEMENT", "An entitlement (network.host)."),
    "attest": ("--attest", MANY, "type=…", "An attestation."),
    "build-context": ("--build-context", MANY, "NAME=PATH", "Another context."),
    "builder": ("--builder", ONE, "NAME", "Which builder of buildx."),
    "cache-to": ("--cache-to", MANY, "NAME|type=…", "Where layers are to be kept."),
    "load": ("--load", FLAG, None, "Load the image into the engine's store."),
    "push": ("--push", FLAG, None, "Push the image to its registry."),
    "provenance": ("--provenance", ONE, "mode=…", "A provenance attestation."),
    "cgroup-parent": ("--cgroup-parent", ONE, "CGROUP", "The parent of the control groups of RUN."),
    "ulimit": ("--ulimit", MANY, "TYPE=SOFT[:HARD]", "A limit for RUN."),
    "no-cache-filter": ("--no-cache-filter", MANY, "STAGE", "Use no earlier layer of that stage."),
    "metadata-file": ("--metadata-file", ONE, "FILE", "Write the engine's words on the image there."),
    "sbom": ("--sbom", ONE, "generator=…", "An attestation of what is inside."),
    "shm-size": ("--shm-size", ONE, "SIZE", "The size of /dev/shm for RUN."),
}


def default(name: str, kind: Kind) -> Any:
    """What a value is where its option is not given."""
    if kind == FLAG:
        return name == "wheel_cache"
    if kind in (MANY, MAYBE):
        return ()
    return {"progress": "auto", "import_timeout": 300.0}.get(name)
