"""Incremental sync: only what changed since the client's release (Apollo client protocol, section 5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from helicon_server.delivery import incremental
from helicon_server.delivery.outcomes import Answer, Defer
from helicon_server.delivery.plane import DeliveryPlane
from helicon_server.domain.gray import GrayRule
from tests.unit.delivery.world import Client, World, body, configs

READ = configs("shop", "default", "application")


@pytest.fixture
async def switched_on(world: World) -> None:
    await world.incremental()


async def from_(client: Client, release_key: str, target: str = READ) -> dict[str, object]:
    answer = await client.get(f"{target}?releaseKey={release_key}")
    assert answer.status == 200
    return body(answer)


def is_full(answer: dict[str, object]) -> bool:
    whole = "configurations" in answer
    assert whole != ("configurationChanges" in answer)
    assert whole != ("configSyncType" in answer)
    return whole


@pytest.mark.usefixtures("switched_on")
async def test_known_release__is_answered_with_changes(world: World, client: Client) -> None:
    first = await world.publish("shop", "application", {"same": "1", "old": "1", "http.timeout": "2500"})
    second = await world.publish("shop", "application", {"new": "1", "same": "1", "http.timeout": "3000"})
    await client.seen(world)

    for _ in range(2):
        assert await from_(client, first.head.key) == {
            "appId": "shop",
            "cluster": "default",
            "namespaceName": "application",
            "releaseKey": second.head.key,
            "configSyncType": "IncrementalSync",
            "configurationChanges": [
                {"key": "new", "newValue": "1", "configurationChangeType": "ADDED"},
                {"key": "http.timeout", "newValue": "3000", "configurationChangeType": "MODIFIED"},
                {"key": "old", "configurationChangeType": "DELETED"},
            ],
        }


async def test_not_switched_on__every_answer_is_full(world: World, client: Client) -> None:
    """Section 19, row 15."""
    first = await world.publish("shop", "application", {"a": "1"})
    await world.publish("shop", "application", {"a": "2"})
    await client.seen(world)

    assert is_full(await from_(client, first.head.key))
    assert is_full(await from_(client, first.head.key))


async def test_switch__counts_at_once_and_for_its_environment_alone(world: World, client: Client) -> None:
    keys = {}
    for environment in ("DEV", "PRO"):
        release = await world.publish("shop", "application", {"a": "1"}, environment=environment)
        keys[environment] = release.head.key
        await world.publish("shop", "application", {"a": "2"}, environment=environment)
    await client.seen(world)
    assert is_full(await from_(client, keys["DEV"]))

    await world.incremental("DEV")
    await client.seen(world)
    assert not is_full(await from_(client, keys["DEV"]))
    assert is_full(await from_(client, keys["PRO"], "/envs/PRO" + READ))

    await world.incremental("DEV", enabled=False)
    await client.seen(world)
    assert is_full(await from_(client, keys["DEV"]))


@pytest.mark.usefixtures("switched_on")
async def test_equal_content__is_an_empty_list_of_changes(world: World, client: Client) -> None:
    first = await world.publish("shop", "application", {"a": "1"})
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)

    assert (await from_(client, first.head.key))["configurationChanges"] == []


@pytest.mark.usefixtures("switched_on")
async def test_current_release__is_304(world: World, client: Client) -> None:
    release = await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)

    for _ in range(2):
        assert (await client.get(f"{READ}?releaseKey={release.head.key}")).status == 304


@pytest.mark.usefixtures("switched_on")
@pytest.mark.parametrize("held", ["", "-1", "undefined", "20250101080000-00000000000000zz", "%2B", "a+b", "%00"])
async def test_no_release_of_this_server__is_answered_in_full_and_asks_no_database(
    world: World, client: Client, held: str
) -> None:
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    reads = world.database.reads

    assert is_full(await from_(client, held))
    assert is_full(await from_(client, held))
    assert world.database.reads == reads


@pytest.mark.usefixtures("switched_on")
async def test_unknown_release__is_answered_in_full_and_remembered(world: World, client: Client) -> None:
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    assert is_full(await from_(client, "20200101080000-00000000000000aa"))
    reads = world.database.reads

    assert is_full(await from_(client, "20200101080000-00000000000000aa"))
    assert world.database.reads == reads


@pytest.mark.usefixtures("switched_on")
async def test_some_releases_unknown__no_base_is_guessed(world: World, client: Client) -> None:
    """Section 5, pitfall: deletions would be missed."""
    first = await world.publish("shop", "application", {"a": "1"})
    await world.publish("shop", "application", {"a": "2"})
    await client.seen(world)

    assert is_full(await from_(client, f"{first.head.key}%2B20200101080000-00000000000000aa"))


@pytest.mark.usefixtures("switched_on")
async def test_empty_base__is_answered_in_full(world: World, client: Client) -> None:
    first = await world.publish("shop", "application", {})
    await world.publish("shop", "application", {"a": "2"})
    await client.seen(world)

    assert is_full(await from_(client, first.head.key))


@pytest.mark.usefixtures("switched_on")
async def test_merged_release__each_part_is_found_and_merged(world: World, client: Client) -> None:
    await world.define("base", "common", public=True)
    public = await world.publish("base", "common", {"a": "public", "gone": "1", "b": "public"})
    own = await world.publish("shop", "common", {"a": "own"})
    await client.seen(world)
    target = configs("shop", "default", "common")
    held = str(body(await client.get(target))["releaseKey"])
    assert held == f"{own.head.key}+{public.head.key}"

    await world.publish("base", "common", {"a": "public 2", "b": "public 2"})
    await client.seen(world)

    for _ in range(2):
        assert (await from_(client, held.replace("+", "%2B"), target))["configurationChanges"] == [
            {"key": "b", "newValue": "public 2", "configurationChangeType": "MODIFIED"},
            {"key": "gone", "configurationChangeType": "DELETED"},
        ]


@pytest.mark.usefixtures("switched_on")
async def test_release_of_another_app_or_namespace__is_no_base(world: World, client: Client) -> None:
    """Nobody learns what somebody else's release held from what changed since."""
    secret = await world.publish("bank", "application", {"password": "hunter2"})
    beside = await world.publish("shop", "other", {"password": "hunter2"})
    elsewhere = await world.publish("shop", "application", {"password": "hunter2"}, environment="PRO")
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)

    for release in (secret, beside, elsewhere):
        for _ in range(2):
            answer = await client.get(f"{READ}?releaseKey={release.head.key}")
            assert is_full(body(answer))
            assert b"password" not in answer.body


@pytest.mark.usefixtures("switched_on")
async def test_release_of_another_cluster_and_of_a_branch__is_a_base(world: World, client: Client) -> None:
    """A client moves between clusters, and in and out of a gray release."""
    east = await world.publish("shop", "application", {"a": "east", "e": "1"}, cluster="east")
    await world.publish("shop", "application", {"a": "default"})
    await world.branch("shop", "application", {"a": "gray"}, GrayRule("shop", labels=("canary",)))
    await client.seen(world)
    gray = str(body(await client.get(READ + "?label=canary"))["releaseKey"])

    for _ in range(2):
        assert (await from_(client, gray))["configurationChanges"] == [
            {"key": "a", "newValue": "default", "configurationChangeType": "MODIFIED"}
        ]
        assert (await from_(client, east.head.key))["configurationChanges"] == [
            {"key": "a", "newValue": "default", "configurationChangeType": "MODIFIED"},
            {"key": "e", "configurationChangeType": "DELETED"},
        ]
        into = body(await client.get(f"{READ}?label=canary&releaseKey={east.head.key}"))
        assert into["releaseKey"] == gray
        assert not is_full(into)


@pytest.mark.usefixtures("switched_on")
async def test_release_that_was_just_replaced__is_a_base_without_a_read(world: World, client: Client) -> None:
    first = await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    await client.get(READ)
    await world.publish("shop", "application", {"a": "2"})
    await client.seen(world)

    outcome = client.decide(f"{READ}?releaseKey={first.head.key}")

    assert isinstance(outcome, Answer)
    assert not is_full(body(outcome))


@pytest.mark.usefixtures("switched_on")
async def test_database_away__is_answered_in_full(world: World, plane: DeliveryPlane, client: Client) -> None:
    """Section 5: any failure, full answer."""
    first = await world.publish("shop", "application", {"a": "1"})
    await world.publish("shop", "application", {"a": "2"})
    fresh = Client(world.plane())
    await fresh.plane.start()
    assert (await fresh.get(READ)).status == 200
    world.database.away = True

    assert isinstance(fresh.decide(f"{READ}?releaseKey={first.head.key}"), Defer)
    assert is_full(await from_(fresh, first.head.key))

    world.database.away = False
    assert not is_full(await from_(fresh, first.head.key))
    await fresh.plane.stop()


@pytest.mark.usefixtures("switched_on")
async def test_database_that_hangs__costs_a_bounded_wait_and_few_connections(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody can name keys that never were; whoever comes while others wait is answered in full at once."""
    await world.publish("shop", "application", {"a": "1"})
    fresh = Client(world.plane())
    await fresh.plane.start()
    assert (await fresh.get(READ)).status == 200
    hanging = 0

    @asynccontextmanager
    async def hang() -> AsyncIterator[None]:
        nonlocal hanging
        hanging += 1
        await asyncio.Event().wait()
        yield

    with monkeypatch.context() as patched:
        patched.setattr(incremental, "_DEADLINE_S", 0.2)
        patched.setattr(world.database, "read", hang)
        asked = [from_(fresh, f"20200101080000-{number:016x}") for number in range(50)]
        answers = await asyncio.gather(*asked)

    assert all(is_full(answer) for answer in answers)
    assert 0 < hanging <= 8
    await fresh.plane.stop()


@pytest.mark.usefixtures("switched_on")
async def test_more_keys_than_a_client_can_hold__are_answered_in_full(world: World, client: Client) -> None:
    keys = [(await world.publish("shop", "application", {"a": str(n)})).head.key for n in range(10)]
    await client.seen(world)

    assert is_full(await from_(client, "%2B".join(keys[:9])))
    assert not is_full(await from_(client, "%2B".join(keys[:8])))
    assert not is_full(await from_(client, "%2B".join(keys[:1] * 9)))
