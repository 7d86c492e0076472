"""What a plane tells of the instances that it serves (Apollo client protocol, section 14)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from helicon_server.delivery.index import EnvironmentView, Resolution
from helicon_server.delivery.plane import DeliveryPlane
from helicon_server.domain.gray import GrayRule
from tests.unit.delivery.world import CLOCK_S, QUICK, Client, World, configs

READ = configs("shop", "default", "application")


class Notes:
    """What was told, in order: app, cluster, data centre, address, label and release keys."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str, str, str, list[str]]] = []

    def __call__(
        self, view: EnvironmentView, app: str, cluster: str, center: str, ip: str, label: str, found: Resolution
    ) -> None:
        assert view.name == "DEV"
        self.told.append((app, cluster, center, ip, label, [release.release_key for release in found.releases]))

    @property
    def ips(self) -> list[str]:
        return [each[3] for each in self.told]


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
async def client(world: World, notes: Notes) -> AsyncIterator[Client]:
    plane = DeliveryPlane(
        [(world.database, world.bus)],
        "DEV",
        QUICK,
        open_secret=lambda key: key.sealed,
        on_served=notes,
        now=lambda: CLOCK_S,
    )
    await plane.start()
    yield Client(plane)
    await plane.stop()


async def test_read__is_told_with_who_asks_and_what_contributes(world: World, client: Client, notes: Notes) -> None:
    await world.define("base", "common", public=True)
    public = await world.publish("base", "common", {"a": "1"})
    own = await world.publish("shop", "common", {"b": "1"})
    await client.seen(world)

    await client.get(configs("shop", "east", "common", dataCenter="west", ip="10.0.0.1", label="canary"))

    assert notes.told == [("shop", "east", "west", "10.0.0.1", "canary", [own.head.key, public.head.key])]


async def test_many_reads_of_one_instance__are_told_once_on_the_short_way(
    world: World, client: Client, notes: Notes
) -> None:
    """The first read goes the long way and is told; of the others one is."""
    release = await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)

    for _ in range(5):
        await client.get(READ + "?ip=10.0.0.1")
        await client.get(READ + f"?ip=10.0.0.1&releaseKey={release.head.key}")
        await client.get(READ + "?ip=10.0.0.2")

    assert sorted(set(notes.ips)) == ["10.0.0.1", "10.0.0.2"]
    assert len(notes.told) <= 3


async def test_one_address_with_two_labels__is_told_with_each(world: World, client: Client, notes: Notes) -> None:
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    await client.get(READ + "?ip=10.0.0.1")

    for label in ("", "one", "two", "one", ""):
        await client.get(READ + f"?ip=10.0.0.1&label={label}")

    assert [each[4] for each in notes.told[1:]] == ["", "one", "two"]


async def test_data_centre_named_like_the_cluster__is_told_of_whoever_names_it_and_of_nobody_else(
    world: World, client: Client, notes: Notes
) -> None:
    """It leads to the same answer as none, whichever was asked for first."""
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)

    for center in ("default", "", "defaul%74", "default", ""):
        await client.get(READ + f"?ip=10.0.0.1&dataCenter={center}")
    await client.get(READ + "?ip=10.0.0.2")

    assert {(each[2], each[3]) for each in notes.told} == {
        ("default", "10.0.0.1"),
        ("", "10.0.0.1"),
        ("", "10.0.0.2"),
    }


async def test_304__is_told_too(world: World, client: Client, notes: Notes) -> None:
    release = await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    await client.get(READ + "?ip=10.0.0.1")

    for ip in ("10.0.0.2", "10.0.0.3"):
        assert (await client.get(READ + f"?ip={ip}&releaseKey={release.head.key}")).status == 304

    assert notes.ips == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


async def test_without_a_parameter__the_proxy_s_or_the_peer_s_address_is_told(
    world: World, client: Client, notes: Notes
) -> None:
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    await client.get(READ + "?ip=10.0.0.1")

    client.headers = {b"x-forwarded-for": b"10.0.0.2, 10.9.9.9"}
    await client.get(READ)
    client.headers = {}
    await client.get(READ)

    assert notes.ips == ["10.0.0.1", "10.0.0.2", "127.0.0.1"]


async def test_after_a_while__everybody_is_told_again(world: World, client: Client, notes: Notes) -> None:
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    for _ in range(3):
        await client.get(READ + "?ip=10.0.0.1")
    before = len(notes.told)

    for _ in range(60):
        client.plane._decider.short_way.second_passed()
    await client.get(READ + "?ip=10.0.0.1")

    assert len(notes.told) == before + 1


async def test_new_release__is_told_for_each_instance(world: World, client: Client, notes: Notes) -> None:
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    await client.get(READ + "?ip=10.0.0.1")
    second = await world.publish("shop", "application", {"a": "2"})
    await client.seen(world)

    for ip in ("10.0.0.1", "10.0.0.2"):
        await client.get(READ + f"?ip={ip}")

    assert [each[5] for each in notes.told[1:]] == [[second.head.key]] * 2


async def test_gray_release__is_told_for_whom_it_is(world: World, client: Client, notes: Notes) -> None:
    normal = await world.publish("shop", "application", {"a": "1"})
    await world.branch("shop", "application", {"a": "2"}, GrayRule("shop", ips=("10.0.0.1", "10.0.0.2")))
    await client.seen(world)

    for ip in ("10.0.0.1", "10.0.0.9", "10.0.0.2", "10.0.0.8"):
        await client.get(READ + f"?ip={ip}")

    keys = {each[3]: each[5] for each in notes.told}
    assert keys["10.0.0.8"] == keys["10.0.0.9"] == [normal.head.key]
    assert keys["10.0.0.1"] == keys["10.0.0.2"] != [normal.head.key]


async def test_refused_and_missing__are_not_told(world: World, client: Client, notes: Notes) -> None:
    await world.publish("shop", "application", {"a": "1"})
    await world.key("shop", "secret")
    await client.seen(world)

    assert (await client.get(READ + "?ip=10.0.0.1")).status == 401
    assert (await client.get(configs("other", "default", "application", ip="10.0.0.1"))).status == 404

    assert not notes.told
