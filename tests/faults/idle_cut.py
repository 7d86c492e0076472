"""A load balancer that ends connections on which nothing was said for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from tests.support.ports import LOOPBACK


@dataclass(slots=True)
class Balancer:
    """Where it listens, and how often it cut."""

    port: int = 0
    cuts: int = 0


@asynccontextmanager
async def cutting_idle(target_port: int, after_s: float) -> AsyncIterator[Balancer]:
    """Passes bytes on to a port of this machine; both ends are closed after so many silent seconds."""
    loop = asyncio.get_running_loop()
    balancer = Balancer()
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            up_reader, up_writer = await asyncio.open_connection(LOOPBACK, target_port)
        except OSError:
            writer.transport.abort()
            return
        said = [loop.time()]
        pair = [
            asyncio.create_task(passing(reader, up_writer, said)),
            asyncio.create_task(passing(up_reader, writer, said)),
        ]
        try:
            done: set[asyncio.Task[None]] = set()
            while not done and loop.time() < said[0] + after_s:
                done, _ = await asyncio.wait(
                    pair, timeout=said[0] + after_s - loop.time(), return_when=asyncio.FIRST_COMPLETED
                )
            balancer.cuts += not done
        finally:
            for each in pair:
                each.cancel()
            await asyncio.gather(*pair, return_exceptions=True)
            up_writer.transport.abort()
            writer.transport.abort()

    async def passing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: list[float]) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                said[0] = loop.time()
                writer.write(data)
                await writer.drain()

    server = await asyncio.start_server(connected, LOOPBACK, 0)
    balancer.port = server.sockets[0].getsockname()[1]
    try:
        yield balancer
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # for the sockets to be closed
