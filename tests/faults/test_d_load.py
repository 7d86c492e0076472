"""Load and abuse: herds, loops, bursts, huge and slow clients (docs/faults.md)."""

from __future__ import annotations

import asyncio
import json
import urllib.parse
from collections.abc import Callable
from functools import partial

import pytest

from tests.faults.herd import APP, NAMESPACE, Connection, Connections, herd, never_back, poll_target, read_target
from tests.faults.publishing import prepare, publish, published
from tests.faults.scale import scaled
from tests.faults.scrape import metric
from tests.support.management import Management, Target
from tests.support.server import ServerProcess, Servers
from tests.support.wait import wait_until_async

DEADLINE_S = 60
BURST = 100
BIG = 1_000_000  # characters
MIB = 1024 * 1024


@pytest.fixture
def node(servers: Servers) -> ServerProcess:
    """A node with one release."""
    started = servers.start()
    prepare(started)
    return started


@scaled("size", 1_000, 5_000)
async def test_d1__herd_reconnects_at_once__all_are_attached_again_and_none_was_refused(
    servers: Servers, size: int
) -> None:
    """All of them come from one address, which may hold as many polls."""
    node = await asyncio.to_thread(servers.start, env={"HELICON_POLLS_PER_ADDRESS": str(size)})
    await asyncio.to_thread(prepare, node)
    async with herd([node.port], size) as clients:
        await wait_until_async(lambda: _holds(node, size), DEADLINE_S, "held polls of all")
        node.kill()
        await asyncio.to_thread(node.start)
        await wait_until_async(lambda: _holds(node, size), DEADLINE_S, "held polls of all after the return")
        number = await published(node)
        await wait_until_async(lambda: clients.all_hold(number), DEADLINE_S, "release after the return")
        assert set(clients.statuses) <= {200, 304}
        assert all(never_back(member.values) for member in clients.members)


async def test_d2__client_in_a_tight_loop__is_429_and_its_neighbour_is_not(
    servers: Servers, connections: Connections
) -> None:
    node = await asyncio.to_thread(servers.start, env={"HELICON_REQUESTS_PER_CLIENT": "50"})
    await asyncio.to_thread(prepare, node)
    stop = asyncio.Event()
    seen: dict[int, int] = {}

    async def loops() -> None:
        connection = await connections.open(node)
        while not stop.is_set():
            answer = await connection.get(read_target(ip="10.6.6.6"))
            seen[answer.status] = seen.get(answer.status, 0) + 1
            if answer.status == 429:
                assert (answer.code, answer.headers["retry-after"] in "12345") == ("too_many_requests", True)

    looping = [asyncio.create_task(loops()) for _ in range(4)]
    neighbour = await connections.open(node)
    try:
        await wait_until_async(lambda: seen.get(429, 0) > 1_000, DEADLINE_S, "thousand refusals")
        for _ in range(30):
            assert (await neighbour.get(read_target(ip="10.0.0.2"))).status == 200
            await asyncio.sleep(0.03)
    finally:
        stop.set()
        await asyncio.gather(*looping)
    assert seen[429] > 10 * seen[200]
    assert await asyncio.to_thread(metric, node, "helicon_refusals_total", code="too_many_requests") == seen[429]


async def test_d2__loop_of_large_polls__is_429_at_default_settings_and_its_neighbour_is_served(
    node: ServerProcess, connections: Connections
) -> None:
    """One such poll costs as much as hundreds of reads, and counts as that many."""
    target = _poll_of([f"name-{number}" for number in range(1_500)], 0)
    stop = asyncio.Event()
    seen: dict[int, int] = {}

    async def loops() -> None:
        while not stop.is_set():
            connection = await connections.open(node)
            await connection.ask(target)
            try:
                answer = await asyncio.wait_for(connection.answer(), 0.03)
                seen[answer.status] = seen.get(answer.status, 0) + 1
            except TimeoutError:
                seen[0] = seen.get(0, 0) + 1
            connection.close()

    looping = [asyncio.create_task(loops()) for _ in range(4)]
    neighbour = await connections.open(node)
    try:
        await wait_until_async(lambda: seen.get(429, 0) > 100, DEADLINE_S, "hundred refusals")
        for _ in range(30):
            assert (await neighbour.get(read_target(ip="10.0.0.2"))).status == 200
    finally:
        stop.set()
        await asyncio.gather(*looping)
    assert seen[429] > 2 * seen.get(0, 0)


async def test_d3__hundred_publishes_at_once__clients_converge_on_the_last_and_none_goes_back(
    node: ServerProcess,
) -> None:
    """Publishes may be told together; their order may not change."""
    async with herd([node.port], 100) as clients:
        await wait_until_async(lambda: clients.all_hold("0"), DEADLINE_S, "first release")
        last = await asyncio.to_thread(_burst, node)
        await wait_until_async(lambda: clients.all_hold(last), DEADLINE_S, "last of the releases")
        assert all(never_back(member.values) for member in clients.members)


async def test_d4__thousand_namespaces_of_one_client__are_one_connection_and_bounded_memory(
    servers: Servers, connections: Connections
) -> None:
    # A poll for a thousand names counts as hundreds of requests, and this client asks five times within a second.
    node = await asyncio.to_thread(servers.start, env={"HELICON_REQUESTS_PER_CLIENT": "100000"})
    await asyncio.to_thread(prepare, node)
    names = [NAMESPACE, *(f"name-{number}" for number in range(999))]
    known = (await asyncio.to_thread(publish, node))[1].notification_id
    client = await connections.open(node)
    before = await asyncio.to_thread(metric, node, "helicon_resident_memory_bytes")
    for _ in range(5):
        await client.ask(_poll_of(names, known))
        await wait_until_async(lambda: _holds(node, 1), DEADLINE_S, "held poll")
        assert await asyncio.to_thread(metric, node, "helicon_watched_keys") == len(names)
        made = (await asyncio.to_thread(publish, node))[1]
        (entry,) = (await asyncio.wait_for(client.answer(), DEADLINE_S)).json()
        assert (entry["namespaceName"], entry["notificationId"]) == (NAMESPACE, made.notification_id)
        known = made.notification_id
    await wait_until_async(lambda: _is(node, "helicon_watched_keys", 0), DEADLINE_S, "end of all watches")
    grown = await asyncio.to_thread(metric, node, "helicon_resident_memory_bytes") - before
    assert grown < 32 * MIB


async def test_d5__consumer_that_never_reads__is_bounded_and_delays_nobody(
    node: ServerProcess, connections: Connections
) -> None:
    """It asks for half a gigabyte on one connection."""
    await asyncio.to_thread(_publish_big, node, "big")
    target = read_target(namespace="big")
    probe = await connections.open(node)

    async def served() -> bool:
        return len((await probe.get(target)).body) > BIG

    await wait_until_async(served, DEADLINE_S, "big release")
    before = await asyncio.to_thread(metric, node, "helicon_resident_memory_bytes")
    slow = await connections.open(node)
    slow.writer.transport.pause_reading()  # type: ignore[attr-defined]  # of the transport of streams
    for _ in range(500):
        slow.writer.write(f"GET {target} HTTP/1.1\r\nHost: node\r\n\r\n".encode())
    async with herd([node.port], 20) as clients:
        for _ in range(5):
            hold_it = partial(clients.all_hold, await published(node))
            await wait_until_async(hold_it, DEADLINE_S, "release")
    grown = await asyncio.to_thread(metric, node, "helicon_resident_memory_bytes") - before
    assert grown < 64 * MIB


@scaled("size", 100, 1_000)
async def test_d6__megabyte_to_a_herd__all_have_it_and_the_node_answers_meanwhile(
    node: ServerProcess, connections: Connections, record_property: Callable[[str, object], None], size: int
) -> None:
    """Contents are encoded once and shared by all; the longest stall of the event loop is printed."""
    await asyncio.to_thread(_publish_big, node, "big")
    clients = [await connections.open(node) for _ in range(size)]
    known = -1
    for number, each in enumerate(clients):
        answer = await each.get(poll_target(-1, namespace="big", ip=_address(number)))
        known = answer.json()[0]["notificationId"]
        await each.ask(poll_target(known, namespace="big", ip=_address(number)))
    await wait_until_async(lambda: _holds(node, len(clients)), DEADLINE_S, "held polls of all")
    worked_out = await asyncio.to_thread(metric, node, "helicon_store_hits_total", way="long")
    loads = await asyncio.to_thread(metric, node, "helicon_store_loads_total")
    evictions = await asyncio.to_thread(metric, node, "helicon_store_evictions_total")

    released = await asyncio.to_thread(_publish_big, node, "big", "y")
    fetched = asyncio.gather(*(_fetch(each, number) for number, each in enumerate(clients)))
    probe = await connections.open(node)
    answered = 0
    while not fetched.done():
        assert (await probe.get(read_target(ip="10.0.2.1"))).status == 200
        answered += 1
        await asyncio.sleep(0.01)
    keys = await fetched

    assert set(keys) == {released}
    assert answered > 0
    ticks = await asyncio.to_thread(metric, node, "helicon_loop_lag_seconds_count")
    await wait_until_async(
        lambda: asyncio.to_thread(lambda: metric(node, "helicon_loop_lag_seconds_count") > ticks + 1),
        DEADLINE_S,
        "fresh numbers",
    )
    worked_out = await asyncio.to_thread(metric, node, "helicon_store_hits_total", way="long") - worked_out
    assert worked_out < size / 10, "the megabyte was encoded again and again"
    assert await asyncio.to_thread(metric, node, "helicon_store_loads_total") == loads
    assert await asyncio.to_thread(metric, node, "helicon_store_evictions_total") == evictions
    stall = await asyncio.to_thread(metric, node, "helicon_loop_lag_longest_seconds")
    record_property("longest_stall_ms", round(stall * 1000, 1))
    print(f"longest stall of the event loop: {stall * 1000:.1f} ms")


async def _holds(node: ServerProcess, count: int) -> bool:
    return await _is(node, "helicon_polls_held", count)


async def _is(node: ServerProcess, name: str, value: int) -> bool:
    try:
        return await asyncio.to_thread(metric, node, name) == value
    except OSError:
        return False


async def _fetch(connection: Connection, number: int) -> str:
    """Waits for the news and reads them; returns the key of the release."""
    answer = await asyncio.wait_for(connection.answer(), DEADLINE_S)
    assert answer.status == 200
    read = await connection.get(read_target(namespace="big", ip=_address(number)))
    body = read.json()
    assert body["configurations"]["n"] == "y" * BIG
    key: str = body["releaseKey"]
    return key


def _address(number: int) -> str:
    return f"10.1.{number >> 8}.{number & 255}"


def _burst(node: ServerProcess) -> str:
    """As many publishes as fast as they go; returns the last number."""
    with Management(node.url) as management:
        revision = management.read_text(APP, NAMESPACE).revision
        for number in range(1, BURST + 1):
            revision = management.write_text(APP, NAMESPACE, f"n = {number}\n", revision=revision)
            management.publish(Target(APP, NAMESPACE, revision))
    return str(BURST)


def _publish_big(node: ServerProcess, namespace: str, letter: str = "x") -> str:
    """Publishes a megabyte; returns the key of the release."""
    with Management(node.url) as management:
        if letter == "x":
            management.create_namespace(APP, namespace)
        return management.release(APP, namespace, f"n = {letter * BIG}\n").release_key


def _poll_of(names: list[str], known: int) -> str:
    asked = [{"namespaceName": name, "notificationId": known} for name in names]
    encoded = urllib.parse.quote(json.dumps(asked, separators=(",", ":")))
    return f"/notifications/v2?appId={APP}&cluster=default&ip=10.0.0.1&notifications={encoded}"
