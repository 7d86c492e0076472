"""The short way: what is remembered of a path, and for whom (docs/decisions/0003-one-decision-two-shells.md)."""

from __future__ import annotations

from helicon_server.domain.gray import GrayRule
from tests.unit.delivery.world import Client, World, body, configs

READ = configs("shop", "default", "application")


def at_once(client: Client, target: str) -> int | None:
    """The status of an answer on the short way, None when there is none."""
    path, _, query = target.partition("?")
    short_way = client.plane._decider.short_way
    answer = short_way.answer(path.encode(), query.encode(), target.encode(), client.headers.get, "127.0.0.1")
    return None if answer is None else answer.status


async def test_304__is_remembered_too__and_whoever_needs_the_bytes_goes_the_long_way(
    world: World, client: Client
) -> None:
    """Behind each release most clients of other namespaces ask with the key that is current."""
    release = await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    current = f"{READ}?releaseKey={release.head.key}"
    assert at_once(client, current) is None

    assert (await client.get(current)).status == 304
    assert at_once(client, current) == 304
    assert at_once(client, READ) is None
    assert at_once(client, READ + "?releaseKey=other") is None

    assert body(await client.get(READ))["configurations"] == {"a": "1"}
    assert at_once(client, READ) == 200
    assert at_once(client, current) == 304


async def test_304_on_the_long_way__does_not_forget_the_answer(world: World, client: Client) -> None:
    release = await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    await client.get(READ)

    assert (await client.get(f"{READ}?release%4bey={release.head.key}")).status == 304

    assert at_once(client, READ) == 200


async def test_304_of_a_gray_client__is_remembered_for_its_choice_alone(world: World, client: Client) -> None:
    normal = await world.publish("shop", "application", {"a": "normal"})
    await world.branch("shop", "application", {"a": "gray"}, GrayRule("shop", labels=("canary",)))
    await client.seen(world)

    assert (await client.get(f"{READ}?releaseKey={normal.head.key}")).status == 304

    assert at_once(client, f"{READ}?releaseKey={normal.head.key}") == 304
    assert at_once(client, f"{READ}?label=canary&releaseKey={normal.head.key}") is None
