"""xz in blocks, as `xz -T` writes it: one stream, which every reader takes (https://tukaani.org/xz/xz-file-format.txt)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from .compression import PIECE, Packed


class Xz:
    """A Form whose blocks say how long they are, so that several cores can read them, too.

    What does not get smaller is stored as it is, and what hardly does is compressed with little effort: a model's
    weights would take minutes for next to nothing.
    """

    block = 16 << 20
    _FLAGS = b"\x00\x01"  # the check of a block is CRC32
    _FILTER = b"\x21\x01\x16"  # LZMA2, with a dictionary of 8 MiB at most: that of preset 6
    _STORED = -1
    # what deflate leaves of a sample → the preset
    _EFFORT = ((0.98, _STORED), (0.75, 0), (0.0, 6))
    _SAMPLE, _EVERY = 1 << 16, 1 << 19

    def head(self) -> bytes:
        return b"\xfd7zXZ\x00" + self._FLAGS + _crc(self._FLAGS)

    def pack(self, block: bytes, step: Callable[[], None]) -> Packed:
        data = self._lzma2(block, step)
        sizes = _number(len(data)) + _number(len(block))
        header = b"\xc0" + sizes + self._FILTER  # both sizes are there, one filter
        header = _padded(bytes([(len(header) + 4) // 4]) + header)
        header += _crc(header)
        whole = _padded(header + data) + _crc(block)
        return Packed(whole, len(header) + len(data) + 4, len(block))

    def tail(self, packed: list[Packed], crc: int) -> bytes:
        records = b"".join(_number(each.unpadded) + _number(each.size) for each in packed)
        index = _padded(b"\x00" + _number(len(packed)) + records)
        index += _crc(index)
        back = struct.pack("<L", len(index) // 4 - 1) + self._FLAGS
        return index + _crc(back) + back + b"YZ"

    def _lzma2(self, block: bytes, step: Callable[[], None]) -> bytes:
        import lzma

        preset = self._preset(block)
        step()
        if preset == self._STORED:
            return _stored(block)
        filters = [{"id": lzma.FILTER_LZMA2, "preset": preset}]
        encoder = lzma.LZMACompressor(lzma.FORMAT_RAW, filters=filters)
        made = []
        for at in range(0, len(block), PIECE):
            made.append(encoder.compress(block[at : at + PIECE]))
            step()
        return b"".join([*made, encoder.flush()])

    def _preset(self, block: bytes) -> int:
        sample = b"".join(block[at : at + self._SAMPLE] for at in range(0, len(block), self._EVERY))
        left = len(zlib.compress(sample, 1)) / len(sample)
        return next(preset for least, preset in self._EFFORT if left >= least)


def _stored(block: bytes) -> bytes:
    """LZMA2's chunks without compression, 64 KiB each; the first one begins a dictionary."""
    made, chunk = [], 1 << 16
    for at in range(0, len(block), chunk):
        piece = block[at : at + chunk]
        made += [b"\x02" if at else b"\x01", struct.pack(">H", len(piece) - 1), piece]
    return b"".join([*made, b"\x00"])


def _number(value: int) -> bytes:
    """Seven bits a byte, the lowest first; all but the last have their highest bit."""
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _crc(data: bytes) -> bytes:
    return struct.pack("<L", zlib.crc32(data))
