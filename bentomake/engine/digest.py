"""Digests: sha256 for every address that can travel, canonical JSON for what is digested."""

import json
import re
from functools import partial
from typing import Any, NamedTuple

try:
    from _sha2 import sha256 as _short
except ImportError:
    try:
        from _sha256 import sha256 as _short  # before Python 3.12
    except ImportError:  # an interpreter whose hashes are all OpenSSL's, as those of RHEL
        from hashlib import sha256 as _short

_SHORT = 1024  # bytes: for more, OpenSSL is faster; hashlib loads it, which takes as long as a hundred of these
_WRITTEN = re.compile(r"([0-9a-f]{64})-([0-9]+)")


class Digest(NamedTuple):
    """A sha256 in hex and a size in bytes."""

    sha256: str
    size: int

    def __str__(self) -> str:
        return f"{self.sha256}-{self.size}"

    @classmethod
    def parse(cls, text: str) -> "Digest":
        """Read what `str()` wrote; ValueError if it is anything else."""
        found = _WRITTEN.fullmatch(text)
        if found is None:
            raise ValueError(f"not a digest: {text!r}")
        return cls(found[1], int(found[2]))


digest_of = partial(tuple.__new__, Digest)  # a Digest of (sha256, size), where ten thousand are made


def of_bytes(data: bytes) -> Digest:
    return Digest(_sha256(data), len(data))


def of_file(path: str) -> Digest:
    """The digest of a file's bytes, read as a stream."""
    import hashlib

    sha256, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            sha256.update(chunk)
            size += len(chunk)
    return Digest(sha256.hexdigest(), size)


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, UTF-8: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def of_value(value: Any) -> str:
    """The sha256 (hex) of a JSON value's canonical form."""
    return _sha256(canonical(value))


def _sha256(data: bytes) -> str:
    if len(data) <= _SHORT:
        short: str = _short(data).hexdigest()
        return short
    import hashlib

    return hashlib.sha256(data).hexdigest()
