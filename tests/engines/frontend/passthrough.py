"""A BuildKit frontend that hands the build on to the frontend that BuildKit has built in.

BuildKit starts the image that a `# syntax=` line names and serves gRPC on its standard input and output: the service
moby.buildkit.v1.frontend.LLBBridge, over HTTP/2 without TLS. Three calls are enough: `Inputs` (the contexts that the
client gave), `Solve` with the frontend dockerfile.v0 and the same options, and `Return` of its result or error. The
option `cmdline` is set, so that dockerfile.v0 does not look for a `# syntax=` line again.
"""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset, TrailersReceived

SERVICE = "/moby.buildkit.v1.frontend.LLBBridge/"
_FRAME = 16384  # the largest frame that every HTTP/2 peer takes

# The numbers of the fields in BuildKit's gateway.proto.
SOLVE_FRONTEND, SOLVE_OPTION, SOLVE_RETURN, SOLVE_ARRAY, SOLVE_INPUT = 2, 3, 5, 6, 13
SOLVED_RESULT, INPUTS_DEFINITION, RETURN_RESULT, RETURN_ERROR = 3, 1, 1, 2
STATUS_CODE, STATUS_MESSAGE = 1, 2


def number(value: int) -> bytes:
    """A protobuf varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def text(field: int, value: bytes) -> bytes:
    """A field that is a string, bytes or a message."""
    return number(field << 3 | 2) + number(len(value)) + value


def integer(field: int, value: int) -> bytes:
    return number(field << 3) + number(value)


def texts(message: bytes, wanted: int) -> Iterator[bytes]:
    """Each string, bytes or message of that field."""
    at = 0

    def read() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = read()
        kind = key & 7
        if kind == 0:
            read()
            continue
        size = read() if kind == 2 else {1: 8, 5: 4}[kind]
        if kind == 2 and key >> 3 == wanted:
            yield message[at : at + size]
        at += size


@dataclass
class Answer:
    body: bytes
    status: int
    message: str
    details: str


class Bridge:
    """The gRPC client on standard input and output; one call at a time."""

    def __init__(self) -> None:
        self.http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.http.initiate_connection()
        self.http.increment_flow_control_window(1 << 24)
        self._send()

    def call(self, method: str, message: bytes) -> Answer:
        stream = self.http.get_next_available_stream_id()
        pseudo = {":method": "POST", ":scheme": "http", ":path": SERVICE + method, ":authority": "localhost"}
        headers = {**pseudo, "te": "trailers", "content-type": "application/grpc"}
        self.http.send_headers(stream, list(headers.items()))
        rest = b"\0" + len(message).to_bytes(4, "big") + message
        got, said, ended = b"", {}, False
        while not ended:
            while rest and (room := min(_FRAME, self.http.local_flow_control_window(stream))):
                part, rest = rest[:room], rest[room:]
                self.http.send_data(stream, part, end_stream=not rest)
            self._send()
            data = os.read(0, 1 << 16)
            if not data:
                raise EOFError("BuildKit closed the connection")
            for event in self.http.receive_data(data):
                if isinstance(event, DataReceived):
                    got += event.data
                    self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, (ResponseReceived, TrailersReceived)):
                    said |= dict(event.headers)
                elif isinstance(event, (StreamEnded, StreamReset, ConnectionTerminated)):
                    ended = True
            self._send()
        status = int(said.get("grpc-status", 2))
        return Answer(got[5:], status, unquote(said.get("grpc-message", "")), said.get("grpc-status-details-bin", ""))

    def _send(self) -> None:
        data = self.http.data_to_send()
        while data:
            data = data[os.write(1, data) :]


def options() -> dict[str, str]:
    """What the client asked for: BUILDKIT_FRONTEND_OPT_0=NAME=VALUE, and so on."""
    given = [value for name, value in os.environ.items() if name.startswith("BUILDKIT_FRONTEND_OPT_")]
    found = {name: value for name, _, value in (pair.partition("=") for pair in given)}
    found.setdefault("cmdline", found.get("source", ""))
    found.pop("source", None)
    return found


def main() -> int:
    bridge = Bridge()
    request = text(SOLVE_FRONTEND, b"dockerfile.v0") + integer(SOLVE_RETURN, 1) + integer(SOLVE_ARRAY, 1)
    for name, value in options().items():
        request += text(SOLVE_OPTION, text(1, name.encode()) + text(2, value.encode()))
    inputs = bridge.call("Inputs", b"")
    if not inputs.status:
        request += b"".join(text(SOLVE_INPUT, each) for each in texts(inputs.body, INPUTS_DEFINITION))
    solved = bridge.call("Solve", request)
    if solved.status:
        # the whole google.rpc.Status where BuildKit gives it: with the lines of the Dockerfile that failed
        padded = solved.details + "=" * (-len(solved.details) % 4)
        plain = integer(STATUS_CODE, solved.status) + text(STATUS_MESSAGE, solved.message.encode())
        outcome = text(RETURN_ERROR, base64.b64decode(padded) if padded else plain)
    else:
        outcome = b"".join(text(RETURN_RESULT, each) for each in texts(solved.body, SOLVED_RESULT))
    bridge.call("Return", outcome)
    return int(solved.status != 0)


if __name__ == "__main__":
    sys.exit(main())
