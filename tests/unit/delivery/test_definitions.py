"""Whose a name is (Apollo client protocol, section 3), and what becomes of held polls when that changes."""

from __future__ import annotations

import pytest

from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.outcomes import Park
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import Client, HeldPoll, World, body, configs, entries, poll

PLACEHOLDER = "ApolloNoAppIdPlaceHolder"


async def let_go(held: HeldPoll) -> int:
    """The status of the answer."""
    await wait_until_async(lambda: held.answer, 5, "answer")
    assert held.answer is not None
    return held.answer.status


async def test_own_private_definition__hides_the_public_one_of_another_app(world: World, client: Client) -> None:
    """Section 3: a name that belongs to the app is not looked up as a public one, released or not."""
    await world.define("platform", "redis", public=True)
    await world.publish("platform", "redis", {"of": "platform"})
    await world.define("shop", "Redis")
    await client.seen(world)

    assert (await client.get(configs("shop", "default", "redis"))).status == 404
    assert isinstance(client.decide(poll("shop", "default", {"redis": -1})), Park)
    assert (await client.get(configs("other", "default", "redis"))).status == 200

    await world.publish("shop", "Redis", {"of": "shop"})
    await client.seen(world)
    answer = body(await client.get(configs("shop", "default", "redis")))
    assert answer["configurations"] == {"of": "shop"}
    assert "+" not in str(answer["releaseKey"])


class TestHeldPolls:
    @pytest.mark.parametrize("app", ["shop", PLACEHOLDER])
    async def test_public_definition__that_is_new__lets_go_who_watches_the_name(
        self, world: World, client: Client, app: str
    ) -> None:
        """The client asks again and is told under the new keys, not when its hold would have ended."""
        held = client.hold(poll(app, "default", {"REDIS.properties": -1, "application": -1}))
        of_another_name = client.hold(poll(app, "default", {"mysql": -1}))
        elsewhere = client.hold("/envs/PRO" + poll(app, "default", {"redis": -1}))
        known = client.hold(poll("platform", "default", {"redis": -1}))

        await world.define("platform", "redis", public=True)

        assert await let_go(held) == 304
        again = client.hold(poll(app, "default", {"redis": -1}))
        await world.publish("platform", "redis", {"a": "1"})
        assert await let_go(again) == 200
        assert await let_go(known) == 200  # its keys were the right ones from the beginning
        assert (of_another_name.answer, elsewhere.answer) == (None, None)

    async def test_own_definition__over_a_public_one__lets_go_of_the_public_keys(
        self, world: World, client: Client
    ) -> None:
        await world.define("platform", "redis", public=True)
        await client.seen(world)
        held = client.hold(poll("shop", "default", {"redis": -1}))
        of_another_app = client.hold(poll("billing", "default", {"redis": -1}))

        await world.define("shop", "redis")

        assert await let_go(held) == 304
        again = client.hold(poll("shop", "default", {"redis": -1}))
        await world.publish("platform", "redis", {"a": "1"})
        assert await let_go(of_another_app) == 200
        assert again.answer is None

    async def test_definition_and_release__in_one_look__are_found_by_asking_again(
        self, world: World, client: Client
    ) -> None:
        held = client.hold(poll("shop", "default", {"redis": -1}))
        world.bus.muted = True
        await world.define("platform", "redis", public=True)
        await world.publish("platform", "redis", {"a": "1"})
        world.bus.muted = False
        world.bus.hint()

        assert await let_go(held) == 304
        assert [each["namespaceName"] for each in entries(await client.get(poll("shop", "default", {"redis": -1})))]

    async def test_ten_thousand__are_looked_at_in_slices(self, world: World) -> None:
        """A look costs a turn as an answer does; nobody is answered for whom nothing changed."""
        crowd, size = 10_000, 200
        options = DeliveryOptions(sweep_s=60, slice_size=size, warm_up=False, max_waiters_per_peer=crowd + 1)
        plane = world.plane(options)
        await plane.start()
        client = Client(plane)
        parked = client.decide(poll("shop", "default", {"mysql": -1}))
        assert isinstance(parked, Park)
        answers: list[object] = []
        for _ in range(crowd):
            plane.park(parked, answers.append)
        held = client.hold(poll("shop", "default", {"redis": -1}))

        await world.define("platform", "redis", public=True)

        assert await let_go(held) == 304
        await wait_until_async(lambda: plane.hub.slices >= crowd // size, 5, "slices")
        assert answers == []
        assert len(plane.hub) == crowd
        await plane.stop()
