"""gzip: what is asked for, made once (issue: prepared and once-compressed bytes; clients in the wild, section 2)."""

from __future__ import annotations

import gzip
import json
import random

import pytest

from helicon_server.delivery import compress
from helicon_server.delivery.compress import offers_gzip
from helicon_server.delivery.outcomes import Answer
from helicon_server.delivery.plane import DeliveryPlane
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import Client, World, configs, header

READ = configs("shop", "default", "application")
SOME = {f"key.number.{number}": str(number) for number in range(100)}
MANY = {f"key.number.{number}": "value " * 20 for number in range(2000)}


async def offered(client: Client, target: str = READ, offer: bytes = b"gzip, deflate, br") -> Answer:
    client.headers = {b"accept-encoding": offer}
    answer = await client.get(target)
    client.headers = {}
    assert header(answer, b"content-length") == str(len(answer.body)).encode()
    return answer


@pytest.mark.parametrize(
    "target", [READ, *(f"/configfiles/{form}shop/default/application" for form in ("", "json/", "raw/"))]
)
async def test_offered__is_compressed_and_the_same_otherwise(world: World, client: Client, target: str) -> None:
    await world.publish("shop", "application", SOME)
    await client.seen(world)

    for _ in range(2):
        plain, packed = await client.get(target), await offered(client, target)
        assert header(packed, b"content-encoding") == b"gzip"
        assert gzip.decompress(packed.body) == plain.body
        assert len(packed.body) < len(plain.body)
        assert header(plain, b"content-encoding") is None
        assert header(packed, b"vary") == header(plain, b"vary") == b"accept-encoding"
        assert header(packed, b"content-type") == header(plain, b"content-type")


async def test_small_body__is_sent_as_it_is(world: World, client: Client) -> None:
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)

    for _ in range(2):
        assert header(await offered(client), b"content-encoding") is None


async def test_asked_for_often__is_compressed_once(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def counting(body: bytes) -> bytes:
        made.append(body)
        return gzip.compress(body)

    monkeypatch.setattr(compress, "gzip", counting)
    await world.publish("shop", "application", SOME)
    await client.seen(world)

    answers = [await offered(client) for _ in range(5)]

    assert len(made) == 1
    assert all(answer is answers[0] for answer in answers)


async def test_nobody_offers__nothing_is_compressed(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(body: bytes) -> bytes:
        raise AssertionError("compressed for nobody")

    monkeypatch.setattr(compress, "gzip", never)
    await world.publish("shop", "application", SOME)
    await client.seen(world)

    for offer in (b"", b"identity", b"br", b"gzip;q=0"):
        assert (await offered(client, offer=offer)).status == 200


async def test_large_body__is_compressed_behind__and_sent_as_it_is_until_then(world: World, client: Client) -> None:
    await world.publish("shop", "application", MANY)
    await client.seen(world)

    first = await offered(client)
    assert header(first, b"content-encoding") is None
    assert len(first.body) > 64 * 1024

    async def packed() -> bool:
        return header(await offered(client), b"content-encoding") == b"gzip"

    await wait_until_async(packed, 10, "the compressed answer")
    assert json.loads(gzip.decompress((await offered(client)).body)) == json.loads(first.body)


async def test_text_of_much_chance__shrinks_nevertheless(world: World, client: Client) -> None:
    """The densest text that a value can hold."""
    signs = [chr(code) for code in range(0x23, 0x7F) if chr(code) != "\\"]
    await world.publish("shop", "application", {"a": "".join(random.Random(1).choices(signs, k=1100))})
    await client.seen(world)

    assert len((await offered(client)).body) < len((await client.get(READ)).body)


async def test_compressed_bytes__count_in_the_budget_and_go_with_their_answer(
    world: World, plane: DeliveryPlane, client: Client
) -> None:
    await world.publish("shop", "application", SOME)
    await client.seen(world)
    await client.get(READ)
    before = plane.store.used_bytes

    packed = await offered(client)

    assert plane.store.used_bytes >= before + len(packed.body)
    plane.store.resize(0)
    assert plane.store.used_bytes == 0
    again = await offered(client)
    assert header(again, b"content-encoding") is None  # nothing is kept, so nothing is compressed for later


async def test_new_release__is_compressed_anew(world: World, client: Client) -> None:
    await world.publish("shop", "application", SOME)
    await client.seen(world)
    await offered(client)

    await world.publish("shop", "application", {**SOME, "new": "1"})
    await client.seen(world)

    assert b'"new":"1"' in gzip.decompress((await offered(client)).body)


async def test_304__has_no_body_and_no_encoding(world: World, client: Client) -> None:
    release = await world.publish("shop", "application", SOME)
    await client.seen(world)

    for _ in range(2):
        client.headers = {b"accept-encoding": b"gzip"}
        answer = await client.get(f"{READ}?releaseKey={release.head.key}")
        assert answer.status == 304
        assert not answer.body
        assert not answer.headers


@pytest.mark.parametrize(
    ("offer", "taken"),
    [
        (b"gzip", True),
        (b"GZip", True),
        (b"x-gzip", True),
        (b"deflate, gzip;q=0.5", True),
        (b"gzip ; q=1.0 , *;q=0", True),
        (b"*", True),
        (b"*;q=0.1", True),
        (b"identity;q=0.5, gzip;q=1.0", True),
        (b"", False),
        (b"identity", False),
        (b"deflate, br", False),
        (b"gzip;q=0", False),
        (b"gzip;q=0.000", False),
        (b"*;q=0", False),
        (b"*, gzip;q=0", False),
        (b"gzip;q=0.5, identity", False),
        (b"gzip;q=often", False),
        (b"gzippo", False),
        (b"gzip," + b"a" * 300, False),
    ],
)
def test_offer__is_read_with_its_weights(offer: bytes, *, taken: bool) -> None:
    assert offers_gzip(offer) is taken
