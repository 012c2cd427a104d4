"""Runs in an image: puts bytecode beside what was installed, each package compiled once for all images of an engine.

Wants nothing but the image's own Python (3.8 or later). What is compiled is kept in the directory that is given, under
the digest of the package's RECORD, which has those of its files. Without that directory, all is compiled.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import marshal
import os
import struct
import sys
import sysconfig
import time
import warnings
from concurrent.futures import ProcessPoolExecutor

_UNUSED = 60 * 86400  # seconds after which compiled code is dropped
_FEW = 3  # packages that are compiled faster than processes start


def main(cache: str) -> None:
    warnings.simplefilter("ignore")
    todo = [(site, name) for site in _sites() for name in os.listdir(site) if name.endswith(".dist-info")]
    sources = {package: _sources(*package) for package in todo}
    todo = [package for package in todo if any(not os.path.exists(_beside(path)) for path in sources[package])]
    left = []
    for package in todo:
        kept = _read(_key(cache, *package))
        if kept is None:
            left.append(package)
        else:
            _put(kept)
    jobs = [(sources[package], _key(cache, *package)) for package in left]
    if len(jobs) > _FEW and (os.cpu_count() or 1) > 1:
        try:
            with ProcessPoolExecutor() as pool:
                list(pool.map(_compile, jobs))
            jobs = []
        except (OSError, ImportError, NotImplementedError):
            # A sandbox without semaphores or /dev/shm: which of these it is depends on what is missing. What remains is
            # done below, one after the other; an error that is another's (a full disk) comes again there, and is told.
            pass
    for job in jobs:
        _compile(job)
    _drop(cache)


def _sites() -> list[str]:
    paths = sysconfig.get_paths()
    return [path for path in dict.fromkeys([paths["purelib"], paths["platlib"]]) if os.path.isdir(path)]


def _sources(site: str, name: str) -> list[str]:
    try:
        with open(os.path.join(site, name, "RECORD"), encoding="utf-8") as record:
            named = [line.split(",", 1)[0].strip('"') for line in record]
    except (OSError, UnicodeDecodeError):
        return []
    paths = [os.path.join(site, path) for path in named if path.endswith(".py") and not path.startswith(("..", "/"))]
    return [path for path in paths if os.path.isfile(path)]


def _beside(source: str) -> str:
    return importlib.util.cache_from_source(source)


def _key(cache: str, site: str, name: str) -> str:
    with open(os.path.join(site, name, "RECORD"), "rb") as record:
        what = hashlib.sha256(importlib.util.MAGIC_NUMBER + site.encode() + b"\0" + record.read())
    return os.path.join(cache, what.hexdigest() + ".bytecode")


def _read(path: str) -> dict[str, bytes] | None:
    try:
        with open(path, "rb") as file:
            head, _, codes = file.read().partition(b"\n")
        os.utime(path)
        found: dict[str, bytes] = {}
        begin = 0
        for source, size in json.loads(head):
            found[source] = codes[begin : begin + size]
            begin += size
    except (OSError, ValueError, TypeError):
        return None
    return found if begin == len(codes) else None


def _put(kept: dict[str, bytes]) -> None:
    for source, code in kept.items():
        path = _beside(source)
        try:
            st = os.stat(source)
            stamp = struct.pack("<LL", int(st.st_mtime) & 0xFFFFFFFF, st.st_size & 0xFFFFFFFF)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:  # the form of PEP 552, valid as long as the source is not written to
                file.write(importlib.util.MAGIC_NUMBER + b"\0\0\0\0" + stamp + code)
        except OSError:
            continue


def _compile(job: tuple[list[str], str]) -> None:
    sources, path = job
    made: dict[str, bytes] = {}  # source → its code, marshalled
    for source in sources:
        try:
            with open(source, "rb") as file:
                made[source] = marshal.dumps(compile(file.read(), source, "exec", dont_inherit=True))
        except (OSError, SyntaxError, ValueError, RecursionError):
            continue  # a template, or for another Python: pip leaves it too
    _put(made)
    temporary = f"{path}.{os.getpid()}"
    try:
        with open(temporary, "wb") as file:
            file.write(json.dumps([(source, len(code)) for source, code in made.items()]).encode() + b"\n")
            file.writelines(made.values())
        os.replace(temporary, path)
    except OSError:
        pass  # no cache here


def _drop(cache: str) -> None:
    try:
        names = os.listdir(cache)
    except OSError:
        return
    for name in names:
        path = os.path.join(cache, name)
        try:
            if os.stat(path).st_mtime < time.time() - _UNUSED:
                os.unlink(path)
        except OSError:
            continue


if __name__ == "__main__":
    main(sys.argv[1])
