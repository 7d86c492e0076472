"""What connections and polls leave behind when they end: nothing that only Python's collector could find.

A node lets the collector look rarely (`helicon_server.cli.node`), because each look holds the event loop.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest

from helicon_server.delivery.hub import Waiter
from helicon_server.http.fast_protocol import FastProtocol
from helicon_server.http.held_poll import HeldPoll
from tests.integration.delivery.serving import Node, serving
from tests.support.ports import LOOPBACK
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import QUICK, World, configs, poll

CLIENTS = 5


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def left() -> list[str]:
    """The objects of connections and polls that are still there."""
    return [type(each).__name__ for each in gc.get_objects() if isinstance(each, (FastProtocol, HeldPoll, Waiter))]


async def ask(node: Node, *targets: str) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connections that have sent one request after the other; of all but the last the answer was read."""
    made = []
    for _ in range(CLIENTS):
        reader, writer = await asyncio.open_connection(LOOPBACK, node.port)
        for number, target in enumerate(targets):
            if number:
                await answer(reader)
            writer.write(f"GET {target} HTTP/1.1\r\nHost: node\r\n\r\n".encode())
        made.append((reader, writer))
    return made


async def answer(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    await reader.readexactly(int(length.partition(b":")[2]))


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("ends", ["answered", "woken", "gone"])
async def test_connections_that_end__leave_nothing_to_the_collector(ends: str) -> None:
    world = World()
    await world.environments("DEV")
    await world.publish("shop", "application", {"a": "1"})
    plane = world.plane(QUICK)
    await plane.start()
    async with serving(plane) as node:
        read = configs("shop", "default", "application")
        held = poll("shop", "default", {"application": await world.newest_message()})
        clients = await ask(node, read, read if ends == "answered" else held)
        if ends != "answered":
            await wait_until_async(lambda: len(plane.hub) == CLIENTS, 5, "held polls")
        if ends == "woken":
            await world.publish("shop", "application", {"a": "2"})
        if ends != "gone":
            for reader, _ in clients:
                await answer(reader)
            assert "Waiter" not in left()
        for _, writer in clients:
            writer.close()

        await wait_until_async(lambda: not left(), 5, "the end of everything that was made for them")
