"""The walk over a context: it decides each file and directory, and leaves links to `links.place`."""

from __future__ import annotations

import errno
import os
import stat as modes
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..engine.tree import EXECUTABLE, FILE, LINK
from ..errors import BentomakeError, StepError, UsageError
from . import ignore
from .memo import ENTERED, PACKED, PRUNED, SKIPPED, WHOLE, Memo, Names, Rules, fingerprint
from .patterns import PatternList, leave_out

_NEVER_FILES = frozenset({".git", ".DS_Store"})
_NEVER_DIRECTORIES = frozenset({".git", ".venv", "venv", "__pycache__", ".DS_Store"})
_VIRTUALENV = "pyvenv.cfg"


class Packed(NamedTuple):
    """One file of the Bento's sources.

    `path` is relative to the context; `source` is where the bytes are read, seen through links (so that `os.stat` of it
    notices a link that was pointed elsewhere); `stat` is `os.stat(source)`, for a LINK `os.lstat(source)`.
    """

    path: str
    source: str
    mode: int
    link: str | None
    stat: os.stat_result


class Seen(NamedTuple):
    """A directory, or a .bentoignore, that decided something: absolute, and its stat from before it was read."""

    path: str
    stat: os.stat_result


class FoundLink(NamedTuple):
    """A symbolic link that the patterns let through."""

    path: str
    source: str
    text: str
    own: os.stat_result
    stat: os.stat_result  # of what it leads to
    rules: Rules
    whole: bool  # of a link to a directory: the patterns pack it as such, not only some of the files that it shows


class _Here(NamedTuple):
    """The directory that is being listed."""

    prefix: str  # its path with a slash at the end, or empty
    source: str  # the same, absolute
    rules: Rules
    known: Names  # the decisions of the last time
    names: Names  # those of this time


class Walk:
    """One walk over a context: it decides files and directories, and leaves links to `links.place`."""

    def __init__(
        self, context: str, include: Sequence[str], exclude: Sequence[str], never: Sequence[str], memo: Memo | None
    ):
        self.context = context
        self.include = PatternList("include", include)
        self.exclude = PatternList("exclude", exclude)
        self.memo = Memo(fingerprint(include, exclude), {}, {})
        self.known = memo if memo is not None and memo.key == self.memo.key else self.memo
        self.files: list[Packed] = []
        self.directories: list[Seen] = []
        self.ignore_files: list[Seen] = []
        self.file_links: list[FoundLink] = []
        self.directory_links: list[FoundLink] = []
        self.leaving: dict[str, str] = {}  # link whose content is packed from outside → where that lies
        self.errors: dict[str, BentomakeError] = {}
        self._never = set(_identities(never))
        self._root = context.rstrip("/")

    def begin(self) -> None:
        try:
            stat = os.stat(self.context)
        except OSError as error:
            raise UsageError(f"The context {self.context} cannot be read: {error.strerror}.") from None
        if not modes.S_ISDIR(stat.st_mode):
            raise UsageError(f"The context {self.context} is not a directory.")
        self.directory("", stat, Rules())

    def directory(self, prefix: str, stat: os.stat_result, rules: Rules) -> None:
        """Walk a directory and all below it; `prefix` is its path with a slash at the end, or empty."""
        waiting = [(prefix, stat, rules)]
        while waiting:
            waiting.extend(self._list(*waiting.pop()))

    def _list(self, prefix: str, stat: os.stat_result, rules: Rules) -> Iterator[tuple[str, os.stat_result, Rules]]:
        """Decide the entries of one directory; gives the directories to go on with."""
        source = f"{self._root}/{prefix}"
        self.directories.append(Seen(source[:-1] or "/", stat))
        try:
            # Names relative to the open directory are short ways for the kernel; an entry's stat needs it open.
            directory = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            return  # removed meanwhile: its parent's stat was taken before and says so
        except OSError as error:
            self._unreadable(prefix, error)
            return
        try:
            with os.scandir(directory) as listing:
                entries = {entry.name: entry for entry in listing}
            yield from self._decide(prefix, source, rules, entries)
        except OSError as error:
            self._unreadable(prefix, error)
        finally:
            os.close(directory)

    def _decide(
        self, prefix: str, source: str, rules: Rules, entries: dict[str, os.DirEntry[str]]
    ) -> Iterator[tuple[str, os.stat_result, Rules]]:
        if prefix and _VIRTUALENV in entries:
            return
        if ignore.NAME in entries and entries[ignore.NAME].is_file():
            rules = self._read_rules(prefix, rules)
        here = _Here(prefix, source, rules, self.known.names(prefix, rules), self.memo.open(prefix, rules))
        known, names, append, new = here.known, here.names, self.files.append, tuple.__new__
        for name, entry in entries.items():
            try:
                if entry.is_file(follow_symlinks=False):
                    if name in _NEVER_FILES:
                        continue
                    packed = known.get(name)  # `_packs`, spelled out where it is called ten thousand times
                    if packed is None:
                        packed = self._file(prefix + name, rules)
                    names[name] = packed
                    if packed:
                        stat = entry.stat(follow_symlinks=False)
                        mode = EXECUTABLE if stat.st_mode & 0o100 else FILE
                        append(new(Packed, (prefix + name, source + name, mode, None, stat)))
                elif entry.is_dir(follow_symlinks=False):
                    if name not in _NEVER_DIRECTORIES and self._enters(here, name):
                        stat = entry.stat(follow_symlinks=False)
                        if (stat.st_dev, stat.st_ino) not in self._never:
                            yield f"{prefix}{name}/", stat, rules
                elif entry.is_symlink():
                    self._link(here, name, entry.stat(follow_symlinks=False))
                elif name not in _NEVER_FILES and self._packs(here, name):
                    self._refuse_special(prefix + name)
            except FileNotFoundError:
                names.pop(name, None)  # removed meanwhile

    def _link(self, here: _Here, name: str, own: os.stat_result) -> None:
        path, source = here.prefix + name, here.source + name
        text = os.readlink(source)
        target, why = _follow(source)
        if target is not None and modes.S_ISDIR(target.st_mode):
            if name in _NEVER_DIRECTORIES or (target.st_dev, target.st_ino) in self._never:
                return
            decided = here.known.get(name + "//")
            if decided is None:
                decided = self._directory(path, here.rules)
                if decided and self.include.matches(path + "/") and not self.exclude.matches(path + "/"):
                    decided = WHOLE
            here.names[name + "//"] = decided
            if decided:
                self.directory_links.append(FoundLink(path, source, text, own, target, here.rules, decided == WHOLE))
        elif name in _NEVER_FILES or (target is None and name in _NEVER_DIRECTORIES) or not self._packs(here, name):
            return
        elif target is None:
            self.errors[path] = UsageError(f"The link {path} points to {text}, which {why}.", hint=leave_out(path))
        elif not modes.S_ISREG(target.st_mode):
            self._refuse_special(path)
        else:
            self.file_links.append(FoundLink(path, source, text, own, target, here.rules, False))

    def _packs(self, here: _Here, name: str) -> int:
        packed = here.known.get(name)
        if packed is None:
            packed = self._file(here.prefix + name, here.rules)
        here.names[name] = packed
        return packed

    def _enters(self, here: _Here, name: str) -> int:
        entered = here.known.get(name + "/")
        if entered is None:
            entered = self._directory(here.prefix + name, here.rules)
        here.names[name + "/"] = entered
        return entered

    def _file(self, path: str, rules: Rules) -> int:
        packed = self.include.matches(path) and not self.exclude.matches(path) and not rules.ignore(path, False)
        return PACKED if packed else SKIPPED

    def _directory(self, path: str, rules: Rules) -> int:
        """PRUNED if it is certain that no file below it is packed."""
        if self.include.settles(path + "/") is False or not self.include.may_hold(path):
            return PRUNED
        return PRUNED if self.exclude.settles(path + "/") or rules.ignore(path, True) else ENTERED

    def _read_rules(self, prefix: str, rules: Rules) -> Rules:
        source = f"{self._root}/{prefix}{ignore.NAME}"
        try:
            with open(source, "rb") as file:
                stat = os.fstat(file.fileno())
                data = file.read()
        except FileNotFoundError:
            return rules  # removed meanwhile
        except OSError as error:
            self.errors[prefix + ignore.NAME] = StepError(
                f"The file {prefix}{ignore.NAME} cannot be read: {error.strerror}."
            )
            return rules
        self.ignore_files.append(Seen(source, stat))
        return rules.below(prefix, data)

    def _unreadable(self, prefix: str, error: OSError) -> None:
        path = prefix[:-1]
        self.errors[path] = StepError(
            f"The directory {path or self.context} cannot be read: {error.strerror}.",
            hint=leave_out(prefix) if prefix else None,
        )

    def add_file(self, path: str, source: str, stat: os.stat_result) -> None:
        self.files.append(Packed(path, source, EXECUTABLE if stat.st_mode & 0o100 else FILE, None, stat))

    def add_link(self, link: FoundLink) -> None:
        self.files.append(Packed(link.path, link.source, LINK, link.text, link.own))

    def _refuse_special(self, path: str) -> None:
        self.errors[path] = UsageError(
            f"{path} is a socket, a pipe or a device, which a Bento cannot hold.", hint=leave_out(path)
        )


def _follow(link: str) -> tuple[os.stat_result | None, str]:
    """What a link leads to, or why it leads nowhere."""
    try:
        return os.stat(link), ""
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None, "leads back to it"
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None, "does not exist"
        return None, f"cannot be read: {error.strerror}"


def _identities(paths: Sequence[str]) -> Iterator[tuple[int, int]]:
    for path in paths:
        try:
            stat = os.stat(path)
        except OSError:
            continue
        yield stat.st_dev, stat.st_ino
