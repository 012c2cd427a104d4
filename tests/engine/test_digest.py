"""Digests are the same whoever computes them."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from bentomake.engine.digest import of_bytes

# An interpreter may be made without hashes of its own: ./configure --with-builtin-hashlib-hashes=blake2
_WITHOUT = "import sys; sys.modules.update(dict.fromkeys({names!r})); from bentomake.engine.digest import of_bytes; "


@pytest.mark.parametrize("size", [0, 1024, 1025])
def test_small_and_large_ones_are_sha256(size: int) -> None:
    data = b"x" * size
    assert of_bytes(data) == (hashlib.sha256(data).hexdigest(), size)


@pytest.mark.parametrize("names", [["_sha2"], ["_sha256"], ["_sha2", "_sha256"]], ids=" ".join)
def test_an_interpreter_without_hashes_of_its_own_will_do(names: list[str]) -> None:
    code = _WITHOUT.format(names=names) + "print(of_bytes(b'abc').sha256)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert said.stdout.strip() == hashlib.sha256(b"abc").hexdigest(), said.stderr
