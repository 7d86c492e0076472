"""Faults of the network: nodes cut off, clients that vanish, connections that are cut (docs/faults.md)."""

from __future__ import annotations

import asyncio

import pytest

import helicon
from tests.faults.cluster import Cluster
from tests.faults.herd import (
    APP,
    NAMESPACE,
    Connection,
    Connections,
    gone_is_fine,
    herd,
    never_back,
    poll_target,
    read_target,
)
from tests.faults.idle_cut import cutting_idle
from tests.faults.publishing import held, prepare, publish, published
from tests.faults.scale import scaled
from tests.faults.scrape import metric
from tests.integration.server.processes import sockets_of
from tests.support.ports import LOOPBACK
from tests.support.relay import Relay
from tests.support.server import BOOTSTRAP_TOKEN, ServerProcess, Servers
from tests.support.wait import wait_until, wait_until_async

DEADLINE_S = 60
HELD_CUTS = 2  # a poll is held for this many cuts of the balancer
WATCHED_CUTS = 3
MARGIN = 2  # polls of each client beyond one for each cut: when the watch begins, and when it ends
TRICKLE_S = 0.2
CUT_OFF_S = 60.0


@pytest.mark.postgres
def test_b1__node_cut_off_from_the_database__serves_nothing_old_as_new_and_says_so(pair: Cluster) -> None:
    cut, other = pair.nodes
    first, known = publish(other)
    wait_until(lambda: _served(cut) == first, DEADLINE_S, "first release on both")
    pair.relays[0].hold()
    second, newer = publish(other)

    messages = f'{{"details":{{"{APP}+default+{NAMESPACE}":{newer.notification_id}}}}}'
    for _ in range(3):
        asked = cut.request("GET", read_target(messages=messages, releaseKey=known.release_key), token=None)
        assert (asked.status, asked.json()["code"]) == (503, "behind")
        assert {name.lower(): value for name, value in asked.headers.items()}["retry-after"] in "12345"
    assert _served(cut) == first  # whoever names no id gets what there is
    wait_until(
        lambda: "behindSince" in cut.request("GET", "/health", token=None).body.decode(), DEADLINE_S, "lag in health"
    )
    assert metric(cut, "helicon_database_away_seconds", database="main") > 0
    assert metric(other, "helicon_seen_message_id") > metric(cut, "helicon_seen_message_id")

    pair.relays[0].release()
    wait_until(lambda: _served(cut) == second, DEADLINE_S, "second release on the node that was cut off")
    wait_until(lambda: metric(cut, "helicon_database_away_seconds", database="main") == 0, DEADLINE_S, "healthy node")


@pytest.mark.parametrize("how", ["stopped", "lost"])
@scaled("hold_s", 1.5, 60.0)
async def test_b5__client_that_vanished__costs_a_poll_and_an_idle_connection_and_no_more(
    servers: Servers, connections: Connections, how: str, hold_s: float
) -> None:
    """It is answered and says nothing more, as one that was stopped; or nothing passes on the way to it any more."""
    node = await asyncio.to_thread(servers.start, env={"HELICON_LONG_POLL_S": str(hold_s)})
    road = Relay(node.port)
    await road.start()
    try:
        for number in range(50):
            each = await connections.open(node, through=road.port if how == "lost" else None)
            await each.ask(poll_target(-1, app="nobody", ip=f"10.0.0.{number}"))

        async def all_held() -> bool:
            return await held(node) == 50

        await wait_until_async(all_held, DEADLINE_S, "fifty held polls")
        full = sockets_of(node.pid)
        assert full >= 50
        road.hold()
        await wait_until_async(
            lambda: sockets_of(node.pid) <= full - 50, DEADLINE_S + 2 * hold_s, "end of the connections of nobody"
        )
        assert await held(node) == 0
        assert await asyncio.to_thread(metric, node, "helicon_watched_keys") == 0
    finally:
        await road.stop()


@scaled("cut_after_s", 1.0, 30.0)
async def test_b6__connections_cut_when_idle__are_empty_answers_to_clients(
    servers: Servers, cut_after_s: float
) -> None:
    """As a load balancer does whose patience ends before a poll does."""
    node = await asyncio.to_thread(servers.start, env={"HELICON_LONG_POLL_S": str(HELD_CUTS * cut_after_s)})
    await asyncio.to_thread(prepare, node)
    async with cutting_idle(node.port, cut_after_s) as balancer:
        client = helicon.Client(
            meta=f"http://{LOOPBACK}:{balancer.port}", app_id=APP, namespaces=[NAMESPACE], cache_dir="off"
        )
        try:
            config = client.namespace(NAMESPACE)
            await wait_until_async(lambda: config.get("n") == "0", DEADLINE_S, "first release")
            async with herd([balancer.port], 10) as clients:
                await wait_until_async(lambda: clients.all_hold("0"), DEADLINE_S, "first release")
                await wait_until_async(lambda: balancer.cuts >= 20, DEADLINE_S + 4 * cut_after_s, "twenty cuts")
                before = await asyncio.to_thread(metric, node, "helicon_polls_parked_total")
                await asyncio.sleep(WATCHED_CUTS * cut_after_s)  # a flood would be seen in this time
                polls = await asyncio.to_thread(metric, node, "helicon_polls_parked_total") - before
                assert polls <= 11 * (WATCHED_CUTS + MARGIN), "more polls than cuts"
                number = await published(node)
                await wait_until_async(lambda: clients.all_hold(number), DEADLINE_S, "release through the balancer")
                assert all(never_back(member.values) for member in clients.members)
                assert set(clients.statuses) <= {200, 304}
            await wait_until_async(lambda: config.get("n") == number, DEADLINE_S, "release through the balancer")
        finally:
            await asyncio.to_thread(client.close)


def _served(node: ServerProcess) -> str:
    number: str = node.request("GET", read_target(), token=None).json()["configurations"]["n"]
    return number


async def test_b11__requests_that_never_end__are_cut_off_and_others_are_served(
    servers: Servers, connections: Connections
) -> None:
    """A byte now and then: of a head, of a body that is waited for, and of bodies behind an answer.

    The bounds are those of a node as it is delivered.
    """
    node = await asyncio.to_thread(servers.start)
    await asyncio.to_thread(prepare, node)
    slow = [await connections.open(node) for _ in range(60)]
    kinds = len(_ENDLESS)
    for number, each in enumerate(slow):
        each.writer.write(_ENDLESS[number % kinds][0].encode())
    ended = [asyncio.create_task(_rest(each)) for each in slow]
    neighbour = await connections.open(node)
    async with asyncio.timeout(CUT_OFF_S):
        while not all(task.done() for task in ended):
            assert (await neighbour.get(read_target())).status == 200
            for each, task in zip(slow, ended, strict=True):
                if not task.done():
                    with gone_is_fine():
                        each.writer.write(b"x")
            await asyncio.sleep(TRICKLE_S)
    answers = await asyncio.gather(*ended)
    for kind, (request, status) in enumerate(_ENDLESS):
        assert {answer[9:12].decode() for answer in answers[kind::kinds]} == {status}, request
    late = len(slow) * sum(status == "408" for _, status in _ENDLESS) / kinds
    assert await asyncio.to_thread(metric, node, "helicon_refusals_total", code="request_timeout") >= late


async def _rest(connection: Connection) -> bytes:
    """What comes until the end; a connection that is closed while its client sends may be reset behind the answer."""
    received = b""
    try:
        while piece := await connection.reader.read(65_536):
            received += piece
    except ConnectionError:
        # asyncio raises it before it gives what came in front of it.
        received += bytes(connection.reader._buffer)  # type: ignore[attr-defined]  # there is no public way
    return received


_WITH_TOKEN = f"Authorization: Bearer {BOOTSTRAP_TOKEN}\r\n"
_ENDLESS = [  # what is sent at once, and the status of the one answer
    (f"GET {read_target()} HTTP/1.1\r\nHost: node\r\nX-Slow: ", "408"),
    (f"POST /api/v1/apps HTTP/1.1\r\nHost: node\r\n{_WITH_TOKEN}Content-Length: 1000\r\n\r\n", "408"),
    ("POST /api/v1/apps HTTP/1.1\r\nHost: node\r\nContent-Length: 1000\r\n\r\n", "401"),
    (f"GET {read_target()} HTTP/1.1\r\nHost: node\r\nContent-Length: 1000\r\n\r\n", "200"),
]


_LENGTHS = [
    ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", 400),
    ("Content-Length: 4\r\nContent-Length: 5\r\n", 400),
    (f"Authorization: Bearer {BOOTSTRAP_TOKEN}\r\nContent-Length: 1000000000000\r\n", 413),
    (f"Authorization: Bearer {BOOTSTRAP_TOKEN}\r\nContent-Length: 99999999999999999999999\r\n", 400),
]


async def test_b12__length_that_contradicts_itself_or_is_huge__is_refused_before_a_byte_is_kept(
    servers: Servers, connections: Connections
) -> None:
    node = await asyncio.to_thread(servers.start)
    before = await asyncio.to_thread(metric, node, "helicon_resident_memory_bytes")
    for head, status in _LENGTHS:
        asking = await connections.open(node)
        asking.writer.write(f"POST /api/v1/apps HTTP/1.1\r\nHost: node\r\n{head}\r\n".encode())
        assert (await asyncio.wait_for(asking.answer(), DEADLINE_S)).status == status, head
    grown = await asyncio.to_thread(metric, node, "helicon_resident_memory_bytes") - before
    assert grown < 8 * 1024 * 1024
