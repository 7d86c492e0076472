"""Clients that hold a newer release than the node which they ask, and cannot name its id (decision 0020)."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from helicon_server.delivery.ahead import is_ahead
from helicon_server.delivery.looks import NUDGE_GAP_S
from helicon_server.delivery.outcomes import Answer
from helicon_server.domain.gray import GrayRule
from helicon_server.domain.model import Release
from tests.unit.delivery.backups import Backup
from tests.unit.delivery.world import Client, World, body, configs

LATER = "20250101080001"
MADE_UP = "99999999999999-0123456789abcdef"


def read(release_key: str, namespace: str = "application", **query: str) -> str:
    return configs("shop", "default", namespace, releaseKey=release_key, **query)


async def newer(world: World, namespace: str = "application", value: str = "new") -> Release:
    """A release of a later second that no node hears of."""
    world.bus.muted = True
    world.released_at = LATER
    return await world.publish("shop", namespace, {"a": value})


@pytest.mark.parametrize("remembered", [True, False], ids=["short way", "long way"])
async def test_newer_key__not_told_of__is_looked_for_and_is_304(world: World, client: Client, remembered: bool) -> None:
    """Another node answered with it; this one has heard nothing yet."""
    old = await world.publish("shop", "application", {"a": "old"})
    await client.seen(world)
    if remembered:
        for _ in range(2):
            assert (await client.get(read(""))).status == 200
    held = await newer(world)

    assert (await client.get(read(held.head.key))).status == 304
    assert body(await client.get(read(old.head.key)))["configurations"] == {"a": "new"}


async def test_newer_key__with_the_id_of_an_older_release__is_looked_for(world: World, client: Client) -> None:
    """What a client was told last is not what it read last."""
    await world.publish("shop", "application", {"a": "old"})
    await client.seen(world)
    messages = f'{{"details":{{"shop+default+application":{await world.newest_message()}}}}}'
    held = await newer(world)
    assert (await client.get(read(held.head.key, messages=messages))).status == 304


async def test_newer_key__of_a_first_release__is_not_404(world: World, client: Client) -> None:
    held = await newer(world)
    assert (await client.get(read(held.head.key))).status == 304


async def test_newer_key__of_a_merged_answer__is_looked_for(world: World, client: Client) -> None:
    await world.define("platform", "redis", public=True)
    own = await world.publish("shop", "redis", {"a": "1"})
    await world.publish("platform", "redis", {"p": "1"})
    await client.seen(world)
    assert (await client.get(read("", "redis"))).status == 200
    world.bus.muted, world.released_at = True, LATER
    public = await world.publish("platform", "redis", {"p": "2"})
    assert (await client.get(read(f"{own.head.key}+{public.head.key}", "redis"))).status == 304


async def test_newer_key__of_a_branch_that_no_longer_selects__gets_the_older_release(
    world: World, client: Client
) -> None:
    """The look finds nothing newer: that is the answer, under whatever key."""
    await world.publish("shop", "application", {"a": "main"})
    world.released_at = LATER
    branch = await world.branch("shop", "application", {"a": "gray"}, GrayRule("shop", ips=("10.0.0.7",)))
    await client.seen(world)
    answer = body(await client.get(read("", ip="10.0.0.7")))
    assert answer["configurations"] == {"a": "gray"}
    await world.delete_branch(branch)
    await client.seen(world)
    again = await client.get(read(str(answer["releaseKey"]), ip="10.0.0.7"))
    assert body(again)["configurations"] == {"a": "main"}


async def test_newer_key__of_a_database_that_was_set_back__gets_the_older_release(world: World, client: Client) -> None:
    """No rollback makes an older key the current one; a restore does."""
    await world.publish("shop", "application", {"a": "old"})
    backup = Backup(world)
    world.released_at = LATER
    lost = await world.publish("shop", "application", {"a": "lost"})
    await client.seen(world)
    world.bus.muted = True
    backup.restore()
    assert body(await client.get(read(lost.head.key.replace(LATER, "20250101080002"))))["configurations"] == {
        "a": "old"
    }


@pytest.mark.parametrize("held", ["20250101075959-ffffffffffffffff", "20250101080000-ffffffffffffffff", "zzz"])
async def test_key_that_is_not_newer__is_answered_on_the_short_way(world: World, client: Client, held: str) -> None:
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    await client.get(read(""))
    long_way = client.plane.long_way
    assert isinstance(client.decide(read(held)), Answer)
    assert client.plane.long_way == long_way


async def test_newer_key__database_away__is_answered_at_once(world: World, client: Client) -> None:
    """There is nothing to look at, and anybody can make up a key."""
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    await client.get(read(""))
    world.database.away = True
    # The first one finds out; it is answered as soon as that is known.
    assert (await client.get(read(MADE_UP))).status == 200
    assert client.plane.health().databases[0].away_since is not None
    assert isinstance(client.decide(read(MADE_UP)), Answer)


async def test_made_up_keys__in_a_herd__share_a_look(world: World, client: Client) -> None:
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    looks = world.database.reads
    answers = await asyncio.gather(*(client.get(read(MADE_UP)) for _ in range(200)))
    assert {answer.status for answer in answers} == {200}
    assert world.database.reads - looks <= 3


async def test_made_up_keys__one_after_the_other__look_no_more_often_than_clients_may(
    world: World, client: Client
) -> None:
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    before = world.database.reads
    for _ in range(6):
        await client.get(read(MADE_UP))
    looks = world.database.read_at[before:]
    assert len(looks) >= 6
    assert all(later - earlier > NUDGE_GAP_S * 0.9 for earlier, later in pairwise(looks))


async def test_configfiles__have_no_key__and_look_for_nothing(world: World, client: Client) -> None:
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    assert (await client.get("/configfiles/json/shop/default/application")).status == 200  # its content is in memory
    assert isinstance(client.decide(f"/configfiles/shop/default/application?releaseKey={MADE_UP}"), Answer)


@pytest.mark.parametrize(
    ("held", "current", "ahead"),
    [
        ("20250101080001-a", "20250101080000-b", True),
        ("20250101080000-b", "20250101080000-a", False),
        ("20250101080000-a", "20250101080001-b", False),
        ("20250101080001-a", "", True),
        ("", "", False),
        ("zz", "20250101080000-a", False),
        ("2025010108000²-a", "20250101080000-a", False),
        ("20250101080000-a+20250101080005-b", "20250101080000-a+20250101080004-b", True),
        ("20250101080003-a+20250101080001-b", "20250101080001-b", True),
        ("20250101080003-a+20250101080001-b", "20250101080003-a", True),
        ("20250101080003-a", "20250101080003-a+20250101080001-b", False),
    ],
)
def test_ahead__is_a_time_that_is_newer_where_keys_first_differ(held: str, current: str, ahead: bool) -> None:
    assert is_ahead(held, current) is ahead
