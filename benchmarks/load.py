"""A load generator: keep-alive connections that each send one fixed request again and again.

It checks the length of every answer and the status line of every first one, and otherwise does as little as it can,
so that the server is what is measured. It runs in a process of its own: ``python -m benchmarks.load PORT TARGET ...``.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import cast

import uvloop

CONNECTIONS = 32


class _Connection(asyncio.Protocol):
    def __init__(self, request: bytes, counter: list[int], first: asyncio.Future[None]) -> None:
        self._request = request
        self._counter = counter
        self._first = first
        self._length = 0
        self._received = 0
        self._head = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own class behaves like it
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self._length:
            self._learn(data)
        self._received += len(data)
        if not self._length or self._received < self._length:
            return
        if self._received > self._length:
            raise RuntimeError("an answer was longer than the first one")
        self._received = 0
        self._counter[0] += 1
        if self.transport is not None:
            self.transport.write(self._request)

    def _learn(self, data: bytes) -> None:
        self._head += data
        head, end, _ = self._head.partition(b"\r\n\r\n")
        if not end:
            return
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"the server answered {head[:80]!r}")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        self._length = len(head) + 4 + int(fields[b"content-length"])
        if not self._first.done():
            self._first.set_result(None)


async def _run(port: int, target: str, seconds: float) -> tuple[float, int]:
    loop = asyncio.get_running_loop()
    request = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    counter = [0]
    first: asyncio.Future[None] = loop.create_future()
    transports = []
    for _ in range(CONNECTIONS):
        transport, _ = await loop.create_connection(lambda: _Connection(request, counter, first), "127.0.0.1", port)
        transports.append(transport)
    await asyncio.wait_for(first, 10)
    await asyncio.sleep(0.2)
    begun, before = time.perf_counter(), counter[0]
    await asyncio.sleep(seconds)
    rate = (counter[0] - before) / (time.perf_counter() - begun)
    for transport in transports:
        transport.close()
    return rate, counter[0]


@dataclass(frozen=True, slots=True)
class Result:
    """What a load generator saw."""

    rate: float  # answers a second, without the start
    answers: int  # all of them


def load(port: int, target: str, seconds: float) -> Result:
    """Puts a server under load from a process of its own."""
    command = [sys.executable, "-m", "benchmarks.load", str(port), target, str(seconds)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"the load generator failed: {result.stderr[-2000:]}")
    rate, answers = result.stdout.split()
    return Result(float(rate), int(answers))


if __name__ == "__main__":
    print(*uvloop.run(_run(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))))
