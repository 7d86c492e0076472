"""`/notifications`: the poll of very old clients (Apollo client protocol, section 8)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helicon_server.delivery.outcomes import Answer, Defer, Park
from helicon_server.delivery.plane import DeliveryPlane
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import QUICK, Client, World, body, legacy


def ask(known: int | str | None = None, **query: str) -> str:
    more = {} if known is None else {"notificationId": str(known)}
    return legacy(**{"appId": "shop", "cluster": "default", **query, **more})


async def test_newer__is_one_object_without_messages(world: World, client: Client) -> None:
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)

    answer = await client.get(ask())

    assert answer.status == 200
    assert body(answer) == {"namespaceName": "application", "notificationId": await world.newest_message()}


@pytest.mark.parametrize("off", [-1, 1])
async def test_other_id__is_told_at_once_whether_greater_or_not(world: World, client: Client, off: int) -> None:
    """Different, not greater: an id that another namespace got counts too."""
    await world.publish("shop", "application", {"a": "1"})
    newest = await world.newest_message()
    await world.publish("shop", "other", {"a": "1"})
    await client.seen(world)

    answer = await client.get(ask(newest + off))

    assert body(answer)["notificationId"] == newest


async def test_id_that_this_node_does_not_know_yet__is_waited_for(world: World, client: Client) -> None:
    """Promise 1: a client that another node told more is not told less by this one."""
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    world.bus.muted = True
    await world.publish("shop", "application", {"a": "2"})
    known = await world.newest_message()

    outcome = client.decide(ask(known))
    assert isinstance(outcome, Defer)
    held = await client.plane.resolve(outcome)
    assert isinstance(held, Park)


async def test_same_id__is_held_for_its_own_time(world: World, client: Client) -> None:
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)

    outcome = client.decide(ask(await world.newest_message()))

    assert isinstance(outcome, Park)
    assert outcome.hold_s == 30


async def test_held_to_the_end__is_304(world: World) -> None:
    plane = world.plane(replace(QUICK, hold_s=0.2, legacy_hold_s=0.1))
    await plane.start()
    held = Client(plane).hold(ask())

    await wait_until_async(lambda: held.answer, 5, "the end")

    assert held.answer is not None
    assert held.answer.status == 304
    assert not held.answer.body
    await plane.stop()


async def test_held__is_pushed_one_object(world: World, client: Client) -> None:
    held = client.hold(ask())

    await world.publish("shop", "application", {"a": "1"})
    await wait_until_async(lambda: held.answer, 5, "news")

    assert held.answer is not None
    assert body(held.answer) == {"namespaceName": "application", "notificationId": await world.newest_message()}


@pytest.mark.parametrize("cluster", ["default", "east", "west"])
async def test_watched__cluster_data_center_and_default(world: World, client: Client, cluster: str) -> None:
    held = client.hold(ask(cluster="east", dataCenter="west"))

    await world.publish("shop", "application", {"a": "1"}, cluster=cluster)
    await wait_until_async(lambda: held.answer, 5, "news")


async def test_public_namespace__is_watched_at_its_owner(world: World, client: Client) -> None:
    await world.define("base", "common", public=True)
    await client.seen(world)
    held = client.hold(ask(namespace="common"))

    await world.publish("base", "common", {"a": "1"})
    await wait_until_async(lambda: held.answer, 5, "news")

    assert held.answer is not None
    assert body(held.answer)["namespaceName"] == "common"


async def test_properties_suffix__is_stripped_and_nothing_else(world: World, client: Client) -> None:
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)

    assert body(await client.get(ask(namespace="application.PROPERTIES")))["namespaceName"] == "application"


@pytest.mark.parametrize("asked", [{"namespace": "Application"}, {"appId": "Shop"}, {"cluster": "East"}])
async def test_other_case__is_told_of_nothing(world: World, client: Client, asked: dict[str, str]) -> None:
    """No normalisation, and pushes compare with the case; a poll that was there first is let go with 304."""
    spelled = {"cluster": "east", **asked}
    early = client.hold(ask(**spelled))
    await world.define("shop", "application")
    await world.publish("shop", "application", {"a": "1"}, cluster="east")
    await client.seen(world)

    late = client.hold(ask(**spelled))
    await world.publish("shop", "application", {"a": "2"}, cluster="east")
    await client.seen(world)
    await wait_until_async(lambda: early.answer, 5, "the poll to be let go")

    assert early.answer is not None
    assert early.answer.status == 304
    assert not late.answers


async def test_case_of_another_cluster__does_not_hide_default(world: World, client: Client) -> None:
    await world.publish("shop", "application", {"a": "1"}, cluster="east")
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)

    assert body(await client.get(ask(cluster="EAST")))["notificationId"] == await world.newest_message()


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"cluster": "default"}, 400, "invalid_app_id"),
        ({"appId": "", "cluster": "default"}, 400, "invalid_app_id"),
        ({"appId": "shop"}, 500, "missing_parameter"),
        ({"appId": "shop", "cluster": "default", "notificationId": "abc"}, 500, "invalid_parameter"),
        ({"appId": "shop", "cluster": "default", "notificationId": "1.5"}, 500, "invalid_parameter"),
        ({"appId": "shop", "cluster": "default", "notificationId": "\u0663"}, 500, "invalid_parameter"),
        ({"appId": "shop", "cluster": "default", "notificationId": "1_0"}, 500, "invalid_parameter"),
        ({"appId": "shop", "cluster": "default", "notificationId": " 7 "}, 500, "invalid_parameter"),
        ({"appId": "shop", "cluster": "default", "notificationId": "7\n"}, 500, "invalid_parameter"),
        ({"appId": "shop", "cluster": "default", "notificationId": "9" * 20}, 500, "invalid_parameter"),
        ({"appId": "shop", "cluster": "default", "namespace": "n" * 300}, 400, "name_too_long"),
    ],
)
async def test_wrong_parameters__are_refused_as_the_table_says(
    client: Client, query: dict[str, str], status: int, code: str
) -> None:
    """Sections 1.3, 7.4 and 17."""
    answer = await client.get(legacy(**query))

    assert answer.status == status
    assert body(answer)["code"] == code


async def test_empty_parameters__count_as_absent(world: World, client: Client) -> None:
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)

    answer = await client.get(ask(namespace="", notificationId="", dataCenter="", ip=""))

    assert body(answer)["namespaceName"] == "application"


async def test_prefix__names_the_environment(world: World, client: Client) -> None:
    await world.publish("shop", "application", {"a": "1"}, environment="PRO")
    await client.seen(world)

    assert (await client.get("/envs/PRO" + ask())).status == 200
    assert isinstance(client.decide(ask()), Park)


@pytest.mark.parametrize("path", ["/notifications/", "/notifications/v1", "/Notifications"])
async def test_other_paths__are_none(client: Client, path: str) -> None:
    answer = await client.get(path + "?appId=shop&cluster=default")

    assert answer.status == 404
    assert body(answer)["code"] == "unknown_path"


async def test_draining__refuses_it(client: Client, plane: DeliveryPlane) -> None:
    held = client.hold(ask())
    plane.begin_drain()

    refused = await client.get(ask())

    assert refused.status == 503
    await wait_until_async(lambda: held.answer, 5, "the poll to be let go")


async def test_defined_later__polls_that_would_watch_other_keys_ask_again(world: World, client: Client) -> None:
    held = client.hold(ask(namespace="common"))
    beside = client.hold(ask(namespace="other"))

    await world.define("base", "common", public=True)
    await wait_until_async(lambda: held.answer, 5, "the poll to be let go")

    assert held.answer is not None
    assert held.answer.status == 304
    assert not beside.answers


async def test_definition_of_another_app__leaves_a_poll_with_a_name_in_another_case_alone(
    world: World, client: Client
) -> None:
    """The key that was left out for its spelling is no reason to ask again."""
    await world.publish("shop", "application", {"a": "1"}, cluster="east")
    await client.seen(world)
    held = client.hold(ask(cluster="East"))

    await world.define("other", "application")
    await client.seen(world)
    other = client.hold(ask(cluster="East", appId="else"))
    await world.publish("else", "application", {"a": "1"})
    await wait_until_async(lambda: other.answer, 5, "news of another app, behind the review")

    assert not held.answers


@pytest.mark.parametrize("prefix", ["", "/envs/DEV"])
async def test_refused_poll__names_the_path_that_was_asked(world: World, prefix: str) -> None:
    plane = world.plane(replace(QUICK, max_waiters_per_peer=1))
    await plane.start()
    client = Client(plane)
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    target = prefix + ask(await world.newest_message())

    held = client.hold(target)
    refused = client.hold(target).waiter

    assert isinstance(refused, Answer)
    assert (refused.status, body(refused)["path"]) == (429, f"{prefix}/notifications")
    held.release()
    await plane.stop()
