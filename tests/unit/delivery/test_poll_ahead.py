"""Polls of clients that another node told of more, while this node's database is away (fault C1)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.outcomes import Answer, Defer, Park
from helicon_server.delivery.plane import DeliveryPlane
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import QUICK, Client, World, legacy, poll

BRIEF = replace(QUICK, catch_up_s=0.02)


async def behind(world: World, options: DeliveryOptions = BRIEF) -> tuple[DeliveryPlane, int]:
    """A plane that lost its database before it saw the newest release, and the id of that one."""
    plane = world.plane(options)
    await plane.start()
    await world.publish("shop", "application", {"a": "1"})
    await Client(plane).seen(world)
    world.database.away = True
    world.bus.hint()
    await wait_until_async(lambda: plane.health().databases[0].away_since, 5, "outage")
    await world.publish("shop", "application", {"a": "2"})
    async with world.database.write() as tx:  # which the other nodes reach
        return plane, await tx.messages.newest_id()


def asked(plane: DeliveryPlane, target: str) -> asyncio.Task[Answer | Park]:
    outcome = Client(plane).decide(target)
    assert isinstance(outcome, Defer)
    return asyncio.create_task(plane.resolve(outcome))


async def test_poll__waits_through_the_outage_and_is_told_the_next_release_only(world: World) -> None:
    """Neither again and again nothing, nor once more what it knows, nor nothing of what comes."""
    plane, told = await behind(world)
    both = [asked(plane, poll("shop", "default", {"application": told}))]
    both.append(asked(plane, legacy(appId="shop", cluster="default", notificationId=str(told))))
    await wait_until_async(lambda: plane._behind == 2, 5, "polls that wait")
    world.database.away = False
    answers: list[Answer] = []
    for waiting in both:
        park = await asyncio.wait_for(waiting, 10)
        assert isinstance(park, Park), "what it knows is no news"
        plane.park(park, answers.append)
    await world.publish("shop", "application", {"a": "3"})
    await wait_until_async(lambda: len(answers) == 2, 5, "news")
    newest = str(await world.newest_message()).encode()
    assert all(b'"notificationId":' + newest in answer.body for answer in answers)
    assert plane._behind == 0
    await plane.stop()


async def test_poll__with_other_news_behind_the_outage__is_told(world: World) -> None:
    plane, told = await behind(world)
    waiting = asked(plane, poll("shop", "default", {"application": told, "other": -1}))
    await world.publish("shop", "other", {"b": "1"})
    world.database.away = False
    answer = await asyncio.wait_for(waiting, 10)
    assert isinstance(answer, Answer)
    assert [entry["namespaceName"] for entry in json.loads(answer.body)] == ["other"]
    await plane.stop()


async def test_poll__at_the_end_of_its_hold__is_304(world: World) -> None:
    plane, told = await behind(world, replace(BRIEF, hold_s=0.1))
    answer = await asyncio.wait_for(asked(plane, poll("shop", "default", {"application": told})), 10)
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body) == (304, b"")
    await plane.stop()


async def test_poll__held_behind_a_wait__is_held_for_what_is_left(world: World) -> None:
    """Its client reads for a bounded time, and the wait was part of it."""
    plane, told = await behind(world)
    waiting = asked(plane, poll("shop", "default", {"application": told}))
    await wait_until_async(lambda: plane._behind, 5, "poll that waits")
    world.database.away = False
    park = await asyncio.wait_for(waiting, 10)
    assert isinstance(park, Park)
    assert park.hold_s < BRIEF.hold_s
    await plane.stop()


async def test_polls__that_wait_when_the_node_stops__are_304(world: World) -> None:
    plane, told = await behind(world)
    waiting = asked(plane, poll("shop", "default", {"application": told}))
    await wait_until_async(lambda: plane._behind, 5, "poll that waits")
    plane.begin_drain()
    answer = await asyncio.wait_for(waiting, 10)
    assert isinstance(answer, Answer)
    assert answer.status == 304
    await plane.stop()
