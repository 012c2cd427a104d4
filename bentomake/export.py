"""The composition of an archive: a Bento of the store, its models, a place for them."""

from __future__ import annotations

import datetime
import os
import stat
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .bento.archive import Member, Members, member, write
from .bento.arrival import named_models
from .bento.belonging import belonging
from .bento.epoch import epoch
from .bento.layout import LATEST, MODELS
from .bento.library import Library, home
from .bento.models import ModelStore, newest
from .bento.outfile import place, whole
from .bento.tag import Tag
from .engine.tree import FILE
from .errors import StepError, StoreError

Moved = Callable[[int, int], None]


class Exported(NamedTuple):
    """What was written where, its `size` in bytes, and what its reader ought to know."""

    tag: Tag
    path: str
    size: int
    remarks: list[str]


def export(text: str, out: str, env: Mapping[str, str], cwd: str, moved: Moved = lambda done, total: None) -> Exported:
    """Write the Bento that `text` names, with its models, into an archive that `bentoml import` takes.

    `out` is as on the command line; `moved` is told how many bytes of how many went in. The archive is of
    SOURCE_DATE_EPOCH, else of the time of the Bento. UsageError, StoreError or StepError: then nothing was written.
    """
    given = epoch(env)
    library = Library(home(env))
    tag = library.resolve(text)
    info = library.info(tag)
    target = place(out, tag, cwd)
    members, remarks = _own(library.directory(tag))
    models, more = _models(info, library.home, library.directory(tag))
    members |= models
    total, done = sum(each.size for each in members.values()), 0

    def counted(count: int) -> None:
        nonlocal done
        done += count
        moved(done, total)

    with whole(target.path) as file:
        write(members, target.kind, file, int(given) if given else _time(info), counted)
        size = file.tell()
    return Exported(tag, target.path, size, remarks + more)


def _own(directory: str) -> tuple[dict[str, Member], list[str]]:
    """What belongs to the Bento; in the place of a link what it shows, if that belongs to it, too."""
    found: dict[str, Member] = {}
    remarks = []
    own = belonging(directory)
    for path, st in own.items():
        if not stat.S_ISLNK(st.st_mode):
            found[path] = member(os.path.join(directory, path))
        elif shown := _shown(path, directory, own, ()):
            found.update(shown)
        else:
            remarks.append(f"{path} is not in the archive: it is a link to nothing that belongs to the Bento.")
    return dict(sorted(found.items())), remarks


def _shown(path: str, directory: str, own: Mapping[str, os.stat_result], through: tuple[str, ...]) -> dict[str, Member]:
    """The file that a link shows, or the files below it; `through` are the directories that show themselves so."""
    real = os.path.realpath(os.path.join(directory, path))
    name = os.path.relpath(real, os.path.realpath(directory))
    if name in own and not stat.S_ISLNK(own[name].st_mode):  # a link that shows itself stays one
        return {path: member(real)}
    found: dict[str, Member] = {}
    below = "" if name == "." else f"{name}/"
    for other in own if name not in through else ():
        if other.startswith(below):
            there = f"{path}/{other[len(below) :]}"
            if stat.S_ISLNK(own[other].st_mode):
                found |= _shown(there, directory, own, (*through, name))
            else:
                found[there] = member(os.path.join(directory, other))
    return found


def _models(info: dict[str, Any], where: str, directory: str) -> tuple[Members, list[str]]:
    """The files of the models, below models/ with what `latest` means there, as bentoml's own export has them."""
    stores = [ModelStore(where), ModelStore(directory)]  # an imported Bento may have its models in it
    found: dict[str, Member] = {}
    stored: dict[Tag, ModelStore] = {}
    remarks = []
    for model in named_models(info):
        if model["registry"] != "bentoml":
            remarks.append(
                f"The model {model['tag']} ({model['registry']}) is not in the archive, as in bentoml's own: "
                "whoever serves the Bento fetches it."
            )
            continue
        named = Tag.parse(model["tag"])
        held = [(store, tag) for store in stores if (tag := _in(store, named)) is not None]
        if not held:
            raise StepError(
                f"The model {named} is not in the model store {stores[0].root}.",
                hint=f"Do `bentoml models pull {named}`, or import it.",
            )
        store, tag = held[0]
        for path, file in _files(store.directory(tag)).items():
            found[f"{MODELS}/{tag.name}/{tag.version}/{path}"] = member(file)
        stored[tag] = store
    for name, tag in newest(stored, lambda tag: stored[tag].created(tag)).items():
        data = (tag.version or "").encode()
        found[f"{MODELS}/{name}/{LATEST}"] = Member(FILE, len(data), data=data)
    return dict(sorted(found.items())), remarks


def _in(store: ModelStore, tag: Tag) -> Tag | None:
    """The model in that store, if it is just that one: not any that begins so."""
    found = store.resolve(tag)
    return found if found is not None and tag.version in (None, LATEST, found.version) else None


def _files(top: str) -> dict[str, str]:
    """path → file of a model. Unlike ModelStore.files, StoreError for a directory that cannot be read."""
    found = {}
    try:
        for root, _, names in os.walk(top, onerror=_raise, followlinks=True):
            for name in names:
                full = os.path.join(root, name)
                found[os.path.relpath(full, top)] = full
    except OSError as error:
        raise StoreError(f"{error.filename or top} cannot be read: {error.strerror}.") from error
    return found


def _time(info: dict[str, Any]) -> int:
    """When the Bento was made, in seconds since 1970."""
    try:
        made = datetime.datetime.fromisoformat(str(info.get("creation_time")).replace("Z", "+00:00"))
    except ValueError:
        return 0
    return int((made if made.tzinfo else made.replace(tzinfo=datetime.timezone.utc)).timestamp())


def _raise(error: OSError) -> None:
    raise error
