"""Management calls over several keep-alive connections at once, each connection one call after the other."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import uvloop

from tests.support.server import BOOTSTRAP_TOKEN


@dataclass(slots=True)
class Caller:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def call(self, method: str, path: str, body: str, *, if_match: int | None = None) -> Any:
        """Sends a request and returns its JSON. Raises RuntimeError for an answer that is no success."""
        kind = "text/plain" if method == "PUT" else "application/json"
        head = f"{method} {path} HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer {BOOTSTRAP_TOKEN}\r\n"
        if if_match is not None:
            head += f'If-Match: "{if_match}"\r\n'
        content = body.encode()
        self.writer.write(f"{head}Content-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)
        head_bytes = await self.reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line[15:]) for line in head_bytes.lower().split(b"\r\n") if line.startswith(b"content-length:")
        )
        answer = await self.reader.readexactly(length)
        if head_bytes[9:10] != b"2":
            raise RuntimeError(f"{method} {path} answered {head_bytes[9:12].decode()}: {answer[:500]!r}")
        return json.loads(answer)


def for_each(
    port: int, connections: int, count: int, work: Callable[[Caller, int], Awaitable[None]]
) -> tuple[float, Sequence[float]]:
    """Does a piece of work for each number below ``count``, on so many connections at once.

    Returns the seconds that all took together, and those of each.
    """
    return uvloop.run(_for_each(port, connections, count, work))


async def _for_each(
    port: int, connections: int, count: int, work: Callable[[Caller, int], Awaitable[None]]
) -> tuple[float, Sequence[float]]:
    callers = [Caller(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(connections)]
    numbers = iter(range(count))
    each: list[float] = []

    async def take(caller: Caller) -> None:
        for number in numbers:
            began = time.monotonic()
            await work(caller, number)
            each.append(time.monotonic() - began)

    began = time.monotonic()
    try:
        await asyncio.gather(*(take(caller) for caller in callers))
        return time.monotonic() - began, each
    finally:
        for caller in callers:
            caller.writer.close()
