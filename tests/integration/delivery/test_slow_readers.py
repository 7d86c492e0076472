"""Fault D5: clients that ask and do not read what they asked for, through either shell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from helicon_server.http.bounds import Bounds
from tests.integration.delivery.serving import Node, RawClient, serving
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import Client, World, configs

LARGE = configs("shop", "default", "large")
SMALL = configs("shop", "default", "small")
SIZE = 1_000_000
BOUNDED = SIZE + 400_000  # one answer, and what a transport takes before it asks to wait


@pytest.fixture
async def node(world: World, below_asgi: bool) -> AsyncIterator[Node]:
    """A node with a large release that waits half a second for those who do not read."""
    plane = world.plane()
    await plane.start()
    await world.publish("shop", "large", {"a": "x" * SIZE})
    await world.publish("shop", "small", {"a": "x" * 15_000})
    await Client(plane).seen(world)
    async with serving(plane, Bounds(unread_s=0.5), below_asgi=below_asgi, keep_alive_s=60) as served:
        yield served


def _kept(node: Node) -> int:
    """Bytes that wait in the process for clients to read them."""
    return sum(each.transport.get_write_buffer_size() for each in node.server.server_state.connections)


@pytest.mark.parametrize("together", [True, False], ids=["in_one_piece", "one_by_one"])
async def test_client__that_never_reads__is_dropped_and_little_is_kept_for_it(node: Node, together: bool) -> None:
    client = await RawClient.connect(node)
    request = f"GET {LARGE} HTTP/1.1\r\nHost: node\r\n\r\n".encode()
    most = 0

    for piece in [request * 40] if together else [request] * 40:
        await client.send(piece)
        await asyncio.sleep(0)
        most = max(most, _kept(node))

    def dropped() -> bool:
        nonlocal most
        most = max(most, _kept(node))
        return not node.server.server_state.connections

    await wait_until_async(dropped, 20, "the end of the connection")
    assert most <= BOUNDED
    assert not node.server.server_state.tasks
    client.abort()


async def test_client__that_reads_nothing_of_its_last_answers__is_dropped(node: Node) -> None:
    """A connection that is to be closed waits for its last bytes to be read, however few: not for ever."""
    client = await RawClient.connect(node)
    state = node.server.server_state
    while not _kept(node):
        asked = state.total_requests
        await client.get(SMALL)
        await wait_until_async(lambda asked=asked: state.total_requests > asked, 20, "answer")  # type: ignore[misc]  # a default
    assert _kept(node) < 60_000, "the transport asks to wait, which is another test"

    await client.get(SMALL, extra="Connection: close\r\n")

    await wait_until_async(lambda: not state.connections, 20, "the end of the connection")
    client.abort()


async def test_client__that_reads_slowly__gets_everything(node: Node) -> None:
    """Any progress is enough; the bound is between two pieces."""
    client = await RawClient.connect(node)
    for _ in range(5):
        await client.get(LARGE)

    for _ in range(5):
        assert (await client.receive()).status == 200
        await asyncio.sleep(0.3)

    await client.close()
