"""What a client can do to a node before it has said who it is: huge and slow requests, many connections."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.requests import TARGET_LIMIT
from helicon_server.http.bounds import Bounds, bounds_for
from helicon_server.http.uvicorn_fit import check_fit
from tests.integration.delivery.serving import Node, RawClient, serving
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import Client, World, configs, poll

READ = configs("shop", "default", "application")
# Nothing is slow unless a test makes it so.
PATIENT = Bounds(head_s=60, body_s=60, linger_s=60, connections=1000, turned_away=100)
HASTY = replace(PATIENT, head_s=0.1, body_s=0.1)


@asynccontextmanager
async def bounded_node(
    world: World, bounds: Bounds, *, below_asgi: bool = True, **options: float
) -> AsyncIterator[Node]:
    """A node with one release and these bounds."""
    plane = world.plane(DeliveryOptions(sweep_s=60, warm_up=False, **options))  # type: ignore[arg-type]  # seconds only
    await plane.start()
    await world.publish("shop", "application", {"a": "1"})
    await Client(plane).seen(world)
    async with serving(plane, bounds, below_asgi=below_asgi) as node:
        yield node


async def quiet_poll(world: World) -> str:
    """The target of a poll that nothing new answers."""
    return poll("shop", "default", {"application": await world.newest_message()})


async def refusal(client: RawClient, status: int) -> str:
    """The code of an answer that refuses in the protocol's error shape and ends the connection."""
    answer = await client.receive()
    assert answer.status == status
    assert answer.headers["connection"] == "close"
    error = json.loads(answer.body)
    assert error["status"] == status
    assert {"timestamp", "error", "path", "message"} <= set(error)
    assert await client.until_end() == b""
    await client.close()
    code: str = error["code"]
    return code


def _bytes_kept(connection: object) -> int:
    """Bytes of the request that a connection still holds: its target, its headers, its scope's."""
    scope = getattr(connection, "scope", None) or {}
    headers = [part for pair in (*connection.headers, *scope.get("headers", ())) for part in pair]  # type: ignore[attr-defined]  # uvicorn's
    texts = [connection.url, *headers, *(value for value in scope.values() if isinstance(value, bytes))]  # type: ignore[attr-defined]  # uvicorn's
    return sum(len(text) for text in texts)


@asynccontextmanager
async def trickling(client: RawClient) -> AsyncIterator[None]:
    """Sends a byte now and then, as long as it can be sent."""

    async def trickle() -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                await client.send(b"x")
                await asyncio.sleep(0.02)

    running = asyncio.create_task(trickle())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def open_connections(node: Node, count: int) -> None:
    """Returns when the node has so many connections."""
    await wait_until_async(lambda: len(node.server.server_state.connections) == count, 10, f"{count} connections")


class TestSize:
    @pytest.mark.parametrize("whole", [True, False], ids=["complete", "endless"])
    async def test_header__huge__is_431(self, world: World, whole: bool) -> None:
        """Fault B12: one header of 150 MB was accepted."""
        async with bounded_node(world, PATIENT) as node:
            client = await RawClient.connect(node)
            end = "\r\n\r\n" if whole else ""
            await client.send(f"GET {READ} HTTP/1.1\r\nHost: node\r\nX-Large: {'x' * 700_000}{end}".encode())
            assert await refusal(client, 431) == "head_too_large"
            await open_connections(node, 0)

    async def test_header__that_never_ends__is_not_read_on(self, world: World) -> None:
        """A client that sends on and does not read is cut off after the first mebibyte."""
        async with bounded_node(world, PATIENT) as node:
            client = await RawClient.connect(node)
            await client.send(f"GET {READ} HTTP/1.1\r\nHost: node\r\nX-Large: ".encode())
            with pytest.raises(ConnectionError):
                await asyncio.wait_for(client.send(b"x" * 40_000_000), 30)
            client.abort()

    async def test_headers__too_many__is_431(self, world: World) -> None:
        """Many short headers take far more memory than bytes."""
        async with bounded_node(world, PATIENT) as node:
            client = await RawClient.connect(node)
            await client.get(READ, extra="a:b\r\n" * 250)
            assert await refusal(client, 431) == "head_too_large"

    async def test_trailers__huge__end_the_connection(self, world: World) -> None:
        """They come behind a body and would be kept like headers."""
        async with bounded_node(world, PATIENT) as node:
            client = await RawClient.connect(node)
            await client.get(await quiet_poll(world), extra="Transfer-Encoding: chunked\r\n")
            await client.send(b"1\r\nx\r\n0\r\nX-Large: " + b"x" * 700_000)
            assert await refusal(client, 431) == "head_too_large"
            await wait_until_async(lambda: len(node.plane.hub) == 0, 10, "release of the poll")

    @pytest.mark.parametrize("beyond", [1, 5_000, 200_000])
    async def test_target__over_the_limit__is_target_too_long(self, world: World, beyond: int) -> None:
        """uvicorn's parser of targets ends at 65,535 bytes and says so in plain text."""
        async with bounded_node(world, PATIENT) as node:
            client = await RawClient.connect(node)
            start = f"{READ}?x="
            await client.get(start + "x" * (TARGET_LIMIT + beyond - len(start)))
            assert json.loads((await client.receive()).body)["code"] == "target_too_long"
            await client.close()

    async def test_target__at_the_limit__is_answered(self, world: World) -> None:
        async with bounded_node(world, PATIENT) as node:
            client = await RawClient.connect(node)
            start = f"{READ}?x="
            await client.get(start + "x" * (TARGET_LIMIT - len(start)))
            assert (await client.receive()).status == 200
            await client.close()

    async def test_poll__of_a_thousand_namespaces__is_one_connection_and_leaves_nothing(
        self, world: World, below_asgi: bool
    ) -> None:
        """Fault D4, over the wire: a target of 135,000 bytes, of which nothing is kept but what it waits for."""
        names = {f"{'a-long-name-' * 5}{number:06}": -1 for number in range(1_000)}
        target = poll("shop", "default", names)
        assert 130_000 < len(target) < TARGET_LIMIT
        async with bounded_node(world, PATIENT, below_asgi=below_asgi) as node:
            client = await RawClient.connect(node)
            for round_ in range(3):
                await client.get(target)
                await wait_until_async(lambda: node.plane.hub.watched_keys == 1_000, 10, "held poll")
                (connection,) = node.server.server_state.connections
                assert _bytes_kept(connection) < 2_000
                told = sorted(names)[555 + round_]
                await world.publish("shop", told, {"a": "1"})
                assert json.loads((await client.receive()).body)[0]["namespaceName"] == told
                names[told] = await world.newest_message()
                target = poll("shop", "default", names)
            assert node.plane.hub.watched_keys == 0
            await client.close()


class TestTime:
    @pytest.mark.parametrize("sent", [b"", b"\r\n"], ids=["nothing", "line_end"])
    async def test_connection__that_asks_nothing__is_closed(self, world: World, sent: bytes) -> None:
        async with bounded_node(world, HASTY) as node:
            client = await RawClient.connect(node)
            await client.send(sent)
            assert await client.until_end() == b""
            await client.close()

    async def test_head__never_complete__is_408(self, world: World) -> None:
        """Fault B11."""
        async with bounded_node(world, HASTY) as node:
            client = await RawClient.connect(node)
            await client.send(f"GET {READ} HTTP/1.1\r\nHost: no".encode())
            assert await refusal(client, 408) == "request_timeout"

    async def test_head__of_a_later_request_never_complete__is_408(self, world: World) -> None:
        async with bounded_node(world, HASTY) as node:
            client = await RawClient.connect(node)
            await client.get(READ)
            assert (await client.receive()).status == 200
            await client.send(b"GET /configs")
            assert await refusal(client, 408) == "request_timeout"

    async def test_body__never_complete__is_408_and_the_poll_released(self, world: World) -> None:
        async with bounded_node(world, HASTY) as node:
            client = await RawClient.connect(node)
            await client.get(await quiet_poll(world), extra="Content-Length: 10\r\n")
            await client.send(b"half")
            assert json.loads((await client.receive()).body)["code"] == "request_timeout"
            await wait_until_async(lambda: len(node.plane.hub) == 0, 10, "release of the poll")
            await client.close()

    async def test_body__moving_too_slowly__is_408(self, world: World) -> None:
        """A byte now and then is progress, and would keep the connection for days."""
        async with bounded_node(world, HASTY) as node:
            client = await RawClient.connect(node)
            await client.get(await quiet_poll(world), extra="Content-Length: 100000\r\n")
            async with trickling(client):
                assert await refusal(client, 408) == "request_timeout"

    async def test_body__moving_fast_enough__is_waited_for(self, world: World) -> None:
        """A large one on a bad line takes longer than the time that any body has."""
        async with bounded_node(world, replace(PATIENT, body_s=0.5, body_bytes_s=10)) as node:
            client = await RawClient.connect(node)
            await client.get(await quiet_poll(world), extra="Content-Length: 1030\r\n")
            await client.send(b"x" * 1000)
            for _ in range(30):
                await client.send(b"x")
                await asyncio.sleep(0.05)
            assert len(node.plane.hub) == 1
            await world.publish("shop", "application", {"a": "2"})
            assert (await client.receive()).status == 200
            await client.get(READ)
            assert (await client.receive()).status == 200
            await client.close()

    async def test_body__of_a_request_that_is_answered__is_not_waited_for(self, world: World) -> None:
        async with bounded_node(world, replace(PATIENT, linger_s=0.1)) as node:
            client = await RawClient.connect(node)
            await client.get(READ, extra="Content-Length: 100000\r\n")
            assert (await client.receive()).status == 200
            async with trickling(client):
                assert await client.until_end() == b""
            await client.close()

    async def test_body__that_ends_soon_behind_the_answer__leaves_the_connection(self, world: World) -> None:
        """Some clients send a body with every request, in a piece of its own."""
        async with bounded_node(world, replace(PATIENT, linger_s=1)) as node:
            client = await RawClient.connect(node)
            for _ in range(2):
                await client.get(READ, extra="Content-Length: 4\r\n")
                assert (await client.receive()).status == 200
                await client.send(b"body")
            await asyncio.sleep(1.5)
            await client.get(READ)
            assert (await client.receive()).status == 200
            await client.close()

    async def test_poll__held_beyond_every_bound__is_answered(self, world: World) -> None:
        """A held poll is no slow request; neither is a connection between two requests."""
        async with bounded_node(world, HASTY, hold_s=0.5) as node:
            client = await RawClient.connect(node)
            for _ in range(2):
                await client.get(await quiet_poll(world))
                assert (await client.receive()).status == 304
            await asyncio.sleep(4 * HASTY.head_s)
            await client.get(READ)
            assert (await client.receive()).status == 200
            await client.close()


class TestSense:
    @pytest.mark.parametrize(
        "extra",
        [
            "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
            "Content-Length: 4\r\nContent-Length: 5\r\n",
            "Content-Length: -1\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "No colon\r\n",
        ],
    )
    async def test_request__that_contradicts_itself__is_400(self, world: World, extra: str) -> None:
        """Two readers of one connection must not disagree where a request ends."""
        async with bounded_node(world, PATIENT) as node:
            client = await RawClient.connect(node)
            await client.get(READ, extra=extra)
            assert await refusal(client, 400) == "malformed_request"

    async def test_refusal__behind_a_held_poll__is_told_behind_its_answer(self, world: World) -> None:
        """Answers keep their order, or a client takes the refusal for the answer of its poll."""
        async with bounded_node(world, PATIENT) as node:
            client = await RawClient.connect(node)
            await client.get(await quiet_poll(world))
            await client.send(b"NO HTTP\r\n\r\n")
            await wait_until_async(lambda: len(node.plane.hub) == 1, 10, "held poll")
            await world.publish("shop", "application", {"a": "2"})
            assert json.loads((await client.receive()).body)[0]["namespaceName"] == "application"
            assert await refusal(client, 400) == "malformed_request"

    async def test_requests__many_in_one_piece__are_all_answered(self, world: World) -> None:
        """Together they are larger than one head may be."""
        async with bounded_node(world, PATIENT) as node:
            client = await RawClient.connect(node)
            request = f"GET {READ} HTTP/1.1\r\nHost: node\r\nX-Some: {'x' * 1000}\r\n\r\n".encode()
            await client.send(request * 200)
            for _ in range(200):
                assert (await client.receive()).status == 200
            await client.close()


class TestCounts:
    @pytest.mark.parametrize(
        ("sent", "bounds", "code"),
        [
            (f"GET {READ} HTTP/1.1\r\nX-Large: {'x' * 700_000}", PATIENT, "head_too_large"),
            (f"GET {READ} HTTP/1.1\r\nHost: no", HASTY, "request_timeout"),
            (f"GET {READ} HTTP/1.1\r\nNo colon\r\n\r\n", PATIENT, "malformed_request"),
            (f"GET {READ} HTTP/1.1\r\n\r\n", replace(PATIENT, connections=0), "too_many_connections"),
        ],
    )
    async def test_refusal__in_front_of_everything__is_counted_by_its_code(
        self, world: World, below_asgi: bool, sent: str, bounds: Bounds, code: str
    ) -> None:
        async with bounded_node(world, bounds, below_asgi=below_asgi) as node:
            client = await RawClient.connect(node)
            await client.send(sent.encode())
            assert json.loads((await client.receive()).body)["code"] == code
            await client.close()
            assert node.plane.traffic.refused == {code: 1}
            assert sum(tally.other.total() for tally in node.plane.traffic.tallies.values()) == 1


class TestNumber:
    async def test_connections__over_the_bound__are_told_to_come_back(self, world: World) -> None:
        """Near the limit of open files; whoever is connected is served on."""
        async with bounded_node(world, replace(PATIENT, connections=2)) as node:
            clients = [await RawClient.connect(node) for _ in range(2)]
            await open_connections(node, 2)
            surplus = await RawClient.connect(node)
            await surplus.get(READ)
            answer = await surplus.receive()
            assert (answer.status, "1" <= answer.headers["retry-after"] <= "5") == (503, True)
            assert json.loads(answer.body)["code"] == "too_many_connections"
            await surplus.close()
            for client in clients:
                await client.get(READ)
                assert (await client.receive()).status == 200
                await client.close()
            await open_connections(node, 0)
            late = await RawClient.connect(node)
            await late.get(READ)
            assert (await late.receive()).status == 200
            await late.close()

    async def test_connections__far_over_the_bound__are_closed_at_once(self, world: World) -> None:
        async with bounded_node(world, replace(PATIENT, connections=1, turned_away=1)) as node:
            clients = [await RawClient.connect(node) for _ in range(2)]
            await open_connections(node, 2)
            for _ in range(20):
                refused = await RawClient.connect(node)
                assert await refused.until_end() == b""
                await refused.close()
            for client in clients:
                await client.close()

    @pytest.mark.parametrize("open_files", [64, 256, 1024, 20_000, 1_048_576])
    def test_bounds__for_some_open_files__leave_some_to_others(self, open_files: int) -> None:
        bounds = bounds_for(open_files)
        assert bounds.connections >= 1
        if open_files > 64:
            assert bounds.connections + bounds.turned_away < open_files


def test_uvicorn__that_lacks_what_is_overridden__is_refused_at_the_start() -> None:
    """A bound that is never called is no bound."""

    class Other:
        def __init__(self) -> None:
            self.cycle = None

    with pytest.raises(RuntimeError, match=r"Other\.data_received.*Other\.flow"):
        check_fit(Other, ((Other, frozenset({"cycle", "flow"})),))
    check_fit(HttpToolsProtocol, ())
