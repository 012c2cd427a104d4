"""The base image python:3.11-slim: pulled where a registry has it, else put together from this machine's own files.

The second is a small Debian with apt, and a CPython 3.11: one with a prefix of its own is copied to /usr/local, as the
official image has it; Debian's comes with its packages, and pip may install beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from pathlib import Path

import packages
from machine import Missing, State, call, succeeds

NAME = "python:3.11-slim"
_VERSION = "3.11"
_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_LIBRARIES = ["apt", "bash", "ca-certificates", "debian-archive-keyring", "gpgv", "netbase", "tzdata"]
_LIBRARIES += ["libbz2-1.0", "libexpat1", "libffi8", "libgdbm6", "liblzma5", "libncursesw6", "libreadline8"]
_LIBRARIES += ["libsqlite3-0", "libssl3", "libuuid1", "zlib1g"]  # what a CPython may be linked with
_DIRECTORIES = ["dev", "proc", "sys", "run", "tmp", "root", "home", "mnt", "opt", "srv", "var/tmp", "var/log/apt"]
_DIRECTORIES += ["var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "usr/local/bin", "usr/local/lib"]
_DIRECTORIES += [f"etc/apt/{name}.d" for name in ("apt.conf", "preferences", "sources.list", "trusted.gpg")]
_DIRECTORIES += ["etc/ssl/certs", "etc/ld.so.conf.d", "usr/local/sbin"]
_DEBIANS_PYTHON = ["python3", "python3.11", "python3.11-venv", "python3-pip"]
_LEFT_OUT = re.compile(r"/usr/share/(man|doc|locale|info|lintian|bug)(/|$)")
_QUERY = "${Package}\t${binary:Package}\t${Essential}\t${Priority}\t${db:Status-Status}\t"
_QUERY += "${Pre-Depends}, ${Depends}\t${Provides}\n"
_ASK = "import sys; print('%d.%d' % sys.version_info[:2], sys.base_prefix)"
_DPKG = Path("/var/lib/dpkg")


class Base:
    """The image as an archive that each engine can load: made when the first asks for it."""

    def __init__(self, state: State, python: str | None, step: Callable[[str], None], first: State | None = None):
        self.state, self.python, self.step = first or state, python, step
        self._registry: bool | None = None

    def pulled(self, *words: str, env: Mapping[str, str]) -> bool:
        """Whether that command pulls an image; it is not even tried where the registry cannot be reached."""
        if self._registry is None:
            try:
                socket.create_connection(("registry-1.docker.io", 443), timeout=3).close()
                self._registry = True
            except OSError:
                self._registry = bool(os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy"))
        return self._registry and succeeds(*words, env=env, timeout=120)

    def archive(self) -> Path:
        """A file as `docker save` writes it, made from what is installed here."""
        path = self.state.work / "base.tar"
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=self.state.work, prefix="base-") as directory:
                root = Path(directory) / "root"
                python = _python(self.python)
                if python == Path("/usr"):
                    self._debians_python()
                _debian(root, _DEBIANS_PYTHON if python == Path("/usr") else [])
                _unlock(root) if python == Path("/usr") else _copy_python(root, python)
                _write_archive(root, Path(directory), path)
            self.step(f"base image, with the CPython of {python}")
        return path

    def _debians_python(self) -> None:
        lacking = [name for name in _DEBIANS_PYTHON if not succeeds("dpkg", "-s", name)]
        if lacking:
            self.step(f"packages: {', '.join(lacking)}")
            packages.apt_get(lacking, self.state)


def _python(named: str | None) -> Path:
    """The prefix of the best CPython 3.11 here: not Debian's own, if there is another."""
    if not shutil.which("dpkg-query"):
        raise Missing(f"{NAME} cannot be pulled, and without dpkg it cannot be put together from this system's files")
    path = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/local/bin", "/usr/bin"]
    pythons = [named] if named else [sys.executable, *(f"{place}/python{_VERSION}" for place in path)]
    prefixes = []
    for python in pythons:
        try:
            version, prefix = call(python, "-c", _ASK).split(maxsplit=1)
        except (Missing, OSError):  # a shim of a version manager, for a version that is not chosen
            continue
        if version == _VERSION:
            prefixes.append(Path(prefix.strip()))
    if not prefixes:
        raise Missing(
            f"{NAME} cannot be pulled, and there is no Python {_VERSION} here to put one together: "
            f"name one with --python"
        )
    return next((prefix for prefix in prefixes if prefix != Path("/usr")), prefixes[0])


def _closure(wanted: Iterable[str]) -> list[str]:
    """The installed packages that are required or wanted, with all that they depend on."""
    depends: dict[str, tuple[str, str]] = {}
    provider: dict[str, str] = {}
    todo = list(wanted)
    native = call("dpkg", "--print-architecture").strip()
    for line in call("dpkg-query", "-W", "-f", _QUERY).splitlines():
        name, full, essential, priority, status, needs, provides = line.split("\t")
        if status != "installed" or full.partition(":")[2] not in ("", native):
            continue
        depends[name] = (full, needs)
        for word in provides.split(","):
            provider.setdefault(word.strip().partition(" ")[0], name)
        if essential == "yes" or priority == "required":
            todo.append(name)
    found: dict[str, str] = {}
    while todo:
        name = todo.pop()
        if name in found or name not in depends:
            continue
        found[name], needs = depends[name]
        for alternatives in needs.split(","):
            names = [re.split(r"[\s:(]", one.strip())[0] for one in alternatives.split("|")]
            here = [one if one in depends else provider.get(one, "") for one in names]
            todo += [one for one in here if one][:1]
    return sorted(found.values())


def _debian(root: Path, more: list[str]) -> None:
    """The files of a small Debian, and what its maintainer scripts would have made."""
    chosen = _closure([*_LIBRARIES, *more])
    files = set()
    for line in call("dpkg", "-L", *chosen).splitlines():
        if line.startswith("/") and line != "/." and not _LEFT_OUT.match(line):
            parent, name = os.path.split(line)
            files.add(os.path.join(os.path.realpath(parent), name).lstrip("/"))  # /lib is a link to usr/lib
    for name in ("awk", "nawk", "which", "pager", "rmt", "sh"):  # links of update-alternatives and of diversions
        for place in ("/usr/bin", "/usr/sbin", "/etc/alternatives"):
            if os.path.islink(f"{place}/{name}"):
                files.add(f"{place}/{name}".lstrip("/"))
    (root / "usr").mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        if os.path.islink(f"/{name}"):
            files.discard(name)
            (root / "usr" / name).mkdir()
            (root / name).symlink_to(f"usr/{name}")
    _copy_files(Path("/"), root, sorted(files), "--no-recursion")
    _dpkg_database(root, chosen)
    for name in _DIRECTORIES:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, mode in (("tmp", 0o1777), ("var/tmp", 0o1777), ("root", 0o700)):
        (root / name).chmod(mode)
    _users(root)
    for file in [
        *map(Path, ("/etc/debian_version", "/etc/os-release", "/etc/nsswitch.conf", "/etc/ld.so.conf")),
        *map(Path, ("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/openssl.cnf")),
        *(path for path in Path("/etc/ld.so.conf.d").glob("*") if re.match(r"libc|\w+-linux-gnu", path.name)),
        *(path for path in packages.SOURCES if path.exists()),
        *Path("/etc/apt/apt.conf.d").glob("*"),  # how this machine reaches its mirror
    ]:
        if file.exists():
            shutil.copy2(file, root / file.relative_to("/"))
    (root / "etc/dpkg/dpkg.cfg.d").mkdir(parents=True, exist_ok=True)
    (root / "etc/dpkg/dpkg.cfg.d/docker-apt-speedup").write_text("force-unsafe-io\n")  # as Debian's own images have it
    (root / "etc/pip.conf").write_text("[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")


def _copy_files(source: Path, target: Path, names: Iterable[str], *options: str) -> None:
    """Files, links and directories as such, with owners, modes and times; names that are not there are left out."""
    there = b"".join(os.fsencode(name) + b"\0" for name in names if os.path.lexists(source / name))
    read = ["tar", "-C", str(source), "-cf", "-", *options, "--null", "-T", "-"]
    write = ["tar", "-C", str(target), "-xpf", "-"]
    with (
        subprocess.Popen(write, stdin=subprocess.PIPE) as writer,
        subprocess.Popen(read, stdin=subprocess.PIPE, stdout=writer.stdin) as reader,
    ):
        assert reader.stdin and writer.stdin
        writer.stdin.close()
        reader.stdin.write(there)
        reader.stdin.close()
    if reader.returncode > 1 or writer.returncode:  # 1: a file changed while it was read
        raise Missing(f"tar could not copy files of {source} to {target}")


def _dpkg_database(root: Path, chosen: list[str]) -> None:
    """Of these packages only, so that apt-get works in the image."""
    place = root / "var/lib/dpkg"
    for name in ("info", "updates", "triggers", "alternatives", "parts"):
        (place / name).mkdir(parents=True, exist_ok=True)
    names = {name.partition(":")[0] for name in chosen}
    native = call("dpkg", "--print-architecture").strip()
    records = []
    for record in (_DPKG / "status").read_text().split("\n\n"):
        name = record.partition("\n")[0].removeprefix("Package: ")
        foreign = re.search(rf"^Architecture: (?!all$|{native}$)", record, re.MULTILINE)
        if name in names and not foreign and "\nStatus: install ok installed" in record:
            records.append(record.strip("\n") + "\n\n")
    (place / "status").write_text("".join(records))
    for file in (_DPKG / "info").iterdir():
        if file.name.rpartition(".")[0] in {*chosen, *names}:
            shutil.copy2(file, place / "info")
    (place / "info/format").write_text("1\n")
    for name in ("available", "diversions", "statoverride", "triggers/File", "triggers/Unincorp"):
        (place / name).touch()


def _users(root: Path) -> None:
    for name, mode in (("passwd", 0o644), ("group", 0o644), ("shadow", 0o640), ("gshadow", 0o640)):
        source = Path(f"/usr/share/base-passwd/{name}.master")
        text = source.read_text() if source.exists() else ""
        if name == "passwd":
            shadow = "".join(f"{line.partition(':')[0]}:*:19000:0:99999:7:::\n" for line in text.splitlines())
            (root / "etc/shadow").write_text(shadow)
            text = re.sub(r"^([^:]*):\*:", r"\1:x:", text, flags=re.MULTILINE)
        if name != "shadow":
            (root / "etc" / name).write_text(text)
        (root / "etc" / name).chmod(mode)


def _copy_python(root: Path, prefix: Path) -> None:
    """A CPython with a prefix of its own to /usr/local: its library without tests, and pip and setuptools."""
    library = f"lib/python{_VERSION}"
    skipped = ["__pycache__", "_tkinter*.so", *(f"{library}/{name}" for name in ("test", "site-packages", "idlelib"))]
    skipped += [f"{library}/{name}" for name in ("tkinter", "lib2to3/tests", "config-*")]
    shared = [f"lib/{path.name}" for path in prefix.glob("lib/libpython*.so*")]
    names = [library, *shared, f"include/python{_VERSION}", f"bin/python{_VERSION}"]
    _copy_files(prefix, root / "usr/local", names, *(f"--exclude={name}" for name in skipped))
    (root / "usr/local" / library / "site-packages").mkdir()
    binaries = [f"usr/local/bin/python{_VERSION}", *(f"usr/local/{name}" for name in shared)]
    succeeds("strip", "--strip-unneeded", *(root / name for name in binaries))  # 30 MB less where binutils is here
    for link, target in (("python3", f"python{_VERSION}"), ("python", "python3")):
        (root / "usr/local/bin" / link).symlink_to(target)
    call("chroot", root, "/sbin/ldconfig")
    # PYTHONPATH, PIP_*: a developer's settings must not reach into the image
    call("chroot", root, "/usr/bin/env", "-i", f"PATH={_PATH}", "python3", "-m", "ensurepip", "--default-pip")


def _unlock(root: Path) -> None:
    """Debian's Python, as an image's own: `python` is it, and pip may install to /usr/local."""
    (root / f"usr/lib/python{_VERSION}/EXTERNALLY-MANAGED").unlink(missing_ok=True)
    (root / "usr/local/bin/python").symlink_to(f"/usr/bin/python{_VERSION}")
    call("chroot", root, "/sbin/ldconfig")


def _write_archive(root: Path, scratch: Path, path: Path) -> None:
    layer = scratch / "layer.tar"
    call("tar", "-C", root, "--numeric-owner", "--sort=name", "-cf", layer, ".")
    digest = hashlib.sha256()
    with layer.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    machine = platform.machine()
    config = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine),
        "os": "linux",
        "config": {"Env": [f"PATH={_PATH}", "LANG=C.UTF-8"], "Cmd": ["python3"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest.hexdigest()}"]},
        "history": [{"created_by": "tests/engines/base_image.py"}],
    }
    manifest = [{"Config": "config.json", "RepoTags": [NAME], "Layers": ["layer.tar"]}]
    part = scratch / "base.tar"
    with tarfile.open(part, "w") as archive:
        for name, content in (("config.json", config), ("manifest.json", manifest)):
            data = json.dumps(content).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, BytesIO(data))
        archive.add(layer, "layer.tar")
    part.rename(path)
