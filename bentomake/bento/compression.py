"""Compression by all cores, in blocks that know nothing of each other: the bytes depend on the content alone."""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import NamedTuple, Protocol

from ..errors import EXIT_INTERRUPTED, BentomakeError

Write = Callable[[bytes], object]

_MOST = 8  # threads: each xz encoder takes 100 MiB and its block
PIECE = 1 << 18  # bytes; a thread that is to stop stops after one


class Stream:
    """What a tar file is written into; as a context, it leaves no thread at work."""

    def __init__(self, write: Write):
        self._write = write

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def write(self, data: bytes) -> None:
        self._write(data)

    def end(self) -> None:
        """Write what is left, and the stream's own end."""


class Packed(NamedTuple):
    """A compressed block, and what the end of the stream has to say of it."""

    data: bytes
    unpadded: int
    size: int


class Form(Protocol):
    """A format whose blocks know nothing of each other."""

    block: int  # bytes

    def head(self) -> bytes: ...
    def pack(self, block: bytes, step: Callable[[], None]) -> Packed:
        """Compress one; `step` is called after each piece, and raises if nobody wants it any more."""

    def tail(self, packed: list[Packed], crc: int) -> bytes: ...


class Gzip:
    """One member of gzip (RFC 1952); its blocks of deflate end on a byte, as `pigz -i` writes them."""

    block = 4 << 20

    def __init__(self, time: int):
        self._time = min(max(time, 0), 0xFFFFFFFF)

    def head(self) -> bytes:
        return b"\x1f\x8b\x08\x00" + struct.pack("<L", self._time) + b"\x02\xff"

    def pack(self, block: bytes, step: Callable[[], None]) -> Packed:
        deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        made = []
        for at in range(0, len(block), PIECE):
            made.append(deflate.compress(block[at : at + PIECE]))
            step()
        data = b"".join([*made, deflate.flush(zlib.Z_FULL_FLUSH)])
        return Packed(data, len(data), len(block))

    def tail(self, packed: list[Packed], crc: int) -> bytes:
        end = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS).flush()
        return end + struct.pack("<LL", crc, sum(each.size for each in packed) & 0xFFFFFFFF)


class Blocks(Stream):
    """A stream in such a form: blocks are compressed by threads, and written in their order by who writes them."""

    def __init__(self, form: Form, write: Write):
        super().__init__(write)
        self._form = form
        cores = min(_cores(), _MOST)
        self._threads, self._most = ThreadPoolExecutor(cores, "bentomake-compress"), cores + 1
        self._given: list[bytes] = []
        self._size, self._crc = 0, 0
        self._waiting: deque[Future[Packed]] = deque()
        self._packed: list[Packed] = []
        self._stopped = threading.Event()
        write(form.head())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopped.set()
        self._threads.shutdown(cancel_futures=True)

    def write(self, data: bytes) -> None:
        self._crc = zlib.crc32(data, self._crc)
        while self._size + len(data) >= self._form.block:
            room = self._form.block - self._size
            self._given.append(data[:room])
            data = data[room:]
            self._pack()
        if data:
            self._given.append(data)
            self._size += len(data)

    def end(self) -> None:
        if self._given:
            self._pack()
        while self._waiting:
            self._written()
        self._write(self._form.tail(self._packed, self._crc))

    def _pack(self) -> None:
        block, self._given, self._size = b"".join(self._given), [], 0
        if len(self._waiting) == self._most:
            self._written()
        self._waiting.append(self._threads.submit(self._form.pack, block, self._step))

    def _step(self) -> None:
        if self._stopped.is_set():
            raise _Stopped("Nobody waits for this block any more.")

    def _written(self) -> None:
        packed = self._waiting.popleft().result()
        self._write(packed.data)
        self._packed.append(packed._replace(data=b""))


class Bzip2(Stream):
    """bzip2 on one core: its blocks do not end on a byte, and streams in a row are not for every reader."""

    def __init__(self, write: Write):
        import bz2

        super().__init__(write)
        self._encoder = bz2.BZ2Compressor(9)

    def write(self, data: bytes) -> None:
        self._write(self._encoder.compress(data))

    def end(self) -> None:
        self._write(self._encoder.flush())


class _Stopped(BentomakeError):
    exit_code = EXIT_INTERRUPTED


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
