"""What the patterns sweep up: nothing, too much, secrets; or not even the service itself."""

from __future__ import annotations

import os

from .bento import links
from .bento.bentofile import Bentofile, Remark
from .bento.walk import Packed
from .errors import BentofileError, BentomakeError
from .packing import Packing

BIG = 100 << 20
_SECRET_NAMES = frozenset(
    {
        *(".env", ".netrc", ".pypirc", ".npmrc", ".pgpass", ".htpasswd", ".git-credentials", ".dockercfg"),
        *("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "kubeconfig", "credentials.json", "service-account.json"),
        *("service_account.json", "client_secret.json", "secrets.yaml", "secrets.yml", "secrets.json", "secrets.toml"),
    }
)
_SECRET_ENDS = (".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk")
_NO_SECRETS = ("example", "sample", "template", "dist")  # .env.example
_SECRET_PATHS = (".aws/credentials", ".docker/config.json", ".kube/config")
# One of these ends, or is in, the path of every secret, and few other paths: they are asked of ten thousand paths.
_TAILS = frozenset(known[-4:] for known in (*_SECRET_NAMES, *_SECRET_ENDS, *_SECRET_PATHS, ".json"))
_SAID = 3  # big files by name; more of them are counted
_NAMED = 20  # secrets by name

Found = tuple[list[BentomakeError], list[Remark]]


def judge_packed(bentofile: Bentofile, packing: Packing, source_layout: bool) -> Found:
    """What the patterns select: nothing, too much, secrets, or not the service itself."""
    selection = packing.selection
    remarks = packing.unmatched()
    place = bentofile.place("include")
    errors = _module(bentofile, packing, source_layout)
    if not selection.files and not errors:
        hint = "See what `include`, `exclude` and the .bentoignore files leave."
        remarks.append(Remark("No file is packed: the Bento would have no sources.", place, hint))
    written = {pattern.strip("/") for pattern in bentofile.values["include"]}
    files = selection.files
    big = [each for each in files if each[4].st_size > BIG and each.path not in written]
    suspect = [each for each in files if each[0][-4:] in _TAILS or ".env." in each[0]]
    secret = [each for each in suspect if _is_secret(each.path) and each.path not in written]
    remarks.extend(_big(packed, place) for packed in big[:_SAID])
    if len(big) > _SAID:
        hint = "Leave them out with `exclude`, or name each in `include`."
        remarks.append(Remark(f"{len(big) - _SAID} more packed files are over 100 MiB.", place, hint))
    if secret:
        names = ", ".join(packed.path for packed in secret[:_NAMED])
        more = f" and {len(secret) - _NAMED} more" if len(secret) > _NAMED else ""
        message = f"{names}{more} may hold secrets, and {'is' if len(secret) == 1 else 'are'} packed."
        remarks.append(
            Remark(message, place, "Leave it out with `exclude`; or name it in `include` to say it is meant.")
        )
    remarks.extend(links.warning(selection.leaving, place))
    return errors, remarks


def _big(packed: Packed, place: str) -> Remark:
    size = f"{packed.stat.st_size / (1 << 20):,.0f} MiB"
    hint = "Leave it out with `exclude`, save it as a model, or name it in `include` to say it is meant."
    return Remark(f"{packed.path} is packed and has {size}.", place, hint)


def _is_secret(path: str) -> bool:
    name = path.rpartition("/")[2]
    if f"/{path}".endswith(tuple(f"/{known}" for known in _SECRET_PATHS)):
        return True
    if name.startswith("client_secret_") and name.endswith(".json"):
        return True  # as Google names its downloads
    if name.startswith(".env."):
        return not name.endswith(_NO_SECRETS)
    return name in _SECRET_NAMES or name.endswith(_SECRET_ENDS)


def _module(bentofile: Bentofile, packing: Packing, source_layout: bool) -> list[BentomakeError]:
    """An error if the service's own module lies in the context and is not packed."""
    service = str(bentofile.values["service"]).partition(":")[0].strip()
    stem = os.path.normpath(service).removesuffix(".py") if "/" in service or service.endswith(".py") else ""
    stem = stem or service.replace(".", "/")
    paths = [f"{stem}.py", f"{stem}/__init__.py"]
    if source_layout:
        paths = [*(f"src/{path}" for path in paths), *paths]
    if any(packed[0] in paths for packed in packing.selection.files):
        return []
    there = [path for path in paths if os.path.isfile(os.path.join(packing.context, path))]
    if not there:
        return []  # an installed package, or nothing: the import tells
    return [not_packed(there[0], bentofile.place("include"))]


def not_packed(module: str, place: str | None) -> BentofileError:
    return BentofileError(
        f"The service's own module {module} is not packed: `include` or `exclude` leaves it out.",
        place=place,
        hint=f'Add "/{module}" to `include`, and see that no `exclude` pattern or .bentoignore removes it.',
    )
