"""The wheel cache: what a lock names as wheels for an image, each fetched once and kept under all that decides it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from ..engine.rule import Context
from ..engine.tree import EXECUTABLE, Entry
from ..errors import StepError
from . import artifacts, grpc_bounds, lockers, pins, secret_values
from .artifacts import Pin, Target
from .package_source import Options, variables

AT_ONCE = 24  # packages that one pip fetches: what it has fetched is kept even if the next ones fail


class WheelCache:
    """The wheels for one target, from one place where packages come from."""

    def __init__(self, ctx: Context, target: Target, options: Options, env: Mapping[str, str]):
        self._ctx, self._target, self._options, self._env = ctx, target, options, env
        self._secrets: dict[str, str] | None = None
        # Another index may have another package of that name: what it gave is not what this one would give.
        mirrors = [] if options.index_url else [ctx.discover("env", name).digest for name in lockers.MIRRORS]
        self._source = [options.lines(), mirrors]
        self.wheels: dict[Pin, tuple[str, Entry]] = {}

    def fill(self, wanted: Sequence[Pin]) -> list[Pin]:
        """Have these wheels, and give those that are not to be had."""
        unknown = [pin for pin in wanted if not self._known(pin)]
        if not unknown or self._ctx.param("image.offline"):
            return unknown
        missing: list[Pin] = []
        for begin in range(0, len(unknown), AT_ONCE):
            self._ctx.progress(begin, len(unknown), "packages fetched")
            now = unknown[begin : begin + AT_ONCE]
            fetched = self._fetch(now, self._target)
            for pin, path in fetched.wheels.items():
                self._keep(pin, os.path.basename(path), self._ctx.put_file(path))
            if fetched.failure is not None:
                self._ctx.warn(
                    f"{len(unknown) - begin} packages could not be fetched; the build of the image fetches them by "
                    f"itself. pip said: {_last(fetched.failure)}",
                    hint="Is the package index reachable from here?",
                )
                self._ctx.forget("the package index was not reached")
                return [*missing, *unknown[begin:]]
            for pin in fetched.without:
                self._ctx.log(f"{pin.text.split()[0]} has no wheel for {self._shown}: the image builds it by itself.")
            missing += fetched.without
        self._ctx.log(f"fetched {len(unknown) - len(missing)} of {len(wanted)} packages, the others were here")
        return missing

    def _fetch(self, wanted: Sequence[Pin], target: Target) -> artifacts.Fetched:
        return artifacts.fetch(self._ctx, wanted, target, self._options, self._environment, self._given)

    def installer(self) -> Entry | None:
        """uv for the image: this machine's own where it runs there, else the index's."""
        import platform
        import sys

        tool = self._ctx.tool("uv")
        if sys.platform == "linux" and platform.machine() == self._target.arch and self._target.libc != "musl":
            return self._ctx.put_file(tool.argv[0], EXECUTABLE)
        everywhere = Target(self._target.python, self._target.arch, "musl")  # that wheel's uv needs no C library
        key = ["program", "uv", tool.version, self._target.arch, self._source]
        kept = self._ctx.part(key)
        if kept is not None:
            return kept["uv"]
        pin = Pin("uv", tool.version, f"uv=={tool.version}")
        fetched = None if self._ctx.param("image.offline") else self._fetch([pin], everywhere)
        if fetched is None or pin not in fetched.wheels:
            self._ctx.log("There is no uv for the image: pip installs the wheels.")
            return None
        path = os.path.join(self._ctx.workdir, "uv")
        artifacts.extract(fetched.wheels[pin], "uv", path)
        entry = self._ctx.put_file(path, EXECUTABLE)
        self._ctx.keep_part(key, {"uv": entry})
        return entry

    def of_features(self, features: Sequence[str], bentoml: str, locked: Sequence[Pin]) -> list[Pin]:
        """What bentoml's extras add to the lock, resolved with the lock as it is."""
        ctx, offline = self._ctx, self._ctx.param("image.offline")
        known = {pin.name: pin.version for pin in locked}
        version = known.get("bentoml", bentoml)
        serves = not grpc_bounds.EXTRAS.isdisjoint(features) and grpc_bounds.concern(version)
        broken = grpc_bounds.broken(known) if serves else None
        if broken is not None:
            ctx.warn(broken, hint="Loosen what asks for these versions in the Bento, and build it anew.")
        asked = f"bentoml[{','.join(features)}]=={version}"
        with open(os.path.join(ctx.workdir, lockers.IN), "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in [*self._options.lines(), asked])
        with open(os.path.join(ctx.workdir, lockers.CONSTRAINTS), "w", encoding="utf-8") as file:
            file.writelines(f"{pin.name}=={pin.version}\n" for pin in locked)
            file.writelines(f"{line}\n" for line in (grpc_bounds.beside(known) if serves else []))
        given = pins.Requirements(options=self._options)
        env, secrets = self._environment, self._given
        python, arch, libc = self._target.python, self._target.arch, self._target.libc.partition("-")[0]
        libc = "musl" if libc == "musl" else "gnu"
        task = lockers.Task(given, python, arch, "runner", env=env, secrets=secrets, libc=libc)
        argv = [lockers.IN, "--output-file", lockers.OUT, "--constraint", lockers.CONSTRAINTS]
        done = lockers.run_uv(ctx, task, [*argv, *(["--offline"] if offline else [])])
        if done.returncode != 0:
            if offline:
                raise not_here([asked])
            ctx.log(f"{asked} cannot be locked here: the image resolves it by itself.")
            return []
        with open(os.path.join(ctx.workdir, lockers.OUT), encoding="utf-8") as file:
            data = file.read().encode()
        found = pins.read([(lockers.OUT, None)], reader=lambda path: data, locked=True)
        return [pin for pin in artifacts.pinned(found.lines, self._target)[0] if pin.name not in known]

    @property
    def _shown(self) -> str:
        return f"Python {self._target.python} on Linux {self._target.arch} with {self._target.libc}"

    @property
    def _given(self) -> dict[str, str]:
        """The variables that URLs name, with their values; asked for only when something has to be fetched."""
        if self._secrets is None:
            self._secrets = secret_values.values(self._ctx, variables(self._options.lines()))
        return self._secrets

    @property
    def _environment(self) -> dict[str, str]:
        return {**self._env, **self._given}

    def _key(self, pin: Pin) -> list[object]:
        target = [self._target.python, self._target.arch, self._target.libc]
        return ["wheel", pin.name, pin.version, list(pin.hashes), target, self._source]

    def _known(self, pin: Pin) -> bool:
        kept = self._ctx.part(self._key(pin))
        for name, entry in (kept or {}).items():
            if artifacts.serves(name, pin):
                self.wheels[pin] = name, entry
        return pin in self.wheels

    def _keep(self, pin: Pin, name: str, entry: Entry) -> None:
        self.wheels[pin] = name, entry
        self._ctx.keep_part(self._key(pin), {name: entry})


def not_here(names: Sequence[str]) -> StepError:
    """What --offline cannot do without."""
    return StepError(
        f"--offline, and the cache does not have {len(names)} of the image's packages: {', '.join(names)}.",
        hint="Build the image once without --offline; a package that has no wheel can only be fetched by the image.",
    )


def _last(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "nothing")
