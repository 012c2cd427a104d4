"""A package index on loopback that wants a password, with wheels made on the spot."""

from __future__ import annotations

import base64
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TOKEN = "tok-hunter2-9f8e7d"


@dataclass
class Index:
    host: str
    refused: list[str] = field(default_factory=list)
    served: list[str] = field(default_factory=list)

    def url(self, credentials: str = "", path: str = "simple/") -> str:
        return f"http://{credentials}{'@' if credentials else ''}{self.host}/{path}"


def a_wheel(
    directory: Path, name: str, version: str, tag: str = "py3-none-any", requires: tuple[str, ...] = (), code: str = ""
) -> Path:
    """A wheel that no index has."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    extras = {word.partition("extra == ")[2].strip("'") for word in requires if "extra == " in word}
    metadata += "".join(f"Provides-Extra: {extra}\n" for extra in sorted(extras))
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", code)
        wheel.writestr(f"{info}/METADATA", metadata + "".join(f"Requires-Dist: {word}\n" for word in requires))
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: {tag}\n")
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path


@contextmanager
def private_index(wheels: Path, user: str = "me", password: str = TOKEN, address: str = "127.0.0.1") -> Iterator[Index]:
    """Serve a directory's wheels as a simple index, to that user only."""
    wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") != wanted:
                index.refused.append(self.path)
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="packages"')
                self.end_headers()
                return
            index.served.append(self.path)
            name = self.path.rstrip("/").rpartition("/")[2]
            file = wheels / name
            if name.endswith(".whl") and file.is_file():
                body, kind = file.read_bytes(), "application/octet-stream"
            else:
                links = [f'<a href="/files/{w.name}">{w.name}</a>' for w in wheels.glob(f"{name}-*.whl")]
                body, kind = f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode(), "text/html"
                if not links:
                    self.send_response(404)
                    self.end_headers()
                    return
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer((address, 0), Handler)
    index = Index(f"{'127.0.0.1' if address == '0.0.0.0' else address}:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
