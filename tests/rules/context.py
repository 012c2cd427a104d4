"""A stand-in for the engine's Context: values come from dicts, processes and tools are real."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bentomake.bento.context_file import leads_out
from bentomake.engine import digest, process, tree
from bentomake.engine.fact import ABSENT, Fact
from bentomake.engine.rule import Produced, Rule, Tool, check_outputs
from bentomake.errors import RuleError


class DictFiles:
    """Files in memory, as an input's outputs."""

    def __init__(self, files: Mapping[str, Produced]):
        self.bytes = {path: _bytes(value) for path, value in files.items()}
        self.tree = {path: tree.Entry(digest.of_bytes(data), tree.FILE) for path, data in self.bytes.items()}

    def read(self, path: str) -> bytes:
        return self.bytes[path]

    def text(self, path: str) -> str:
        return self.bytes[path].decode("utf-8")

    def __contains__(self, path: object) -> bool:
        return path in self.bytes


class FakeContext:
    """What a recipe asks for, from dicts; it also keeps what the recipe did, for a test to look at.

    `project` is the build context on disk (facts `file` of `ctx/…` and the host's `read`), `installed` the
    distributions of the service's interpreter, `facts` any other fact by (kind, name).
    """

    def __init__(
        self,
        rule: Rule,
        workdir: Path,
        *,
        params: Mapping[str, Any] | None = None,
        places: Mapping[str, str] | None = None,
        oracles: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Mapping[str, Produced]] | None = None,
        facts: Mapping[tuple[str, str], Fact] | None = None,
        project: Path | None = None,
        installed: Mapping[str, str] | None = None,
        python: str = sys.executable,
        hosts: Mapping[str, Any] | None = None,
    ):
        workdir.mkdir(parents=True, exist_ok=True)
        self.workdir = str(workdir)
        self.rule = rule
        self.params, self.places, self.oracles = params or {}, places or {}, oracles or {}
        self.inputs = {name: DictFiles(files) for name, files in (inputs or {}).items()}
        self.facts, self.project, self.installed = facts or {}, project, installed or {}
        own = {"python": python, "installed": lambda: dict(self.installed), "read": self._read, "names": self._names}
        own["leads_out"] = partial(leads_out, str(project))
        self.commits: dict[str, str] = {}  # of git branches, as a project keeps them
        git = {"git_commit": self.commits.get, "keep_git_commit": self.commits.__setitem__}
        self.hosts = {**own, **git, **(hosts or {})}
        self.discovered: dict[tuple[str, str], str] = {}
        self.warnings: list[tuple[str, str | None, str | None]] = []
        self.logged: list[str] = []
        self.ran: list[tuple[list[str], dict[str, str]]] = []
        self.forgotten: str | None = None

    def _declared(self, what: str, name: str, names: tuple[str, ...]) -> None:
        if name not in names:
            raise RuleError(f"{self.rule.name} does not declare the {what} {name}.")

    def param(self, name: str) -> Any:
        self._declared("param", name, self.rule.params)
        return self.params.get(name)

    def place(self, name: str) -> str | None:
        return self.places.get(name)

    def input(self, rule: str) -> DictFiles:
        self._declared("input", rule, self.rule.inputs)
        return self.inputs.get(rule) or DictFiles({})  # most made nothing

    def source(self, name: str) -> DictFiles:
        self._declared("source", name, self.rule.sources)
        return self.inputs[name]

    def oracle(self, name: str) -> Any:
        self._declared("oracle", name, self.rule.oracles)
        return self.oracles[name]

    def tool(self, name: str) -> Tool:
        self._declared("tool", name, self.rule.tools)
        if name == "uv":
            import uv

            return Tool("uv", (uv.find_uv_bin(),), "test")
        return Tool(name, (sys.executable, "-m", "piptools", "compile"), "test")

    def template(self, name: str) -> str:
        self._declared("template", name, self.rule.templates)
        return (Path(self.rule.file).parent / name).read_text(encoding="utf-8")

    def discover(self, kind: str, name: str) -> Fact:
        fact = self._fact(kind, name)
        self.discovered[kind, name] = fact.digest
        return fact

    def _fact(self, kind: str, name: str) -> Fact:
        if (kind, name) in self.facts:
            return self.facts[kind, name]
        if kind == "file":
            path = self._path(name)
            return Fact(str(digest.of_bytes(path.read_bytes())), value=str(path)) if path.is_file() else ABSENT
        if kind == "listing":
            path = self._path(f"{name}/")
            return Fact(digest.of_value(self._names(name))) if path.is_dir() else ABSENT
        if kind == "env":
            value = os.environ.get(name)
            return ABSENT if value is None else Fact(digest.of_value(value), None, value)
        if kind == "git" and name in self.commits:
            return Fact(self.commits[name])
        if kind == "installed":
            version = self.installed.get(name)
            return ABSENT if version is None else Fact(version, version, version)
        return ABSENT

    def _path(self, name: str) -> Path:
        assert self.project is not None and name.startswith("ctx/"), name
        return self.project / name[len("ctx/") :]

    def _read(self, name: str) -> bytes:
        return self._path(name).read_bytes()

    def _names(self, name: str) -> list[str]:
        return sorted(os.listdir(self._path(f"{name}/")))

    def run(
        self,
        argv: list[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
        stdin: str | None = None,
        hide: Callable[[str], str] | None = None,
    ) -> process.Completed:
        self.ran.append((list(argv), dict(env or {})))
        done = process.run(argv, env=env, cwd=cwd or self.workdir, timeout=timeout, stdin=stdin)
        if hide is not None:
            done = done._replace(stdout=hide(done.stdout), stderr=hide(done.stderr))
        self.logged += [text for text in (done.stdout, done.stderr) if text]
        return done

    def host(self, name: str) -> Any:
        return self.hosts[name]

    def put_file(self, path: str, mode: int = tree.FILE) -> tree.Entry:
        return tree.Entry(digest.of_bytes(Path(path).read_bytes()), mode)

    def log(self, text: str) -> None:
        self.logged.append(text)

    def warn(self, message: str, *, place: str | None = None, hint: str | None = None) -> None:
        self.warnings.append((message, place, hint))

    def progress(self, done: int, total: int, unit: str) -> None:
        pass

    def forget(self, why: str) -> None:
        self.forgotten = why


def follow(rule: Rule, ctx: FakeContext) -> dict[str, str]:
    """Run a recipe and give its outputs as text; its declaration is held against them."""
    made = rule.recipe(ctx)
    files = DictFiles({path: value for path, value in made.items() if not isinstance(value, tree.Entry)})
    check_outputs(rule, files.tree)
    return {path: data.decode("utf-8") for path, data in files.bytes.items()}


def with_git(workdir: Path, made: Mapping[str, Produced], **given: Any) -> dict[str, Mapping[str, Produced]]:
    """The inputs of the lock: what the requirements rule made, and what the rules for git repositories make of it."""
    from bentomake.rules.commits import commits
    from bentomake.rules.sdists import sdists

    inputs = {"requirements": made}
    for rule in (commits, sdists):
        ctx = FakeContext(rule, workdir / rule.name, inputs=inputs, **given)
        inputs[rule.name] = rule.recipe(ctx)
        shutil.rmtree(ctx.workdir)
    return inputs


def _bytes(value: Produced) -> bytes:
    assert not isinstance(value, tree.Entry)
    return value.encode("utf-8") if isinstance(value, str) else value


def a_venv(directory: Path, *packages: str, python: str = sys.executable) -> str:
    """A new virtual environment with packages from the index, made by uv; its interpreter."""
    import uv

    env = {name: value for name, value in os.environ.items() if not re.match("UV_|PIP_", name)}
    env |= {name: os.environ[name] for name in ("UV_CACHE_DIR",) if name in os.environ}
    shutil.rmtree(directory, ignore_errors=True)
    base = [uv.find_uv_bin(), "--quiet", "--no-config"]
    subprocess.run([*base, "venv", "--python", python, str(directory)], env=env, check=True)
    interpreter = str(directory / "bin" / "python")
    if packages:
        subprocess.run([*base, "pip", "install", "--python", interpreter, *packages], env=env, check=True)
    return interpreter


def installed_in(python: str) -> dict[str, str]:
    """Canonical name → version of all distributions that an interpreter has."""
    code = "import importlib.metadata as m; print(*(f\"{d.metadata['Name']}=={d.version}\" for d in m.distributions()))"
    out = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    pairs = (word.split("==") for word in out.split())
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pairs}
