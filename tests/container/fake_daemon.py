"""A docker daemon that answers on a socket as it is told, and builds nothing."""

from __future__ import annotations

import json
import socketserver
from pathlib import Path
from typing import Any


class FakeDaemon(socketserver.ThreadingUnixStreamServer):
    """Answers each resource as told, as Go's server answers HTTP/1.0: the answer ends with the connection."""

    def __init__(self, path: Path):
        self.answers: dict[str, tuple[int, Any]] = {"/_ping": (200, "OK")}
        self.program = "Docker/26.1.5 (linux)"
        self.asked: list[str] = []
        super().__init__(str(path), _Answer)


class _Answer(socketserver.StreamRequestHandler):
    server: FakeDaemon

    def handle(self) -> None:
        resource = self.rfile.readline().split()[1].decode()
        while self.rfile.readline().strip():
            pass
        self.server.asked.append(resource)
        status, body = self.server.answers.get(resource, (404, {"message": f"No such image: {resource}"}))
        text = body if isinstance(body, str) else json.dumps(body)
        self.wfile.write(f"HTTP/1.0 {status} Said\r\nServer: {self.server.program}\r\n\r\n{text}".encode())
