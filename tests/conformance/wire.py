"""A connection that sends what it is told, byte for byte, and reads answers one by one.

No HTTP library: they tidy targets, headers and connections, and what has to be seen here is what clients do untidily.
"""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.support.ports import LOOPBACK

ANSWER_DEADLINE_S = 20
# By shell, the lines that lead a request to it: what announces a body is the ASGI application's, one of no byte too.
SHELLS = {"fast": (), "asgi": ("Content-Length: 0",)}
# Long enough for a server that would answer at once; one that is slower than this is not caught, never blamed.
SILENCE_S = 0.15


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it came off the wire; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Wire:
    """One connection to a node; every request that ``ask`` sends has the lines ``always``."""

    def __init__(self, port: int, always: Sequence[str] = ()) -> None:
        self._always = always
        self._socket = socket.create_connection((LOOPBACK, port), ANSWER_DEADLINE_S)
        self._read = b""

    def send(self, raw: bytes) -> None:
        self._socket.sendall(raw)

    def ask(self, target: str, *lines: str, method: str = "GET") -> None:
        """Sends a request with these further header lines, and waits for nothing."""
        head = [f"{method} {target} HTTP/1.1", "Host: config.example", *self._always, *lines, "", ""]
        self.send("\r\n".join(head).encode("latin-1"))

    def get(self, target: str, *lines: str, method: str = "GET") -> Answer:
        self.ask(target, *lines, method=method)
        return self.receive(bodiless=method == "HEAD")

    def receive(self, *, bodiless: bool = False) -> Answer:
        """Reads one answer to its announced end. Raises TimeoutError when none comes in time."""
        while b"\r\n\r\n" not in self._read:
            self._more()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split(" ")[1])
        if bodiless or status == 304:
            return Answer(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Answer(status, headers, self._chunks())
        return Answer(status, headers, self._exactly(int(headers["content-length"])))

    def silent(self) -> bool:
        """Tells whether nothing came for a moment, neither bytes nor the end of the connection."""
        return not self._read and not select.select([self._socket], [], [], SILENCE_S)[0]

    def ended(self) -> bool:
        """Tells whether the server ends the connection without another byte."""
        return not self._read and not self._socket.recv(1)

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _more(self) -> None:
        received = self._socket.recv(65_536)
        if not received:
            raise ConnectionError(f"the server ended the connection in the middle of {self._read[-200:]!r}")
        self._read += received

    def _exactly(self, size: int) -> bytes:
        while len(self._read) < size:
            self._more()
        body, self._read = self._read[:size], self._read[size:]
        return body

    def _chunks(self) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in self._read:
                self._more()
            line, _, self._read = self._read.partition(b"\r\n")
            size = int(line, 16)
            body += self._exactly(size)
            self._exactly(2)
            if size == 0:
                return body


def statuses(answers: Iterable[Answer]) -> list[int]:
    return [answer.status for answer in answers]
