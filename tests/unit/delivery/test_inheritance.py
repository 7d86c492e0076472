"""Per-key inheritance: a cluster's release laid over that of `default` (off unless a namespace is set to it)."""

from __future__ import annotations

from helicon_server.domain.gray import GrayRule
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import Client, World, body, configs, poll

CANARY = GrayRule("shop", ips=("10.0.0.1",))
EAST = configs("shop", "east", "application")


async def two_clusters(world: World, client: Client) -> tuple[str, str]:
    """Publishes `application` of `shop` in `default` and `east`; returns both release keys, `east` first."""
    default = await world.publish("shop", "application", {"a": "default", "b": "default"})
    east = await world.publish("shop", "application", {"c": "east", "a": "east"}, cluster="east")
    await client.seen(world)
    return east.head.key, default.head.key


async def test_inherits__key_by_key__with_both_release_keys(world: World, client: Client) -> None:
    east, default = await two_clusters(world, client)
    await world.inherit("shop", "application", cluster="east")
    await client.seen(world)

    answer = body(await client.get(EAST))

    assert answer["configurations"] == {"a": "east", "b": "default", "c": "east"}
    assert list(answer["configurations"]) == ["a", "b", "c"]
    assert answer["releaseKey"] == f"{east}+{default}"
    assert answer["cluster"] == "east"
    for _ in range(2):
        assert (await client.get(configs("shop", "east", "application", releaseKey=f"{east}+{default}"))).status == 304
        assert (await client.get(configs("shop", "east", "application", releaseKey=east))).status == 200


async def test_not_set__the_whole_namespace_is_taken_from_one_cluster(world: World, client: Client) -> None:
    """Section 4.2: as the original does it."""
    east, _ = await two_clusters(world, client)

    answer = body(await client.get(EAST))

    assert answer["configurations"] == {"c": "east", "a": "east"}
    assert answer["releaseKey"] == east


async def test_set_and_unset__is_told_and_changes_the_release_key(world: World, client: Client) -> None:
    await two_clusters(world, client)
    before = body(await client.get(EAST))["releaseKey"]
    held = client.hold(poll("shop", "east", {"application": await world.newest_message()}))

    await world.inherit("shop", "application", cluster="east")
    await wait_until_async(lambda: held.answer, 5, "news")
    assert body(await client.get(EAST))["releaseKey"] != before

    await world.inherit("shop", "application", cluster="east", inherits=False)
    await client.seen(world)
    assert body(await client.get(EAST))["releaseKey"] == before


async def test_new_release_of_default__reaches_the_inheriting_cluster(world: World, client: Client) -> None:
    await two_clusters(world, client)
    await world.inherit("shop", "application", cluster="east")
    await client.seen(world)
    assert (await client.get(EAST)).status == 200
    held = client.hold(poll("shop", "east", {"application": await world.newest_message()}))

    await world.publish("shop", "application", {"a": "default", "b": "new"})
    await wait_until_async(lambda: held.answer, 5, "news")

    assert body(await client.get(EAST))["configurations"] == {"a": "east", "b": "new", "c": "east"}


async def test_default_without_a_release__leaves_the_cluster_s_alone(world: World, client: Client) -> None:
    east = await world.publish("shop", "application", {"a": "east"}, cluster="east")
    await world.inherit("shop", "application", cluster="east")
    await client.seen(world)

    assert body(await client.get(EAST))["releaseKey"] == east.head.key


async def test_cluster_of_the_data_center__is_laid_over_default_too(world: World, client: Client) -> None:
    east, default = await two_clusters(world, client)
    await world.inherit("shop", "application", cluster="east")
    await client.seen(world)

    answer = body(await client.get(configs("shop", "none", "application", dataCenter="east")))

    assert answer["releaseKey"] == f"{east}+{default}"


async def test_default_that_is_set_to_inherit__is_laid_over_nothing(world: World, client: Client) -> None:
    release = await world.publish("shop", "application", {"a": "default"})
    await world.inherit("shop", "application", cluster="default")
    await client.seen(world)

    for cluster in ("default", "Default", "none"):
        answer = body(await client.get(configs("shop", cluster, "application")))
        assert answer["releaseKey"] == release.head.key


async def test_own_and_public_part__inherit_each_for_itself(world: World, client: Client) -> None:
    """The release key joins all that contribute: own, own default, public, public default."""
    await world.define("base", "common", public=True)
    keys = []
    for app in ("shop", "base"):
        for cluster in ("east", "default"):
            content = {"all": f"{app} {cluster}", f"{app}.all": cluster, f"{app}.{cluster}": "only"}
            keys.append((await world.publish(app, "common", content, cluster=cluster)).head.key)
    await world.inherit("shop", "common", cluster="east")
    await world.inherit("base", "common", cluster="east")
    await client.seen(world)

    answer = body(await client.get(configs("shop", "east", "common")))

    assert answer["releaseKey"] == "+".join(keys)
    assert answer["configurations"] == {
        "all": "shop east",
        "base.all": "east",
        "base.default": "only",
        "base.east": "only",
        "shop.all": "east",
        "shop.default": "only",
        "shop.east": "only",
    }

    await world.inherit("shop", "common", cluster="east", inherits=False)
    await client.seen(world)
    assert body(await client.get(configs("shop", "east", "common")))["releaseKey"] == "+".join([keys[0], *keys[2:]])


async def test_gray_release_of_default__lies_under_for_its_clients_only(world: World, client: Client) -> None:
    await two_clusters(world, client)
    await world.inherit("shop", "application", cluster="east")
    await world.branch("shop", "application", {"a": "gray", "b": "gray"}, CANARY)
    await client.seen(world)

    for _ in range(2):
        gray = body(await client.get(EAST + "?ip=10.0.0.1"))
        assert gray["configurations"] == {"a": "east", "b": "gray", "c": "east"}
        assert gray["cluster"] == "east"
        assert body(await client.get(EAST))["configurations"] == {"a": "east", "b": "default", "c": "east"}


async def test_gray_release_of_the_cluster__is_laid_over_default(world: World, client: Client) -> None:
    await two_clusters(world, client)
    await world.inherit("shop", "application", cluster="east")
    branch = await world.branch("shop", "application", {"a": "gray"}, CANARY, cluster="east")
    await client.seen(world)

    for _ in range(2):
        gray = body(await client.get(EAST + "?ip=10.0.0.1"))
        assert gray["configurations"] == {"a": "gray", "b": "default"}
        assert gray["cluster"] == branch.name


async def test_files__are_merged_alike(world: World, client: Client) -> None:
    await two_clusters(world, client)
    await world.inherit("shop", "application", cluster="east")
    await client.seen(world)

    assert body(await client.get("/configfiles/json/shop/east/application")) == {
        "a": "east",
        "b": "default",
        "c": "east",
    }
    assert (await client.get("/configfiles/shop/east/application")).body == b"a=east\nb=default\nc=east\n"
