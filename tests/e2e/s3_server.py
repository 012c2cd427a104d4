"""An S3 server on loopback: moto, which checks the signature of each request as AWS does, with one file in a bucket.

It is run in an environment of its own, which uv makes and keeps. moto requires networkx, PyYAML and many more: in the
environment of the tests, nobody would see that bentomake had forgotten to require one of them.
"""

from __future__ import annotations

import re
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from harness import end, start, wait_for
from real_packages import tool

MOTO = "moto[server]>=5"
CONTENT = "kept in a bucket\n"
_MAY_READ = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
_AS_IAM = "AWS4-HMAC-SHA256 Credential=x/20240101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=x"


class Keys(NamedTuple):
    """What a user of the server signs with."""

    id: str
    secret: str

    def file(self, path: Path) -> Path:
        """Write them as `aws configure` does."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"[default]\naws_access_key_id = {self.id}\naws_secret_access_key = {self.secret}\n")
        return path


class S3:
    """The server: s3://path/to/file is there, and no request is answered but a signed one."""

    def __init__(self, url: str, log: Path):
        self.url = url
        self._log = log

    def fill(self) -> None:
        self._ask("path", b"", method="PUT")
        self._ask("path/to/file", CONTENT.encode(), method="PUT")

    def a_user(self, name: str) -> Keys:
        """A new user who may read, and the keys that the server gives them."""
        self._ask("moto-api/reset-auth", b"inf")
        self._iam(Action="CreateUser", UserName=name)
        self._iam(Action="PutUserPolicy", UserName=name, PolicyName="read", PolicyDocument=_MAY_READ)
        made = self._iam(Action="CreateAccessKey", UserName=name)
        self._ask("moto-api/reset-auth", b"0")  # from now on, signatures are checked
        found = [re.search(f"<{word}>([^<]+)<", made) for word in ("AccessKeyId", "SecretAccessKey")]
        return Keys(*(match[1] for match in found if match))

    def answers(self) -> list[str]:
        """The status of each answer to a question for the file, so far."""
        return re.findall(r'"[^"]*GET /path/to/file HTTP[^"]*" (\d+)', self._log.read_text())

    def _iam(self, **words: str) -> str:
        data = urllib.parse.urlencode({"Version": "2010-05-08", **words}).encode()
        return self._ask("", data, headers={"Authorization": _AS_IAM})

    def _ask(self, path: str, data: bytes, method: str = "POST", headers: Mapping[str, str] | None = None) -> str:
        kind = "application/x-www-form-urlencoded" if headers else "application/octet-stream"
        asked = urllib.request.Request(
            f"{self.url}/{path}", data, {"Content-Type": kind, **(headers or {})}, method=method
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return str(answer.read().decode())


@contextmanager
def s3_server(directory: Path, env: Mapping[str, str]) -> Iterator[S3]:
    """Run the server; its log is in that directory."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = directory / "s3.log"
    with log.open("w") as output:
        argv = tool(MOTO, "moto_server", "-H", "127.0.0.1", "-p", str(port))
        process = start(argv, directory, env, output=output)
    try:
        wait_for(lambda: "Running on http" in log.read_text(), process, limit=180)
        server = S3(f"http://127.0.0.1:{port}", log)
        server.fill()
        yield server
    finally:
        end(process)
