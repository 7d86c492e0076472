"""The short way of polls: what may be held at once, and what must be understood anew."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from helicon_server.delivery.outcomes import Answer, Defer, Park
from tests.unit.delivery.world import Client, World, entries, poll


def goes_the_long_way(client: Client, target: str) -> bool:
    """Decides a request and tells whether anything was worked out for it."""
    before = client.plane.long_way
    client.decide(target)
    return client.plane.long_way > before


async def newest_of(world: World, client: Client, value: str) -> int:
    """Publishes and gives the id that a poll must name to be held."""
    await world.publish("shop", "application", {"a": value})
    await client.seen(world)
    return await world.newest_message()


async def test_equal_polls__are_understood_once__whatever_else_they_say(world: World, client: Client) -> None:
    """Real clients add their address: what a poll is held for does not depend on it."""
    seen = {"application": await newest_of(world, client, "1")}
    assert goes_the_long_way(client, poll("shop", "default", seen, ip="10.0.0.1"))

    assert not goes_the_long_way(client, poll("shop", "default", seen, ip="10.0.0.2"))
    first = client.decide(poll("shop", "default", seen, ip="10.0.0.3"))

    assert isinstance(first, Park)
    assert first.known == (seen["application"],)
    assert [each.name for each in first.watched] == ["application"]


@pytest.mark.parametrize(
    ("app", "cluster", "data_center", "name", "less"),
    [
        ("other", "default", "", "application", 0),
        ("shop", "north", "", "application", 0),
        ("shop", "default", "west", "application", 0),
        ("shop", "default", "", "more", 0),
        ("shop", "default", "", "application", 1),
    ],
)
async def test_poll_that_differs__is_understood_anew(
    world: World, client: Client, app: str, cluster: str, data_center: str, name: str, less: int
) -> None:
    newest = await newest_of(world, client, "1")
    assert isinstance(client.decide(poll("shop", "default", {"application": newest})), Park)

    target = poll(app, cluster, {name: newest - less}, **({"dataCenter": data_center} if data_center else {}))

    assert goes_the_long_way(client, target)


async def test_release__makes_a_remembered_poll_news(world: World, client: Client) -> None:
    seen = {"application": await newest_of(world, client, "1")}
    target = poll("shop", "default", seen)
    client.decide(target)

    newest = await newest_of(world, client, "2")
    outcome = client.decide(target)

    assert isinstance(outcome, Answer)
    assert entries(outcome)[0]["notificationId"] == newest


async def test_definition__makes_a_remembered_poll_watch_what_is_public_now(world: World, client: Client) -> None:
    seen = {"redis": -1}
    before = client.decide(poll("shop", "default", seen))
    await world.define("platform", "redis", public=True)
    await client.seen(world)

    after = client.decide(poll("shop", "default", seen))

    assert isinstance(before, Park)
    assert isinstance(after, Park)
    assert [len(each.watched[0].keys) for each in (before, after)] == [1, 2]


async def test_access_key__is_asked_of_a_remembered_poll(world: World, client: Client) -> None:
    """Both: a key that appears behind the first poll, and the signature of every poll after that."""
    seen = {"application": await newest_of(world, client, "1")}
    target = poll("shop", "default", seen)
    assert isinstance(client.decide(target), Park)

    await world.key("shop", "secret")
    await client.seen(world)
    unsigned = client.decide(target)
    client.sign("secret", target)
    signed = [client.decide(target), client.decide(target)]
    client.headers.clear()
    unsigned_again = client.decide(target)

    assert isinstance(unsigned, Answer)
    assert unsigned.status == 401
    assert all(isinstance(each, Park) for each in signed)
    assert isinstance(unsigned_again, Answer)
    assert unsigned_again.status == 401


async def test_id_from_another_node__is_looked_for_each_time(world: World, client: Client) -> None:
    """It was looked for in vain once and the poll was held; now the message may be there."""
    seen = {"application": await newest_of(world, client, "1") + 1000}
    target = poll("shop", "default", seen)
    held = await client.hold_after_a_look(target)

    again = client.decide(target)

    assert isinstance(again, Defer)
    held.release()


async def test_drain__refuses_a_remembered_poll(world: World, client: Client) -> None:
    target = poll("shop", "default", {"application": await newest_of(world, client, "1")})
    client.decide(target)

    client.plane.begin_drain()
    outcome = client.decide(target)

    assert isinstance(outcome, Answer)
    assert outcome.status == 503


async def test_same_query_in_another_environment__is_held_for_that_one(world: World, client: Client) -> None:
    await world.environments_more("TEST")
    await client.seen(world)
    target = poll("shop", "default", {"application": -1})

    held = [client.decide(each) for each in (target, "/envs/test" + target, target)]

    assert [each.view.name for each in held if isinstance(each, Park)] == ["DEV", "TEST", "DEV"]


async def test_environment_that_is_gone__is_not_held_for(world: World, client: Client) -> None:
    await world.environments_more("TEST")
    await client.seen(world)
    target = "/envs/test" + poll("shop", "default", {"application": -1})
    assert isinstance(client.decide(target), Park)
    assert not goes_the_long_way(client, target)

    client.plane._directory.rebuild([])
    outcome = client.decide(target)

    assert isinstance(outcome, Answer)


async def test_remembered_polls__are_bounded(client: Client) -> None:
    known = client.plane._decider._short_polls
    names = [f"{number:0100}" for number in range(6_000)]

    for name in names:
        client.decide(poll("shop", "default", {name: -1}))

    assert 0 < known.remembered_bytes <= 8 * 1024 * 1024
    assert 0 < len(known) < len(names)


async def test_poll_of_very_many_names__is_not_remembered(client: Client) -> None:
    text = quote(json.dumps([{"namespaceName": f"n{number}", "notificationId": -1} for number in range(100)]))
    target = f"/notifications/v2?appId=shop&cluster=default&notifications={text}"

    client.decide(target)

    assert len(client.plane._decider._short_polls) == 0
    assert goes_the_long_way(client, target)
