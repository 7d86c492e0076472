"""The client protocol over real sockets: what an ASGI application must get right under a real server."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.outcomes import Outcome
from helicon_server.delivery.requests import HeaderOf
from tests.integration.delivery.serving import Node, RawClient, serving
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import Client, World, configs, poll

READ = configs("shop", "default", "application")
POLL = poll("shop", "default", {"application": -1})


async def released(world: World, node: Node, value: str = "1") -> str:
    """Publishes and waits until the node has it; returns the release key."""
    release = await world.publish("shop", "application", {"a": value})
    await Client(node.plane).seen(world)
    return release.head.key


async def held(node: Node, count: int = 1) -> None:
    """Returns when the node holds so many polls."""
    await wait_until_async(lambda: len(node.plane.hub) == count, 10, f"{count} held polls")


async def test_read__over_one_connection__again_and_again(world: World, node: Node) -> None:
    """HTTP/1.1 keep-alive: 200, 304 without body, HEAD without body, 404, then 200 again on the same connection."""
    key = await released(world, node)
    client = await RawClient.connect(node)

    await client.get(READ)
    full = await client.receive()
    await client.get(f"{READ}?releaseKey={key}")
    same = await client.receive()
    await client.get(READ, method="HEAD")
    head = await client.receive(head=True)
    await client.get(configs("shop", "default", "other"))
    missing = await client.receive()
    await client.get(READ)
    again = await client.receive()

    assert json.loads(full.body)["configurations"] == {"a": "1"}
    assert full.headers["content-type"] == "application/json;charset=UTF-8"
    assert (same.status, same.body) == (304, b"")
    assert "content-length" not in same.headers
    assert "transfer-encoding" not in same.headers
    assert (head.status, head.headers["content-length"]) == (200, str(len(full.body)))
    assert missing.status == 404
    assert again.body == full.body
    assert await client.nothing_more()
    await client.close()


async def test_read__compression_offered_or_not__is_not_compressed_unless_asked(world: World, node: Node) -> None:
    """Apollo clients, section 2: compressing without being asked breaks six of them."""
    await released(world, node)
    client = await RawClient.connect(node)

    await client.get(READ)

    assert "content-encoding" not in (await client.receive()).headers
    await client.close()


async def test_read__connection_close__is_answered_and_closed(world: World, node: Node) -> None:
    await released(world, node)
    client = await RawClient.connect(node)

    await client.get(READ, extra="Connection: close\r\n")

    assert (await client.receive()).status == 200
    assert not await client.nothing_more()
    await client.close()


async def test_requests__pipelined_behind_a_held_poll__are_answered_in_order(world: World, node: Node) -> None:
    client = await RawClient.connect(node)
    await client.get(POLL)
    await client.get(READ)
    await held(node)

    await world.publish("shop", "application", {"a": "1"})

    assert json.loads((await client.receive()).body)[0]["namespaceName"] == "application"
    assert json.loads((await client.receive()).body)["configurations"] == {"a": "1"}
    await client.close()


async def test_body__on_a_get__is_skipped_and_the_connection_goes_on(world: World, node: Node) -> None:
    await released(world, node)
    client = await RawClient.connect(node)
    body = b"x" * 200_000

    await client.get(READ, extra=f"Content-Length: {len(body)}\r\n")
    await client.send(body)
    assert (await client.receive()).status == 200
    await client.get(READ)

    assert (await client.receive()).status == 200
    await client.close()


async def test_poll__published__is_answered_and_the_release_is_there(world: World, node: Node) -> None:
    """Promise 3, over the wire: whoever is woken reads the new release from the same node at once."""
    await released(world, node, "old")
    known = await world.newest_message()
    async with httpx.AsyncClient(base_url=node.url) as http:
        asking = asyncio.create_task(http.get(poll("shop", "default", {"application": known})))
        await held(node)

        await world.publish("shop", "application", {"a": "new"})
        answer = await asking
        read = await http.get(READ)

    assert answer.status_code == 200
    assert answer.json()[0]["notificationId"] == await world.newest_message()
    assert read.json()["configurations"] == {"a": "new"}


@pytest.mark.parametrize("how", ["close", "abort"])
async def test_poll__client_goes_away__is_released_at_once(node: Node, how: str) -> None:
    """Section 16 and fault B5: no memory of a client that reads shorter than the hold."""
    clients = [await RawClient.connect(node) for _ in range(20)]
    for client in clients:
        await client.get(poll("shop", "default", {"application": -1, "other": -1}))
    await held(node, 20)

    for client in clients:
        if how == "close":
            await client.close()
        else:
            client.abort()

    await held(node, 0)
    assert node.plane.hub.watched_keys == 0


async def test_poll__client_gone_in_the_same_moment_as_the_news__harms_nobody(world: World, node: Node) -> None:
    leaving = [await RawClient.connect(node) for _ in range(20)]
    staying = await RawClient.connect(node)
    for client in (*leaving, staying):
        await client.get(POLL)
    await held(node, 21)

    await world.publish("shop", "application", {"a": "1"})
    for client in leaving:
        client.abort()

    assert (await staying.receive()).status == 200
    await held(node, 0)
    await staying.get(READ)
    assert (await staying.receive()).status == 200
    await staying.close()


async def test_poll__between_two_requests__is_released_when_its_client_leaves(world: World) -> None:
    """uvicorn tells only the newest request of a connection that its client is gone."""
    plane = world.plane()
    await plane.start()
    async with serving(plane, below_asgi=False) as node:
        await released(world, node)
        client = await RawClient.connect(node)
        quiet = poll("shop", "default", {"application": await world.newest_message()})
        heads = (f"GET {target} HTTP/1.1\r\nHost: node\r\n\r\n" for target in (READ, quiet, READ))
        await client.send("".join(heads).encode())
        assert (await client.receive()).status == 200
        await held(node)

        client.abort()

        await held(node, 0)
        await wait_until_async(lambda: not node.server.server_state.tasks, 10, "the end of its task")


async def test_requests__answered__are_counted_once(world: World, node: Node) -> None:
    """Whoever limits the requests of a process counts on it."""
    await released(world, node)
    client = await RawClient.connect(node)

    for target in (READ, POLL, configs("shop", "default", "none"), READ):
        await client.get(target)
        await client.receive()
    await client.get(poll("shop", "default", {"application": await world.newest_message()}))
    await held(node)
    await client.get(READ)
    await world.publish("shop", "application", {"a": "2"})
    for _ in range(2):
        assert (await client.receive()).status == 200

    assert node.server.server_state.total_requests == 6
    await client.close()


async def test_connection__idle__is_closed_and_one_in_use_is_not(world: World, below_asgi: bool) -> None:
    """Keep-alive ends connections that ask nothing: not the ones with a held poll or half a request."""
    plane = world.plane()
    await plane.start()
    async with serving(plane, below_asgi=below_asgi, keep_alive_s=1) as node:
        await released(world, node)
        idle, waiting, slow = [await RawClient.connect(node) for _ in range(3)]
        for client in (idle, waiting, slow):
            await client.get(READ)
            assert (await client.receive()).status == 200
        await waiting.get(poll("shop", "default", {"application": await world.newest_message()}))
        await slow.send(f"GET {READ} HTTP/1.1\r\n".encode())

        assert await idle.until_end() == b""

        await slow.send(b"Host: node\r\n\r\n")
        assert (await slow.receive()).status == 200
        await world.publish("shop", "application", {"a": "2"})
        assert (await waiting.receive()).status == 200
        for client in (idle, waiting, slow):
            await client.close()


async def test_decision__that_fails__is_500_and_others_are_served(
    world: World, below_asgi: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of ours is no malformed request."""
    plane = world.plane()
    await plane.start()
    decide = plane.decide

    def failing(method: str, target: bytes, header: HeaderOf, peer: str) -> Outcome:
        if b"broken" in target:
            raise RuntimeError("the decision failed")
        return decide(method, target, header, peer)

    monkeypatch.setattr(plane, "decide", failing)
    async with serving(plane, below_asgi=below_asgi) as node:
        await released(world, node)
        broken, whole = [await RawClient.connect(node) for _ in range(2)]
        await broken.get(configs("shop", "default", "broken"))
        assert (await broken.receive()).status == 500
        await whole.get(READ)
        assert (await whole.receive()).status == 200
        await broken.close()
        await whole.close()


async def test_poll__over__is_304_and_the_connection_goes_on(world: World) -> None:
    plane = world.plane(DeliveryOptions(hold_s=0.05, sweep_s=60, warm_up=False))
    await plane.start()
    async with serving(plane) as node:
        client = await RawClient.connect(node)
        for _ in range(3):
            await client.get(POLL)
            answer = await client.receive()
            assert (answer.status, answer.body) == (304, b"")
            assert "transfer-encoding" not in answer.headers
        assert await client.nothing_more()
        await client.close()


async def test_stop__with_held_polls__answers_them_and_ends(world: World, below_asgi: bool) -> None:
    """Promise 10 and fault A11: the server is not kept waiting by those who wait."""
    plane = world.plane()
    await plane.start()
    clients = []
    async with serving(plane, below_asgi=below_asgi) as node:
        for _ in range(50):
            client = await RawClient.connect(node)
            await client.get(POLL)
            clients.append(client)
        await held(node, 50)

    for client in clients:
        assert (await client.receive()).status == 304
        await client.close()


async def test_many_clients__woken_at_once__each_read_the_new_release(world: World, node: Node) -> None:
    """Every one is told once and finds the new release; nobody reads the database."""
    clients = [await RawClient.connect(node) for _ in range(400)]
    for client in clients:
        await client.get(POLL)
    await held(node, 400)
    loads = node.plane.store.loads

    await world.publish("shop", "application", {"a": "1"})

    for client in clients:
        assert (await client.receive()).status == 200
        await client.get(READ)
    for client in clients:
        assert json.loads((await client.receive()).body)["configurations"] == {"a": "1"}
        await client.close()
    assert node.plane.store.loads == loads


async def test_slow_reader__of_large_answers__does_not_delay_the_others(world: World, node: Node) -> None:
    """Fault D5: somebody asks for megabytes and never reads."""
    await world.publish("shop", "big", {"a": "x" * 1_000_000})
    await released(world, node)
    slow = await RawClient.connect(node)
    for _ in range(50):
        await slow.get(configs("shop", "default", "big"))
    quick = await RawClient.connect(node)

    for _ in range(20):
        await quick.get(READ)
        assert (await quick.receive()).status == 200

    slow.abort()
    await quick.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"GET //configs/shop/default/application HTTP/1.1\r\nHost: node\r\n\r\n",
        b"GET /configs/shop%2Fx/default/application HTTP/1.1\r\nHost: node\r\n\r\n",
        b"GET /configs/shop;x=1/default/application HTTP/1.1\r\nHost: node\r\n\r\n",
        b"GET /configs/./default/application HTTP/1.1\r\nHost: node\r\n\r\n",
        b"DELETE /configs/shop/default/application HTTP/1.1\r\nHost: node\r\n\r\n",
        b"GET /notifications/v2?appId=shop&cluster=default&notifications=x HTTP/1.1\r\nHost: node\r\n\r\n",
    ],
)
async def test_bad_request__over_the_wire__is_400_and_the_connection_goes_on(
    world: World, node: Node, raw: bytes
) -> None:
    """Sections 1.2 and 1.3."""
    await released(world, node)
    client = await RawClient.connect(node)

    await client.send(raw)
    refused = await client.receive()
    await client.get(READ)

    assert refused.status == 400
    assert "code" in json.loads(refused.body)
    assert (await client.receive()).status == 200
    await client.close()


async def test_discovery__over_the_wire__leads_back_to_the_node(world: World, node: Node) -> None:
    """Apollo clients, 1.8: the homepageUrl is reachable by the client, with `configs/...` appended blindly."""
    await released(world, node)
    async with httpx.AsyncClient() as http:
        (service,) = (await http.get(f"{node.url}/envs/dev/services/config")).json()
        read = await http.get(service["homepageUrl"] + READ.lstrip("/"))

    assert read.json()["configurations"] == {"a": "1"}
