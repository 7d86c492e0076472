"""`/configs`: resolution, merge, release keys and 304 (Apollo client protocol, sections 3 and 4)."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import quote

import pytest

from helicon_server.delivery.outcomes import Answer, Defer
from helicon_server.delivery.plane import DeliveryPlane
from helicon_server.domain.names import NamespaceRef
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import Client, World, body, configs, header


async def test_configs__released__answers_everything_that_the_protocol_promises(world: World, client: Client) -> None:
    """Sections 4.5 and 1.1: the object, its content type, values as strings."""
    release = await world.publish("shop", "application", {"http.timeout": "2500", "greeting": "你好 <b>&"})
    await client.seen(world)

    answer = await client.get(configs("shop", "default", "application"))

    assert answer.status == 200
    assert header(answer, b"content-type") == b"application/json;charset=UTF-8"
    assert header(answer, b"content-length") == str(len(answer.body)).encode()
    assert body(answer) == {
        "appId": "shop",
        "cluster": "default",
        "namespaceName": "application",
        "configurations": {"http.timeout": "2500", "greeting": "你好 <b>&"},
        "releaseKey": release.head.key,
    }


async def test_configs__empty_release__still_has_configurations(world: World, client: Client) -> None:
    """Section 4.5: `configurations` is on every full answer, also as `{}`; the body is never empty."""
    await world.publish("shop", "application", {})
    await client.seen(world)

    assert body(await client.get(configs("shop", "default", "application")))["configurations"] == {}


async def test_configs__nothing_released__is_404_with_an_error_body(client: Client) -> None:
    """Sections 4.5 and 1.3."""
    answer = await client.get(configs("shop", "default", "application"))

    assert answer.status == 404
    error = body(answer)
    assert error["status"] == 404
    assert error["error"] == "Not Found"
    assert error["path"] == "/configs/shop/default/application"
    assert error["code"] == "not_released"
    assert "timestamp" in error


async def test_configs__document__is_one_entry_named_content(world: World, client: Client) -> None:
    """Section 2: a json, yaml, xml or txt namespace holds its whole text under `content`."""
    await world.define("shop", "routes.json")
    await world.publish("shop", "routes.json", {"content": '{"root":"/v1"}'})
    await client.seen(world)

    answer = body(await client.get(configs("shop", "default", "routes.json")))

    assert answer["namespaceName"] == "routes.json"
    assert answer["configurations"] == {"content": '{"root":"/v1"}'}


async def test_configs__many_keys__keep_their_order(world: World, client: Client) -> None:
    """Section 4.3: the Java client has an ordered mode."""
    keys = {f"k{number}": str(number) for number in (3, 1, 2, 9, 4)}
    await world.publish("shop", "application", keys)
    await client.seen(world)

    answer = await client.get(configs("shop", "default", "application"))

    assert list(json.loads(answer.body)["configurations"]) == list(keys)


class TestNames:
    @pytest.mark.parametrize("spelling", ["redis", "redis.properties", "redis.PROPERTIES", "REDIS", "Redis.Properties"])
    async def test_name__suffix_and_case__find_the_stored_one(
        self, world: World, client: Client, spelling: str
    ) -> None:
        """Section 3, and 4.5: the answer names the namespace exactly as requested."""
        await world.define("shop", "redis")
        await world.publish("shop", "redis", {"a": "1"})
        await client.seen(world)

        answer = await client.get(configs("shop", "default", spelling))

        assert body(answer)["namespaceName"] == spelling
        assert body(answer)["configurations"] == {"a": "1"}

    async def test_name__other_suffix__stays(self, world: World, client: Client) -> None:
        """Section 3, step 1: only `.properties` is removed, and only once."""
        await world.define("shop", "routes.json")
        await world.publish("shop", "routes.json", {"content": "{}"})
        await client.seen(world)

        assert (await client.get(configs("shop", "default", "routes"))).status == 404
        assert (await client.get(configs("shop", "default", "routes.json.properties"))).status == 200
        assert (await client.get(configs("shop", "default", "routes.json.properties.properties"))).status == 404

    async def test_name__own_definition_twice_by_case__is_preferred_over_public(
        self, world: World, client: Client
    ) -> None:
        """Section 3, step 2: own definitions first, then public ones; an own name is not looked up as public."""
        await world.define("platform", "Redis", public=True)
        await world.define("shop", "redis")
        await world.publish("platform", "Redis", {"owner": "platform"})
        await world.publish("shop", "redis", {"owner": "shop"})
        await client.seen(world)

        assert body(await client.get(configs("shop", "default", "REDIS")))["configurations"] == {"owner": "shop"}

    @pytest.mark.parametrize("app", ["shop+x", "shop app", ".shop", "shöp"])
    async def test_app_id__with_characters_that_none_has__is_400(self, client: Client, app: str) -> None:
        """Section 11.2, step 2: also when no access key is configured."""
        answer = await client.get(configs(app, "default", "application"))

        assert answer.status == 400
        assert body(answer)["code"] == "invalid_app_id"

    async def test_name__letters_that_lower_case_to_ascii__match_nothing(self, world: World, client: Client) -> None:
        """The Kelvin sign lower-cases to `k`; a foreign letter may not open a namespace."""
        await world.define("shop", "kafka")
        await world.publish("shop", "kafka", {"a": "1"})
        await client.seen(world)

        assert (await client.get(configs("shop", "default", "\u212aafka"))).status == 404


class TestResolution:
    async def test_cluster__own_then_data_center_then_default(self, world: World, client: Client) -> None:
        """Section 4.2: cluster, then dataCenter, then default; the answer names the cluster that was used."""
        await world.publish("shop", "application", {"from": "default"})
        await client.seen(world)
        asked = configs("shop", "hz", "application", dataCenter="sh")
        assert body(await client.get(asked))["cluster"] == "default"

        await world.publish("shop", "application", {"from": "sh"}, cluster="sh")
        await client.seen(world)
        assert body(await client.get(asked))["cluster"] == "sh"

        await world.publish("shop", "application", {"from": "hz"}, cluster="hz")
        await client.seen(world)
        assert body(await client.get(asked))["configurations"] == {"from": "hz"}
        assert body(await client.get(asked))["cluster"] == "hz"

    async def test_data_center__differs_between_requests__each_gets_its_own(self, world: World, client: Client) -> None:
        """The same path with another dataCenter is another question, whichever came first."""
        for cluster in ("default", "sh", "bj"):
            await world.publish("shop", "application", {"from": cluster}, cluster=cluster)
        await client.seen(world)

        for _ in range(2):
            for data_center, expected in (("sh", "sh"), ("bj", "bj"), ("xx", "default"), ("", "default")):
                asked = configs("shop", "none", "application", dataCenter=data_center)
                assert body(await client.get(asked))["configurations"] == {"from": expected}
            asked = configs("shop", "none", "application")
            assert body(await client.get(asked))["configurations"] == {"from": "default"}

    async def test_public__not_defined_by_the_app__answers_alone(self, world: World, client: Client) -> None:
        """Sections 4.2 and 4.5: only a public release found: its content, but the requested cluster."""
        await world.define("platform", "redis", public=True)
        public = await world.publish("platform", "redis", {"url": "a"})
        await client.seen(world)

        answer = body(await client.get(configs("shop", "hz", "redis")))

        assert answer["cluster"] == "hz"
        assert answer["appId"] == "shop"
        assert answer["configurations"] == {"url": "a"}
        assert answer["releaseKey"] == public.head.key

    async def test_associated__own_over_public__merges_and_joins_keys(self, world: World, client: Client) -> None:
        """Sections 4.3 and 4.4: the app's value wins in the public's place, new keys at the end, keys joined by +."""
        await world.define("platform", "redis", public=True)
        public = await world.publish("platform", "redis", {"a": "public", "b": "public", "c": "public"})
        own = await world.publish("shop", "redis", {"z": "own", "b": "own"})
        await client.seen(world)

        answer = await client.get(configs("shop", "default", "redis"))

        assert list(json.loads(answer.body)["configurations"].items()) == [
            ("a", "public"),
            ("b", "own"),
            ("c", "public"),
            ("z", "own"),
        ]
        assert body(answer)["releaseKey"] == f"{own.head.key}+{public.head.key}"

    async def test_associated__clusters_differ__resolve_independently(self, world: World, client: Client) -> None:
        """Section 4.2: the app part may come from `default` while the public part comes from the requested cluster."""
        await world.define("platform", "redis", public=True)
        await world.publish("platform", "redis", {"public": "hz"}, cluster="hz")
        await world.publish("shop", "redis", {"own": "default"})
        await client.seen(world)

        answer = body(await client.get(configs("shop", "hz", "redis")))

        assert answer["configurations"] == {"public": "hz", "own": "default"}
        assert answer["cluster"] == "default"

    async def test_public__owned_by_the_asking_app__is_its_own_only(self, world: World, client: Client) -> None:
        """Section 3: a public namespace of the app itself yields only the app's own release, its key not doubled."""
        await world.define("platform", "redis", public=True)
        release = await world.publish("platform", "redis", {"a": "1"})
        await client.seen(world)

        assert body(await client.get(configs("platform", "default", "redis")))["releaseKey"] == release.head.key

    async def test_application__made_public_by_another_app__still_belongs_to_the_asking_one(
        self, world: World, client: Client
    ) -> None:
        """Section 3: `application` is always the app's own."""
        await world.define("platform", "application", public=True)
        await world.publish("platform", "application", {"a": "1"})
        await client.seen(world)

        assert (await client.get(configs("shop", "default", "application"))).status == 404

    async def test_private_namespace_of_another_app__is_not_found(self, world: World, client: Client) -> None:
        await world.define("platform", "secrets")
        await world.publish("platform", "secrets", {"a": "1"})
        await client.seen(world)

        assert (await client.get(configs("shop", "default", "secrets"))).status == 404

    async def test_placeholder_app__reads_public_only(self, world: World, client: Client) -> None:
        """Sections 2 and 4.2: what a Java client without an app id sends; `application` never belongs to others."""
        await world.define("platform", "redis", public=True)
        await world.publish("platform", "redis", {"a": "1"})
        await world.publish("shop", "application", {"a": "2"})
        await client.seen(world)

        assert (await client.get(configs("ApolloNoAppIdPlaceHolder", "default", "redis"))).status == 200
        assert (await client.get(configs("apollonoappidplaceholder", "default", "redis"))).status == 200
        assert (await client.get(configs("ApolloNoAppIdPlaceHolder", "default", "application"))).status == 404

    async def test_public__defined_later__is_found_from_then_on(self, world: World, client: Client) -> None:
        """Section 3: definitions arrive with messages of their own."""
        await world.publish("platform", "redis", {"a": "1"})
        await client.seen(world)
        assert (await client.get(configs("shop", "default", "redis"))).status == 404

        await world.define("platform", "redis", public=True)
        await client.seen(world)
        assert (await client.get(configs("shop", "default", "redis"))).status == 200


class TestReleaseKey:
    @pytest.mark.parametrize("given", ["", "undefined", "-1", "20240101000000-0000000000000001"])
    async def test_release_key__not_the_current_one__answers_in_full(
        self, world: World, client: Client, given: str
    ) -> None:
        """Section 4.1: empty counts as missing; `undefined` is what a JavaScript client without a copy sends."""
        await world.publish("shop", "application", {"a": "1"})
        await client.seen(world)

        assert (await client.get(configs("shop", "default", "application", releaseKey=given))).status == 200

    async def test_release_key__current__is_304_without_body(self, world: World, client: Client) -> None:
        """Sections 4.5 and 1.3; asked twice, because the second answer takes the short way."""
        release = await world.publish("shop", "application", {"a": "1"})
        await client.seen(world)

        for _ in range(2):
            answer = await client.get(configs("shop", "default", "application", releaseKey=release.head.key))
            assert (answer.status, answer.headers, answer.body) == (304, (), b"")
            await client.get(configs("shop", "default", "application"))

    async def test_release_key__merged__compares_as_a_whole(self, world: World, client: Client) -> None:
        """Section 4.5: 304 only when the merged key is equal exactly; `+` arrives as `%2B`."""
        await world.define("platform", "redis", public=True)
        public = await world.publish("platform", "redis", {"a": "1"})
        own = await world.publish("shop", "redis", {"b": "1"})
        await client.seen(world)

        merged = f"{own.head.key}+{public.head.key}"
        for _ in range(2):
            assert (await client.get(configs("shop", "default", "redis", releaseKey=merged))).status == 304
            assert (await client.get(configs("shop", "default", "redis", releaseKey=own.head.key))).status == 200

    async def test_release_key__after_a_new_release__is_old(self, world: World, client: Client) -> None:
        old = await world.publish("shop", "application", {"a": "1"})
        await client.seen(world)
        asked = configs("shop", "default", "application", releaseKey=old.head.key)
        assert (await client.get(asked)).status == 304
        await client.get(configs("shop", "default", "application"))

        await world.publish("shop", "application", {"a": "2"})
        await client.seen(world)

        assert body(await client.get(asked))["configurations"] == {"a": "2"}


class TestParameters:
    @pytest.mark.parametrize(
        "query",
        [
            "?&ip=10.1.2.3&label=",
            "?ip=undefined",
            "?ip=None",
            "?ip=",
            "?label=&dataCenter=&messages=&releaseKey=",
            "?messages=nonsense",
            "?messages=%7B%22details%22%3A5%7D",
            "?messages=%7B%22details%22%3A%7B%22x%22%3A%22y%22%7D%7D",
            "?unknown=1&unknown=2",
            "?",
            "?%",
        ],
    )
    async def test_parameters__odd__never_an_error(self, world: World, client: Client, query: str) -> None:
        """Sections 4.1 and 16: what clients in the wild send; unreadable `messages` count as absent."""
        await world.publish("shop", "application", {"a": "1"})
        await client.seen(world)

        for _ in range(2):
            assert (await client.get(f"/configs/shop/default/application{query}")).status == 200

    async def test_method__other_than_get_and_head__is_400(self, world: World, client: Client) -> None:
        """Section 1.3: a wrong method is 400, not 405; also for a path that was answered before."""
        await world.publish("shop", "application", {"a": "1"})
        await client.seen(world)
        await client.get(configs("shop", "default", "application"))

        answer = await client.get(configs("shop", "default", "application"), method="POST")

        assert answer.status == 400
        assert body(answer)["code"] == "method_not_supported"
        assert (await client.get(configs("shop", "default", "application"), method="HEAD")).status == 200

    async def test_target__over_the_limit__is_400(self, client: Client) -> None:
        answer = await client.get("/configs/shop/default/application?x=" + "a" * 300_000)

        assert body(answer)["code"] == "target_too_long"

    @pytest.mark.parametrize("position", range(4))
    async def test_name__longer_than_any__is_400(self, world: World, client: Client, position: int) -> None:
        """What is remembered of requests must stay bounded; 139 characters still pass."""
        await world.publish("shop", "application", {"a": "1"})
        await client.seen(world)
        names = ["shop", "hz", "application", "sh"]

        names[position] = "x" * 140
        refused = await client.get(configs(*names[:3], dataCenter=names[3]))
        names[position] = "x" * 139
        accepted = await client.get(configs(*names[:3], dataCenter=names[3]))

        assert (refused.status, body(refused)["code"]) == (400, "name_too_long")
        assert accepted.status in (200, 404)

    async def test_path__refused__is_400(self, client: Client) -> None:
        """Section 1.2."""
        answer = await client.get("/configs//shop/default/application")

        assert (answer.status, body(answer)["code"]) == (400, "invalid_path")

    async def test_path__unknown__is_404(self, client: Client) -> None:
        """Section 1.3."""
        answer = await client.get("/configs/shop")

        assert (answer.status, body(answer)["code"]) == (404, "unknown_path")


class TestEnvironments:
    async def test_environment__by_prefix_in_any_case__is_a_world_of_its_own(
        self, world: World, client: Client
    ) -> None:
        """Architecture, section 7: `/envs/{env}/...` beside the unprefixed default."""
        await world.publish("shop", "application", {"in": "dev"})
        await world.publish("shop", "application", {"in": "pro"}, environment="PRO")
        await client.seen(world)
        path = configs("shop", "default", "application")

        assert body(await client.get(path))["configurations"] == {"in": "dev"}
        assert body(await client.get(f"/envs/DEV{path}"))["configurations"] == {"in": "dev"}
        assert body(await client.get(f"/envs/PRO{path}"))["configurations"] == {"in": "pro"}
        assert body(await client.get(f"/envs/pro{path}"))["configurations"] == {"in": "pro"}

    async def test_environment__unknown__is_404_with_json(self, client: Client) -> None:
        answer = await client.get("/envs/NOPE" + configs("shop", "default", "application"))

        assert (answer.status, body(answer)["code"]) == (404, "unknown_environment")

    async def test_environment__created_while_running__is_served(self, world: World, client: Client) -> None:
        await world.environments_more("UAT")
        await world.publish("shop", "application", {"in": "uat"}, environment="UAT")
        await client.seen(world)

        answer = await client.get("/envs/UAT" + configs("shop", "default", "application"))

        assert body(answer)["configurations"] == {"in": "uat"}

    async def test_public__of_another_environment__is_not_seen(self, world: World, client: Client) -> None:
        await world.define("platform", "redis", public=True, environment="PRO")
        await world.publish("platform", "redis", {"a": "1"}, environment="PRO")
        await client.seen(world)

        assert (await client.get(configs("shop", "default", "redis"))).status == 404
        assert (await client.get("/envs/PRO" + configs("shop", "default", "redis"))).status == 200


class TestMessages:
    async def test_messages__greater_than_seen__waits_for_the_release(self, world: World, client: Client) -> None:
        """Section 4.6: notified by another node, this one must not answer older than that."""
        await world.publish("shop", "application", {"a": "old"})
        await client.seen(world)
        await client.get(configs("shop", "default", "application"))
        world.bus.muted = True
        await world.publish("shop", "application", {"a": "new"})
        details = {"details": {"shop+default+application": await world.newest_message()}}
        asked = configs("shop", "default", "application", messages=json.dumps(details))

        assert isinstance(client.decide(asked), Defer)
        assert body(await client.get(asked))["configurations"] == {"a": "new"}

    async def test_messages__greater_with_the_old_release_key__is_no_304(self, world: World, client: Client) -> None:
        """The client's copy is current for this node, but the client knows better."""
        old = await world.publish("shop", "application", {"a": "old"})
        await client.seen(world)
        world.bus.muted = True
        await world.publish("shop", "application", {"a": "new"})
        details = {"details": {"shop+default+application": await world.newest_message()}}

        answer = await client.get(
            configs("shop", "default", "application", messages=json.dumps(details), releaseKey=old.head.key)
        )

        assert body(answer)["configurations"] == {"a": "new"}

    async def test_messages__of_ids_that_never_come__answers_what_there_is(self, world: World, client: Client) -> None:
        """A client of a server that was rebuilt: one look at the table is enough to know."""
        await world.publish("shop", "application", {"a": "1"})
        await client.seen(world)
        details = {"details": {"shop+default+application": 10**12}}

        answer = await client.get(configs("shop", "default", "application", messages=json.dumps(details)))

        assert body(answer)["configurations"] == {"a": "1"}

    async def test_messages__about_something_else__waits_for_nothing(self, world: World, client: Client) -> None:
        """Section 4.6: only the exact keys of this read count."""
        await world.publish("shop", "application", {"a": "1"})
        await client.seen(world)
        details = {"details": {"other+default+application": 10**12}}
        asked = configs("shop", "default", "application", messages=json.dumps(details))
        await client.get(configs("shop", "default", "application"))

        assert isinstance(client.decide(asked), Answer)

    async def test_messages__greater_than_seen_while_the_database_is_away__is_503(
        self, world: World, client: Client
    ) -> None:
        """Promise 3: never older than asked. The client keeps what it has and asks another node."""
        await world.publish("shop", "application", {"a": "1"})
        await client.seen(world)
        await client.get(configs("shop", "default", "application"))
        world.database.away = True
        details = {"details": {"shop+default+application": 10**12}}

        answer = await client.get(configs("shop", "default", "application", messages=json.dumps(details)))

        assert (answer.status, body(answer)["code"]) == (503, "behind")
        assert b"1" <= (header(answer, b"retry-after") or b"") <= b"5"
        assert (await client.get(configs("shop", "default", "application"))).status == 200

    async def test_messages__while_the_outage_is_known__are_answered_without_a_wait(
        self, world: World, client: Client
    ) -> None:
        """Anybody can name an id that does not exist; it must not buy a place to wait in."""
        await world.publish("shop", "application", {"a": "1"})
        await client.seen(world)
        world.database.away = True
        world.bus.hint()
        await wait_until_async(lambda: client.plane.health().databases[0].away_since, 5, "known outage")
        details = {"details": {"shop+default+application": 10**12}}

        answer = client.decide(configs("shop", "default", "application", messages=json.dumps(details)))

        assert isinstance(answer, Answer)
        assert (answer.status, body(answer)["code"]) == (503, "behind")


class TestContents:
    async def test_content__not_in_memory__is_read_once_however_many_ask(self, world: World) -> None:
        """Single flight: a stampede on a cold node is one statement."""
        await world.publish("shop", "application", {"a": "1"})
        plane = world.plane()
        await plane.start()
        client = Client(plane)
        before = world.database.reads
        deferred = [client.decide(configs("shop", "default", "application", ip=str(n))) for n in range(50)]
        assert all(isinstance(each, Defer) for each in deferred)

        answers = await asyncio.gather(*(plane.resolve(each) for each in deferred if isinstance(each, Defer)))

        assert [each.status for each in answers if isinstance(each, Answer)] == [200] * 50
        assert world.database.reads == before + 1
        assert plane.store.loads == 1
        await plane.stop()

    async def test_content__of_a_new_release__is_in_memory_before_anybody_asks(
        self, world: World, client: Client
    ) -> None:
        """Ten thousand clients that wake at once must not read the database."""
        await world.publish("shop", "application", {"a": "1"})
        await client.seen(world)

        assert isinstance(client.decide(configs("shop", "default", "application")), Answer)

    async def test_content__database_away_and_not_in_memory__is_503_with_retry_after(self, world: World) -> None:
        await world.publish("shop", "application", {"a": "1"})
        plane = world.plane()
        await plane.start()
        world.database.away = True

        answer = await Client(plane).get(configs("shop", "default", "application"))

        assert (answer.status, body(answer)["code"]) == (503, "database_unavailable")
        assert header(answer, b"retry-after") is not None
        world.database.away = False
        assert (await Client(plane).get(configs("shop", "default", "application"))).status == 200
        await plane.stop()

    async def test_repeated_read__takes_the_short_way_and_gives_the_same_bytes(
        self, world: World, client: Client
    ) -> None:
        """Prepared once: the very same object, no copy of a value."""
        await world.publish("shop", "application", {"a": "1"})
        await client.seen(world)
        first = await client.get(configs("shop", "default", "application"))

        assert client.decide(configs("shop", "default", "application", ip="10.0.0.1")) is first

    async def test_several_namespaces_in_one_publish__appear_together(self, world: World, client: Client) -> None:
        one, two = (NamespaceRef("DEV", "shop", "default", name) for name in ("one", "two"))
        await world.publish_together({one: {"a": "1"}, two: {"b": "2"}})
        await client.seen(world)

        assert body(await client.get(configs("shop", "default", "one")))["configurations"] == {"a": "1"}
        assert body(await client.get(configs("shop", "default", "two")))["configurations"] == {"b": "2"}


async def test_not_loaded__asked__is_503_and_not_404(world: World) -> None:
    """A client stops at 404; a node that does not know yet must not claim that there is nothing."""
    plane: DeliveryPlane = world.plane()

    answer = await Client(plane).get(configs("shop", "default", quote("application")))

    assert (answer.status, body(answer)["code"]) == (503, "not_loaded")
    await plane.stop()
