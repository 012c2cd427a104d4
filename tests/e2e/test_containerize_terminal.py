"""What a reader at a terminal sees while an engine works: its newest line, live, and in the end only what was made."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import threading
import time

import pytest
from containers import ENGINES
from harness import LIMIT, SCRIPT
from shop import QUICK, Shop

pytestmark = [
    pytest.mark.real,
    pytest.mark.engine,
    pytest.mark.skipif("docker" not in ENGINES, reason="BENTOMAKE_TEST_ENGINES does not name docker"),
]
_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")


def on_a_terminal(shop: Shop, *words: str) -> tuple[int, list[tuple[float, bytes]]]:
    """The exit code, and what was written to the terminal, each piece with its time."""
    inner, outer = pty.openpty()
    env = {**shop.world.env, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    process = subprocess.Popen([SCRIPT, *words], cwd=shop.world.home.parent, env=env, stdout=outer, stderr=outer)
    os.close(outer)
    pieces: list[tuple[float, bytes]] = []

    def read() -> None:
        while True:
            try:
                piece = os.read(inner, 65536)
            except OSError:  # Linux says so when the other end is closed
                return
            if not piece:
                return
            pieces.append((time.monotonic(), piece))

    reader = threading.Thread(target=read)
    reader.start()
    code = process.wait(timeout=LIMIT)
    reader.join()
    os.close(inner)
    return code, pieces


@pytest.mark.parametrize("words", [(), ("--progress", "tty")])
def test_the_engines_newest_line_is_shown_while_it_works(shop: Shop, words: tuple[str, ...]) -> None:
    """Also one that a terminal library could take for its own markup."""
    more = f'RUN echo "[/nothing] [bold]one-{os.urandom(4).hex()}"; sleep 2; echo two; sleep 1'
    tag = shop.project(QUICK.replace("# more", more)).build()
    code, pieces = on_a_terminal(shop, "containerize", tag, *words)
    written = b"".join(piece for _, piece in pieces)
    shown = _CONTROL.sub(b"", written).decode()
    assert code == 0, shown
    assert "[/nothing] [bold]one-" in shown and shown.index("[/nothing]") < shown.index(" two")
    first = next(at for at, piece in pieces if b"[/nothing]" in piece)
    ended = next(at for at, piece in pieces if b"Successfully built" in piece)
    assert ended - first > 1.5, "the line was there while the engine slept"
    last = written[written.rindex(b"\x1b[2K") :]  # what is left on the screen: the lines in place are gone
    assert b"sleep" not in last and b"Successfully built Bento container" in last
    assert f'with tag(s) "{tag}"'.encode() in last


def test_plain_text_on_a_terminal_that_is_asked_for(shop: Shop) -> None:
    tag = shop.project(QUICK.replace("# more", "RUN echo [/x]")).build()
    code, pieces = on_a_terminal(shop, "containerize", tag, "--progress", "plain")
    written = b"".join(piece for _, piece in pieces)
    assert code == 0 and b"\x1b[2K" not in written and b"[/x]" in written
