"""A plane behind a real uvicorn on a loopback port, in the test's own event loop, and a raw socket to talk to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn

from helicon_server.delivery.plane import DeliveryPlane
from helicon_server.http.bounded_protocol import bounded
from helicon_server.http.bounds import Bounds
from helicon_server.http.client_api import ClientApi
from helicon_server.http.fast_protocol import fast
from tests.support.ports import LOOPBACK
from tests.support.wait import wait_until_async


@dataclass(slots=True)
class Node:
    """A served plane."""

    plane: DeliveryPlane
    server: uvicorn.Server
    port: int

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"


@asynccontextmanager
async def serving(
    plane: DeliveryPlane, bounds: Bounds | None = None, *, below_asgi: bool = True, keep_alive_s: int = 5
) -> AsyncIterator[Node]:
    """Serves a started plane and stops it the way a node does: drain, then wait for the connections.

    Both shells serve it as in a node, or, with ``below_asgi=False``, the ASGI application does it alone.
    """
    bounds = bounds or Bounds()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.bind((LOOPBACK, 0))
        port: int = listening.getsockname()[1]
        config = uvicorn.Config(
            ClientApi(plane),
            http=fast(bounds, lambda: plane) if below_asgi else bounded(bounds, plane.traffic.answered),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=keep_alive_s,
        )
        server = uvicorn.Server(config)
        running = asyncio.create_task(server._serve([listening]))  # serve() would take over the test's signals
        await wait_until_async(lambda: server.started, 10, "listening server")
        try:
            yield Node(plane, server, port)
        finally:
            plane.begin_drain()
            server.should_exit = True
            await asyncio.wait_for(running, 10)
            await plane.stop()


@dataclass(slots=True)
class Received:
    """One answer as it came off the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


class RawClient:
    """One connection: writes what it is told, byte for byte, and reads answers one by one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, node: Node) -> RawClient:
        return cls(*await asyncio.open_connection(LOOPBACK, node.port))

    async def send(self, raw: bytes) -> None:
        self._writer.write(raw)
        await self._writer.drain()

    async def get(self, target: str, *, method: str = "GET", extra: str = "") -> None:
        await self.send(f"{method} {target} HTTP/1.1\r\nHost: node\r\n{extra}\r\n".encode())

    async def receive(self, *, head: bool = False) -> Received:
        """Reads one answer: its head, and as many bytes as it announces."""
        raw = (await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 10)).decode("latin-1")
        first, *lines = raw.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = 0 if head else int(headers.get("content-length", "0"))
        return Received(int(first.split(" ")[1]), headers, await self._reader.readexactly(length))

    async def nothing_more(self) -> bool:
        """Tells whether the server has sent nothing beyond the answers read, and keeps the connection open."""
        try:
            return not await asyncio.wait_for(self._reader.read(1), 0.1) and False
        except TimeoutError:
            return True

    async def until_end(self) -> bytes:
        """Everything that the server sends until it closes; of a reset connection what came before."""
        received = b""
        with contextlib.suppress(ConnectionError):
            while piece := await asyncio.wait_for(self._reader.read(65_536), 10):
                received += piece
        return received

    async def close(self) -> None:
        """Closes as a process that exits does."""
        self._writer.close()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)

    def abort(self) -> None:
        """Resets the connection."""
        self._writer.transport.abort()
