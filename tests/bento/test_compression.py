"""Streams that all cores compress are one stream to every reader, and the same whatever the cores."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import random
import threading
import time
import zlib
from collections.abc import Callable

import pytest

from bentomake.bento import compression
from bentomake.bento.compression import Blocks, Bzip2, Form, Gzip, Stream, Write
from bentomake.bento.xz import Xz

KIB, MIB = 1 << 10, 1 << 20
CHANCE = random.Random(7)
CONTENTS = {
    "nothing": b"",
    "a byte": b"x",
    "words": b" ".join(CHANCE.choice((b"bake", b"bread", b"knead", b"flour", b"%d" % n)) for n in range(50_000)),
    "noise": CHANCE.randbytes(200 * KIB + 1),
    "weights": bytes(byte for _ in range(100 * KIB) for byte in (CHANCE.randrange(256), CHANCE.randrange(60))),
    "exactly two blocks": bytes(256 * KIB),
    "both": CHANCE.randbytes(300 * KIB) + bytes(300 * KIB),
}


class SmallXz(Xz):
    block = 128 * KIB


class SmallGzip(Gzip):
    block = 128 * KIB


def packed(form: Form, content: bytes, piece: int = 50_001) -> bytes:
    out = io.BytesIO()
    with Blocks(form, out.write) as stream:
        for at in range(0, len(content), piece):
            stream.write(content[at : at + piece])
        stream.end()
    return out.getvalue()


@pytest.mark.parametrize("name", CONTENTS)
def test_xz_is_one_stream_of_several_blocks(name: str) -> None:
    made = packed(SmallXz(), CONTENTS[name])
    reader = lzma.LZMADecompressor(lzma.FORMAT_XZ)  # of liblzma; it reads one stream
    assert reader.decompress(made) == CONTENTS[name]
    assert reader.eof and reader.unused_data == b"" and reader.check == lzma.CHECK_CRC32


@pytest.mark.parametrize("name", CONTENTS)
def test_gzip_is_one_member(name: str) -> None:
    made = packed(SmallGzip(at := 1_700_000_000), CONTENTS[name])
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
    assert reader.decompress(made) == CONTENTS[name]
    assert reader.eof and reader.unused_data == b""
    with gzip.GzipFile(fileobj=io.BytesIO(made)) as file:
        file.read()
        assert file.mtime == at


@pytest.mark.parametrize("form", [SmallXz, lambda: SmallGzip(0)], ids=["xz", "gzip"])
def test_the_bytes_do_not_depend_on_cores_or_on_how_they_come(
    form: Callable[[], Form], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"".join(CONTENTS.values())
    made = set()
    for cores, piece in ((1, 1 << 20), (2, 999), (7, 128 * KIB)):
        monkeypatch.setattr(compression, "_cores", lambda cores=cores: cores)
        made.add(packed(form(), content, piece))
    assert len(made) == 1


def test_damage_is_found_by_readers() -> None:
    made = bytearray(packed(SmallXz(), CONTENTS["noise"]))
    made[len(made) // 2] ^= 1
    with pytest.raises(lzma.LZMAError):
        lzma.decompress(bytes(made))


def test_noise_costs_no_effort_and_words_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a preset leaves of it says which one it was."""
    noise, words = CONTENTS["noise"], CONTENTS["words"]
    with monkeypatch.context() as patch:
        patch.delattr(lzma, "LZMACompressor")
        assert len(noise) < len(packed(Xz(), noise)) < len(noise) + 100, "stored: 3 bytes for each 64 KiB"
    for content, preset in ((words, 6), (CONTENTS["weights"], 0)):
        assert abs(len(packed(Xz(), content)) - len(lzma.compress(content, preset=preset))) < 100
    assert len(lzma.compress(words, preset=6)) < len(lzma.compress(words, preset=0)) - 1000


class Slow:
    """A form whose blocks take for ever, until nobody wants them."""

    block = KIB
    began = threading.Event()

    def head(self) -> bytes:
        return b""

    def pack(self, block: bytes, step: Callable[[], None]) -> compression.Packed:
        while True:
            self.began.set()
            time.sleep(0.01)
            step()

    def tail(self, packed: list[compression.Packed], crc: int) -> bytes:
        return b""


def test_who_is_interrupted_leaves_no_thread_at_work() -> None:
    form = Slow()
    with pytest.raises(KeyboardInterrupt), Blocks(form, io.BytesIO().write) as stream:
        stream.write(bytes(2 * KIB))
        form.began.wait()
        raise KeyboardInterrupt
    assert not [each for each in threading.enumerate() if each.name.startswith("bentomake-compress")]


def test_no_more_is_held_than_the_cores_can_take() -> None:
    written: list[int] = []
    taken = 0
    with Blocks(SmallGzip(0), lambda data: written.append(len(data))) as stream:
        for _ in range(64):
            stream.write(os.urandom(128 * KIB))
            taken += 128 * KIB
        held = taken - sum(written)
        stream.end()
    assert held < (min(os.cpu_count() or 1, 8) + 2) * 130 * KIB


@pytest.mark.parametrize(("kind", "undone"), [(Bzip2, "bz2"), (Stream, None)])
def test_other_streams(kind: Callable[[Write], Stream], undone: str | None) -> None:
    out = io.BytesIO()
    with kind(out.write) as stream:
        stream.write(CONTENTS["words"][:100])
        stream.write(CONTENTS["words"][100:])
        stream.end()
    import bz2

    assert (bz2.decompress(out.getvalue()) if undone else out.getvalue()) == CONTENTS["words"]
