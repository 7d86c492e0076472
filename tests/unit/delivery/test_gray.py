"""Reads of clients that a gray release is for, and of those that it is not for (Apollo client protocol, section 10)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from helicon_server.delivery.outcomes import Answer, Defer
from helicon_server.delivery.plane import DeliveryPlane
from helicon_server.domain.gray import GrayBranch, GrayRule
from tests.support.wait import wait_until_async
from tests.unit.delivery.backups import Backup
from tests.unit.delivery.world import Client, World, body, configs, poll

CANARY = GrayRule("shop", ips=("10.0.0.1",), labels=("canary",))
READ = configs("shop", "default", "application")


@pytest.fixture
async def gray(world: World, client: Client) -> AsyncIterator[GrayBranch]:
    """``application`` of ``shop`` with a normal release ``a=normal`` and a branch ``a=gray`` for ``CANARY``."""
    await world.publish("shop", "application", {"a": "normal"})
    yield await world.branch("shop", "application", {"a": "gray"}, CANARY)
    assert client.plane.store.loads == 0, "a gray release was read when it was asked for, and not before"


async def value(client: Client, target: str) -> object:
    answer = await client.get(target)
    assert answer.status == 200
    configurations = body(answer)["configurations"]
    assert isinstance(configurations, dict)
    return configurations["a"]


async def test_gray__chosen_by_ip_or_label__and_by_nothing_else(world: World, client: Client, gray: GrayBranch) -> None:
    await client.seen(world)

    for _ in range(2):  # the second round goes the short way
        assert await value(client, READ + "?ip=10.0.0.1") == "gray"
        assert await value(client, READ + "?ip=10.0.0.2") == "normal"
        assert await value(client, READ + "?ip=10.0.0.2&label=canary") == "gray"
        assert await value(client, READ + "?ip=undefined") == "normal"
        assert await value(client, READ + "?ip=&label=") == "normal"
        assert await value(client, READ) == "normal"


async def test_gray__cluster_of_the_answer_is_the_branch(world: World, client: Client, gray: GrayBranch) -> None:
    """Section 4.5."""
    await client.seen(world)

    answer = body(await client.get(READ + "?ip=10.0.0.1"))

    assert answer["cluster"] == gray.name
    assert body(await client.get(READ))["cluster"] == "default"
    assert answer["releaseKey"] != body(await client.get(READ))["releaseKey"]


async def test_gray__304_is_for_the_client_s_own_release(world: World, client: Client, gray: GrayBranch) -> None:
    await client.seen(world)
    canary = str(body(await client.get(READ + "?ip=10.0.0.1"))["releaseKey"])

    for _ in range(2):
        assert (await client.get(READ + f"?ip=10.0.0.1&releaseKey={canary}")).status == 304
        assert (await client.get(READ + f"?ip=10.0.0.2&releaseKey={canary}")).status == 200


async def test_gray__the_address_is_the_parameter_then_the_proxy_s_then_the_peer_s(
    world: World, client: Client, gray: GrayBranch
) -> None:
    """Section 4.1."""
    await client.seen(world)

    for _ in range(2):
        client.headers = {b"x-forwarded-for": b" 10.0.0.1 , 10.0.0.9"}
        assert await value(client, READ) == "gray"
        assert await value(client, READ + "?ip=") == "gray"
        assert await value(client, READ + "?ip=10.0.0.2") == "normal"
        client.headers = {b"x-forwarded-for": b"10.0.0.9, 10.0.0.1"}
        assert await value(client, READ) == "normal"

    await world.change_branch(replace(gray, rules=(GrayRule("shop", ips=("127.0.0.1",)),)))
    await client.seen(world)
    client.headers = {}
    for _ in range(2):
        assert await value(client, READ) == "gray"


@pytest.mark.parametrize("form", ["", "json/", "raw/"])
async def test_gray__files_obey_it_and_keep_it_from_others(
    world: World, client: Client, gray: GrayBranch, form: str
) -> None:
    """Section 6.2: gray content is never kept for everybody, also not of a rule for every label."""
    await client.seen(world)
    target = f"/configfiles/{form}shop/default/application"

    for _ in range(2):
        assert b"gray" in (await client.get(target + "?ip=10.0.0.1")).body
        assert b"normal" in (await client.get(target)).body

    await world.change_branch(replace(gray, rules=(GrayRule("shop", labels=("*",)), GrayRule("other", ips=("*",)))))
    await client.seen(world)
    assert b"gray" in (await client.get(target)).body
    await world.delete_branch(gray)
    await client.seen(world)
    assert b"normal" in (await client.get(target)).body


async def test_gray__changed_rules__count_at_once_and_tell_the_polls(
    world: World, client: Client, gray: GrayBranch
) -> None:
    """Section 9: changed rules notify the namespace."""
    await client.seen(world)
    assert await value(client, READ + "?ip=10.0.0.2") == "normal"
    held = client.hold(poll("shop", "default", {"application": await world.newest_message()}))

    await world.change_branch(replace(gray, rules=(GrayRule("shop", ips=("10.0.0.0/24",)),)))
    await wait_until_async(lambda: held.answer, 5, "news")

    assert await value(client, READ + "?ip=10.0.0.2") == "gray"


async def test_gray__each_cluster_has_its_own_branches(world: World, client: Client, gray: GrayBranch) -> None:
    """Section 4.2: a branch of `default` says nothing of another cluster's release."""
    await world.publish("shop", "application", {"a": "east"}, cluster="east")
    await world.publish("shop", "application", {"a": "west"}, cluster="west")
    await world.branch("shop", "application", {"a": "west gray"}, CANARY, cluster="west")
    await client.seen(world)

    for _ in range(2):
        assert await value(client, configs("shop", "east", "application", ip="10.0.0.1")) == "east"
        assert await value(client, configs("shop", "west", "application", ip="10.0.0.1")) == "west gray"
        assert await value(client, configs("shop", "none", "application", ip="10.0.0.1")) == "gray"
        target = configs("shop", "none", "application", dataCenter="west", ip="10.0.0.1")
        assert await value(client, target) == "west gray"
        assert await value(client, target.replace("10.0.0.1", "10.0.0.2")) == "west"


async def test_gray__of_a_public_namespace__names_the_consuming_app(world: World, client: Client) -> None:
    """Section 10.1: the rule belongs to the owner's namespace, `clientAppId` is the consumer."""
    await world.define("base", "common", public=True)
    await world.publish("base", "common", {"a": "normal"})
    branch = await world.branch("base", "common", {"a": "gray"}, CANARY)
    await client.seen(world)

    for _ in range(2):
        consumer = body(await client.get(configs("shop", "default", "common", ip="10.0.0.1")))
        assert consumer["configurations"] == {"a": "gray"}
        assert consumer["cluster"] == "default"  # of the app's own release, and there is none
        assert await value(client, configs("other", "default", "common", ip="10.0.0.1")) == "normal"
        assert await value(client, configs("base", "default", "common", ip="10.0.0.1")) == "normal"
    assert branch.ref.app == "base"


async def test_gray__several_branches__by_priority_on_the_short_way_too(
    world: World, client: Client, gray: GrayBranch
) -> None:
    everybody = GrayRule("shop", ips=("0.0.0.0/0",))
    await world.branch("shop", "application", {"a": "everybody"}, everybody, priority=5)
    await world.branch("shop", "application", {"a": "first"}, GrayRule("shop", labels=("first",)), priority=-1)
    await client.seen(world)

    for _ in range(2):
        assert await value(client, READ + "?ip=10.0.0.1") == "gray"
        assert await value(client, READ + "?ip=10.0.0.2") == "everybody"
        assert await value(client, READ + "?ip=10.0.0.1&label=first") == "first"
        assert await value(client, READ + "?ip=None") == "normal"


async def test_gray__content_that_is_gone__falls_back_to_the_normal_release(world: World, client: Client) -> None:
    """Section 10.2, step 4."""
    await world.publish("shop", "application", {"a": "normal"})
    branch = await world.branch("shop", "application", {"a": "gray"}, CANARY)
    assert branch.release_id is not None
    await client.seen(world)
    fresh = Client(world.plane())
    await fresh.plane.start()
    await world.lose_release(branch.release_id)

    assert isinstance(fresh.decide(READ + "?ip=10.0.0.1"), Defer)
    assert await value(fresh, READ + "?ip=10.0.0.1") == "normal"
    remembered = fresh.decide(READ + "?ip=10.0.0.1")
    assert isinstance(remembered, Answer)
    assert remembered.status == 200
    await fresh.plane.stop()


async def test_gray__of_a_restored_database__is_followed(world: World, plane: DeliveryPlane, client: Client) -> None:
    """Promise 1: what another branch or another rule means for clients is told to them."""
    await world.publish("shop", "application", {"a": "normal"})
    await world.publish("shop", "other", {"a": "other"})
    backup = Backup(world)
    await world.branch("shop", "application", {"a": "gray"}, CANARY)
    known = await world.newest_message()
    await client.seen(world)
    assert await value(client, READ + "?ip=10.0.0.1") == "gray"
    held = client.hold(poll("shop", "default", {"application": known}))

    backup.restore()
    world.bus.hint()
    await wait_until_async(lambda: held.answer, 5, "news")

    assert await value(client, READ + "?ip=10.0.0.1") == "normal"
    assert plane.health().databases[0].seen_id > known


async def test_gray__another_branch_under_an_id_that_is_given_again__is_told_under_a_greater_one(
    world: World, client: Client
) -> None:
    """The release of the namespace is the same one, and so is its id: only its branches tell that something moved."""
    await world.publish("shop", "application", {"a": "normal"})
    backup = Backup(world)
    await world.branch("shop", "application", {"a": "gray"}, CANARY)
    known = await world.newest_message()
    await client.seen(world)
    held = client.hold(poll("shop", "default", {"application": known}))

    world.bus.muted = True
    backup.restore()
    await world.branch("shop", "application", {"a": "another"}, CANARY)
    assert await world.newest_message() == known
    world.bus.muted = False
    world.bus.hint()
    await wait_until_async(lambda: held.answer, 5, "news")

    assert held.answer is not None
    assert held.answer.status == 200
    assert await world.newest_message() > known
    assert await value(client, READ + "?ip=10.0.0.1") == "another"


async def test_gray__many_choices_on_one_path__stay_bounded_and_right(world: World, client: Client) -> None:
    await world.publish("shop", "application", {"a": "normal"})
    for number in range(100):
        await world.branch("shop", "application", {"a": f"{number}"}, GrayRule("shop", labels=(f"l{number}",)))
    await client.seen(world)

    for _ in range(2):
        for number in range(100):
            assert await value(client, READ + f"?label=l{number}") == f"{number}"
        assert await value(client, READ) == "normal"
    hits = client.plane._decider.short_way._hits
    assert max(len(hit.variants) for hit in hits.values()) <= 64


@pytest.mark.parametrize("name", ["%69p", "i%70"])
async def test_gray__escaped_parameter_names__are_read_alike(
    world: World, client: Client, gray: GrayBranch, name: str
) -> None:
    await client.seen(world)

    for _ in range(2):
        assert await value(client, READ + f"?{name}=10.0.0.1") == "gray"
        assert await value(client, READ + "?ip=10%2E0.0.1") == "gray"
