"""The two shells of the one decision answer alike, byte for byte (docs/decisions/0003-one-decision-two-shells.md).

Random talks are had with two servers over the same plane, one with the fast protocol and one with the ASGI
application alone. Everything that comes back must be equal but for dates, and so must the end of the connection.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import uvloop
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from helicon_server.delivery.options import DeliveryOptions
from helicon_server.http.bounds import Bounds
from tests.integration.delivery.serving import Node, serving
from tests.integration.delivery.shells_requests import APP, Known, Talk, talks
from tests.support.ports import LOOPBACK
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import Client, World

# Half a request is cut off after half a second; a poll is held for a fifth of one.
BOUNDS = Bounds(head_s=0.5, body_s=0.5, linger_s=0.5, unread_s=60)
OPTIONS = DeliveryOptions(hold_s=0.2, sweep_s=60, catch_up_s=0.05, warm_up=False, max_waiters_per_peer=100_000)
# Dates, and the times that errors carry.
_TIMES = re.compile(rb'date: [^\r]*\r\n|"timestamp":"[^"]*"')
DEADLINE_S = 30


@dataclass(slots=True)
class Both:
    """One state behind both shells, in an event loop of its own."""

    runner: asyncio.Runner
    known: Known
    nodes: Sequence[Node]


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        serving_both = _serving_both()
        known, nodes = runner.run(serving_both.__aenter__())
        try:
            yield Both(runner, known, nodes)
        finally:
            runner.run(serving_both.__aexit__(None, None, None))


@asynccontextmanager
async def _serving_both() -> AsyncIterator[tuple[Known, Sequence[Node]]]:
    world = World()
    await world.environments("DEV")
    plane = world.plane(OPTIONS)
    await plane.start()
    keys, ids = {}, {}
    for name, value in (("application", "1"), ("large", "x" * 300_000), ("routes.json", "{}")):
        content = {"content": value} if name.endswith(".json") else {"a": value}
        keys[name] = (await world.publish(APP, name, content)).head.key
        ids[name] = await world.newest_message()
    await Client(plane).seen(world)
    fast, asgi = (serving(plane, BOUNDS, below_asgi=below, keep_alive_s=1) for below in (True, False))
    async with fast as one, asgi as other:
        yield Known(keys, ids), (one, other)


@dataclass(slots=True)
class _Connection(asyncio.Protocol):
    """Collects what comes back."""

    received: bytearray = field(default_factory=bytearray)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    transport: asyncio.Transport | None = None
    reset: bool = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's own class behaves like it

    def data_received(self, data: bytes) -> None:
        self.received += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.reset = exc is not None
        self.ended.set()


async def _have(talk: Talk, node: Node) -> tuple[bytes, bool]:
    """Everything that the server said, and whether the connection was reset."""
    loop = asyncio.get_running_loop()
    transport, connection = await loop.create_connection(_Connection, LOOPBACK, node.port)
    if talk.reads_late:
        transport.pause_reading()
    for piece in talk.pieces:
        if transport.is_closing():
            break
        transport.write(piece)
        await asyncio.sleep(0.001)  # so that it arrives by itself; nothing depends on that it does
    if talk.leaves:
        transport.abort()
        return b"", False
    if talk.reads_late:
        transport.resume_reading()
    await asyncio.wait_for(connection.ended.wait(), DEADLINE_S)
    return _TIMES.sub(b"", bytes(connection.received)), connection.reset


async def _compare(talks: Sequence[Talk], nodes: Sequence[Node]) -> None:
    found = await asyncio.gather(*(_have(talk, node) for talk in talks for node in nodes))
    for talk, (fast, fast_reset), (asgi, asgi_reset) in zip(talks, found[::2], found[1::2], strict=True):
        if fast_reset or asgi_reset:  # what was on its way to a client that still sent may be lost
            shorter = min(len(fast), len(asgi))
            fast, asgi = fast[:shorter], asgi[:shorter]
        assert fast == asgi, f"fast and ASGI shell differ in the talk {talk}"
    await wait_until_async(
        lambda: not any(_busy(node) for node in nodes),
        DEADLINE_S,
        "the end of every connection, task and poll",
    )


def _busy(node: Node) -> bool:
    state = node.server.server_state
    return bool(state.connections or state.tasks or len(node.plane.hub))


def test_talks__random__are_the_same_through_both_shells(both: Both) -> None:
    @settings(
        max_examples=70,
        phases=[Phase.generate],  # a talk takes a second when it is cut off: too long to look for a shorter one
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.lists(talks(both.known), min_size=4, max_size=10))
    def have(some: list[Talk]) -> None:
        both.runner.run(_compare(some, both.nodes))

    have()
