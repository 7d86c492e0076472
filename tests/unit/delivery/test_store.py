"""The release store: its budget, second chances, and what happens where nothing fits."""

from __future__ import annotations

from helicon_server.delivery.answers import JSON_TYPE, ok
from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.store import Content, ReleaseStore, merged
from tests.unit.delivery.world import Client, World, body, configs

KIB = 1024


def test_budget__exceeded__drops_what_nobody_used_and_stays_within() -> None:
    store = ReleaseStore(64 * KIB)
    kept = [store.put_prepared(number, ok(JSON_TYPE, b"x" * KIB)) for number in range(200)]

    assert store.used_bytes <= 64 * KIB
    assert kept[-1].answer is not None
    assert kept[0].answer is None
    assert store.prepared(0) is None
    assert sum(each.answer is not None for each in kept) >= 30


def test_budget__an_entry_in_use__has_a_second_chance() -> None:
    """An answer that is asked for all the time outlives any number that is not."""
    store = ReleaseStore(64 * KIB)
    wanted = store.put_prepared("wanted", ok(JSON_TYPE, b"x" * KIB))

    for number in range(1000):
        wanted.used = True
        store.put_prepared(number, ok(JSON_TYPE, b"x" * KIB)).used = False

    assert wanted.answer is not None


def test_budget__a_giant__is_not_kept() -> None:
    store = ReleaseStore(64 * KIB)
    small = store.put_prepared("small", ok(JSON_TYPE, b"x"))

    giant = store.put_prepared("giant", ok(JSON_TYPE, b"x" * 40 * KIB))

    assert giant.answer is not None
    assert store.prepared("giant") is None
    assert small.answer is not None


def test_budget__replaced_entry__is_counted_once() -> None:
    store = ReleaseStore(64 * KIB)
    store.put_prepared("one", ok(JSON_TYPE, b"x" * KIB))
    used = store.used_bytes

    store.put_prepared("one", ok(JSON_TYPE, b"x" * KIB))

    assert store.used_bytes == used


def test_merge__own_over_public__keeps_the_public_order() -> None:
    """Apollo client protocol, section 4.3."""
    assert merged([Content(b'{"b":"own","c":"own"}'), Content(b'{"a":"1","b":"1"}')]).encoded == (
        b'{"a":"1","b":"own","c":"own"}'
    )


async def test_store__too_small_for_anything__still_serves(world: World) -> None:
    """A wrong budget costs speed, not answers."""
    await world.publish("shop", "application", {"a": "x" * 5000})
    plane = world.plane(DeliveryOptions(sweep_s=60, content_budget_bytes=KIB))
    await plane.start()
    client = Client(plane)

    for _ in range(3):
        answer = await client.get(configs("shop", "default", "application"))
        assert body(answer)["configurations"] == {"a": "x" * 5000}
    assert plane.store.used_bytes == 0
    await plane.stop()


async def test_store__short_of_memory__serves_everything_and_stays_within_its_budget(world: World) -> None:
    budget = 100 * KIB
    plane = world.plane(DeliveryOptions(sweep_s=60, content_budget_bytes=budget))
    await plane.start()
    client = Client(plane)
    for number in range(50):
        await world.publish("shop", f"n{number}", {"a": str(number) * 2000})
    await client.seen(world)

    for _ in range(2):
        for number in range(50):
            answer = await client.get(configs("shop", "default", f"n{number}"))
            assert body(answer)["configurations"] == {"a": str(number) * 2000}
            assert plane.store.used_bytes <= budget
    await plane.stop()
