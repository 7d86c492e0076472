"""`/notifications/v2`: what is told at once, what is held, and what wakes (Apollo client protocol, section 7)."""

from __future__ import annotations

import asyncio
import gc
import weakref
from urllib.parse import quote

import pytest

from helicon_server.delivery.hub import Waiter
from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.outcomes import Answer, Defer, Park
from helicon_server.delivery.plane import DeliveryPlane
from helicon_server.domain.names import NamespaceRef
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import QUICK, Client, HeldPoll, World, body, configs, entries, poll


async def woken(held: HeldPoll) -> Answer:
    """The answer of a held poll, once it has one."""
    await wait_until_async(lambda: held.answer, 5, "answer of the held poll")
    assert held.answer is not None
    return held.answer


class TestAtOnce:
    @pytest.mark.parametrize("known", [-1, 0])
    async def test_known__nothing_yet__answers_with_the_newest_id(
        self, world: World, client: Client, known: int
    ) -> None:
        """Sections 7.2 and 7.4: ids begin at 1, so both first values of clients are lower."""
        await world.publish("shop", "application", {"a": "1"})
        newest = await world.newest_message()
        await client.seen(world)

        answer = await client.get(poll("shop", "default", {"application": known}))

        assert answer.status == 200
        assert entries(answer) == [
            {
                "namespaceName": "application",
                "notificationId": newest,
                "messages": {"details": {"shop+default+application": newest}},
            }
        ]

    async def test_known__missing_id__counts_as_zero(self, world: World, client: Client) -> None:
        """Sections 7.1 and 16: Node clients may omit it."""
        await world.publish("shop", "application", {"a": "1"})
        await client.seen(world)

        assert (await client.get(poll("shop", "default", [{"namespaceName": "application"}]))).status == 200

    async def test_known__current_or_higher__is_held(self, world: World, client: Client) -> None:
        """Section 7.2, step 5: greater-than, also when the client's id comes from another server's past."""
        await world.publish("shop", "application", {"a": "1"})
        newest = await world.newest_message()
        await client.seen(world)

        assert isinstance(client.decide(poll("shop", "default", {"application": newest})), Park)
        held = await client.hold_after_a_look(poll("shop", "default", {"application": newest + 10**9}))
        assert held.answer is None

    async def test_known__never_released__is_held(self, client: Client) -> None:
        """Section 7.2: `-1` and never released."""
        assert isinstance(client.decide(poll("shop", "default", {"application": -1})), Park)

    async def test_several__outdated__are_all_named_at_once(self, world: World, client: Client) -> None:
        """Section 7.2, step 6; a current one is left out."""
        for name in ("a", "b", "c"):
            await world.publish("shop", name, {"x": "1"})
        newest = await world.newest_message()
        await client.seen(world)

        answer = await client.get(poll("shop", "default", {"a": -1, "b": 0, "c": newest}))

        assert [entry["namespaceName"] for entry in entries(answer)] == ["a", "b"]

    async def test_told__but_not_taken_over__is_told_again(self, world: World, client: Client) -> None:
        """Apollo clients, 1.4: six clients act on the first entry only and come back for the others."""
        await world.publish("shop", "a", {"x": "1"})
        await world.publish("shop", "b", {"x": "1"})
        await client.seen(world)
        first = await client.get(poll("shop", "default", {"a": -1, "b": -1}))
        told = entries(first)[0]["notificationId"]
        assert isinstance(told, int)

        again = await client.get(poll("shop", "default", {"a": told, "b": -1}))

        assert [entry["namespaceName"] for entry in entries(again)] == ["b"]

    @pytest.mark.parametrize("spelling", ["APPLICATION", "application.properties", "Application.PROPERTIES"])
    async def test_name__in_the_clients_spelling__comes_back_less_its_suffix(
        self, world: World, client: Client, spelling: str
    ) -> None:
        """Section 7.4: clients use it as a map key; the watch key has the stored spelling."""
        await world.define("shop", "application")
        await world.publish("shop", "application", {"a": "1"})
        await client.seen(world)

        (entry,) = entries(await client.get(poll("shop", "default", {spelling: -1})))

        assert entry["namespaceName"] == spelling[: len("application")]
        details = entry["messages"]
        assert isinstance(details, dict)
        assert list(details["details"]) == ["shop+default+application"]

    async def test_names__that_are_the_same__collapse_into_the_smaller_id(self, world: World, client: Client) -> None:
        """Section 7.2, step 2: of equal ids the later one is kept."""
        await world.define("shop", "redis")
        await world.publish("shop", "redis", {"a": "1"})
        newest = await world.newest_message()
        await client.seen(world)
        asked = [
            {"namespaceName": "redis", "notificationId": newest},
            {"namespaceName": "REDIS", "notificationId": 0},
            {"namespaceName": "Redis.properties", "notificationId": 0},
        ]

        answer = await client.get(poll("shop", "default", asked))

        assert [entry["namespaceName"] for entry in entries(answer)] == ["Redis"]

    async def test_details__every_watch_key_with_a_message__and_the_highest_id(
        self, world: World, client: Client
    ) -> None:
        """Sections 7.3 and 7.4: cluster, data centre, default, and the same of the public owner."""
        await world.define("platform", "redis", public=True)
        for app, cluster in (("platform", "default"), ("shop", "sh"), ("platform", "hz"), ("shop", "default")):
            await world.publish(app, "redis", {"x": "1"}, cluster=cluster)
        newest = await world.newest_message()
        await client.seen(world)

        (entry,) = entries(await client.get(poll("shop", "hz", {"redis": -1}, dataCenter="sh")))

        assert entry["notificationId"] == newest
        details = entry["messages"]
        assert isinstance(details, dict)
        assert set(details["details"]) == {
            "shop+sh+redis",
            "shop+default+redis",
            "platform+hz+redis",
            "platform+default+redis",
        }

    async def test_case__of_app_and_cluster__is_ignored_and_given_back(self, world: World, client: Client) -> None:
        """Section 7.3: ignoring case in the check and in the push alike."""
        await world.publish("shop", "application", {"a": "1"}, cluster="hz")
        await client.seen(world)

        (entry,) = entries(await client.get(poll("SHOP", "HZ", {"application": -1})))

        details = entry["messages"]
        assert isinstance(details, dict)
        assert list(details["details"]) == ["SHOP+HZ+application"]
        assert (await client.get(configs("SHOP", "HZ", "application"))).status == 200

    @pytest.mark.parametrize("encoded", ["%20", "+", ""])
    async def test_parameter__spaces_and_bare_colons__parse(self, world: World, client: Client, encoded: str) -> None:
        """Apollo clients, 1.2: `:` and `,` bare or encoded, spaces as `+` or `%20`."""
        await world.publish("shop", "application", {"a": "1"})
        await client.seen(world)
        text = f'[{{"namespaceName":{encoded}"application",{encoded}"notificationId":{encoded}-1}}]'
        target = "/notifications/v2?appId=shop&cluster=default&notifications=" + quote(text, safe=":,+%")

        assert (await client.get(target)).status == 200


class TestRefused:
    @pytest.mark.parametrize(
        "notifications",
        [
            "nonsense",
            "{}",
            "[]",
            "7",
            "null",
            "[null]",
            "[{}]",
            '[{"namespaceName":""}]',
            '[{"notificationId":1}]',
            "[1]",
            '[{"namespaceName":7}]',
            '[{"namespaceName":"a","notificationId":"x"}]',
            '[{"namespaceName":"a","notificationId":true}]',
            '[{"namespaceName":"a","notificationId":[]}]',
            '[{"namespaceName":"' + "x" * 140 + '"}]',
            "[" * 5000,
            "[" + ",".join(['{"namespaceName":"a"}'] * 2001) + "]",
        ],
    )
    async def test_notifications__not_what_it_must_be__is_400(self, client: Client, notifications: str) -> None:
        """Section 7.2, steps 1 and 2; the error body of section 1.3."""
        target = f"/notifications/v2?appId=shop&cluster=default&notifications={quote(notifications)}"

        answer = await client.get(target)

        assert answer.status == 400
        error = body(answer)
        assert error["status"] == 400
        assert error["code"] in ("invalid_notifications", "target_too_long")
        assert {"message", "timestamp", "exception"} <= set(error) or error["code"] == "target_too_long"

    @pytest.mark.parametrize("known", ['"7"', "7.0", "null", "-1"])
    async def test_notification_id__as_lenient_parsers_read_it__is_taken(self, client: Client, known: str) -> None:
        text = f'[{{"namespaceName":"a","notificationId":{known},"messages":{{}}}}]'

        outcome = client.decide(f"/notifications/v2?appId=shop&cluster=default&notifications={quote(text)}")

        if isinstance(outcome, Defer):  # 7 is an id that no message of this database has
            outcome = await client.plane.resolve(outcome)
        assert isinstance(outcome, Park)

    @pytest.mark.parametrize("missing", ["cluster", "notifications"])
    async def test_parameter__missing__is_500(self, client: Client, missing: str) -> None:
        """Sections 1.3 and 7.4: there is no special mapping for it in the original."""
        parameters = {"appId": "shop", "cluster": "default", "notifications": "[]"}
        del parameters[missing]

        answer = await client.get("/notifications/v2?" + "&".join(f"{k}={v}" for k, v in parameters.items()))

        assert (answer.status, body(answer)["code"]) == (500, "missing_parameter")

    @pytest.mark.parametrize(("cluster", "data_center"), [("x" * 140, ""), ("default", "x" * 140)])
    async def test_name__longer_than_any__is_400(self, client: Client, cluster: str, data_center: str) -> None:
        answer = await client.get(poll("shop", cluster, {"application": -1}, dataCenter=data_center))

        assert (answer.status, body(answer)["code"]) == (400, "name_too_long")

    @pytest.mark.parametrize("app", ["", "appId=&", "appId=%20&", "appId=a%2Bb&"])
    async def test_app_id__missing_or_malformed__is_400(self, client: Client, app: str) -> None:
        """Sections 7.4 and 11.2."""
        answer = await client.get(f"/notifications/v2?{app}cluster=default&notifications=[]")

        assert (answer.status, body(answer)["code"]) == (400, "invalid_app_id")


class TestPush:
    async def test_publish__wakes_whoever_waits_for_it(self, world: World, client: Client) -> None:
        """Section 7.2, step 7, and 7.4: the one namespace, its new id, the one key that fired."""
        await world.publish("shop", "application", {"a": "1"})
        known = await world.newest_message()
        await client.seen(world)
        held = client.hold(poll("shop", "default", {"application": known, "other": -1}))

        await world.publish("shop", "application", {"a": "2"})

        assert entries(await woken(held)) == [
            {
                "namespaceName": "application",
                "notificationId": await world.newest_message(),
                "messages": {"details": {"shop+default+application": await world.newest_message()}},
            }
        ]

    async def test_publish__of_something_else__wakes_nobody(self, world: World, client: Client) -> None:
        await world.publish("shop", "application", {"a": "1"})
        known = await world.newest_message()
        await client.seen(world)
        held = client.hold(poll("shop", "default", {"application": known}))

        for app, name, cluster, environment in (
            ("shop", "other", "default", "DEV"),
            ("other", "application", "default", "DEV"),
            ("shop", "application", "hz", "DEV"),
            ("shop", "application", "default", "PRO"),
        ):
            await world.publish(app, name, {"x": "1"}, cluster=cluster, environment=environment)
        await world.define("shop", "new")
        await world.environments_more("UAT")
        await client.seen(world)
        await asyncio.sleep(0)

        assert held.answer is None

    @pytest.mark.parametrize("where", [("shop", "hz"), ("shop", "sh"), ("shop", "default"), ("platform", "default")])
    async def test_publish__on_any_watch_key__wakes(self, world: World, client: Client, where: tuple[str, str]) -> None:
        """Section 7.3: own and public, cluster, data centre and default."""
        await world.define("platform", "redis", public=True)
        await client.seen(world)
        held = client.hold(poll("shop", "hz", {"redis": -1}, dataCenter="sh"))

        app, cluster = where
        await world.publish(app, "redis", {"x": "1"}, cluster=cluster)

        (entry,) = entries(await woken(held))
        details = entry["messages"]
        assert isinstance(details, dict)
        assert list(details["details"]) == [f"{app}+{cluster}+redis"]

    async def test_publish__ignoring_case_of_the_poll__wakes(self, world: World, client: Client) -> None:
        """Section 7.3."""
        held = client.hold(poll("SHOP", "Default", {"Application": -1}))

        await world.publish("shop", "application", {"a": "1"})

        assert entries(await woken(held))[0]["namespaceName"] == "Application"

    async def test_publish__with_a_lower_id_than_the_client_knows__is_delivered(
        self, world: World, client: Client
    ) -> None:
        """Section 7.2: after a rebuild of the server clients adopt the lower id, because the push does not compare."""
        held = await client.hold_after_a_look(poll("shop", "default", {"application": 10**9}))

        await world.publish("shop", "application", {"a": "1"})

        assert entries(await woken(held))[0]["notificationId"] == await world.newest_message()

    async def test_told_by_another_node__asks_one_that_is_behind__is_not_told_again(
        self, world: World, client: Client
    ) -> None:
        """Notification ids of a namespace grow for a client, whichever node it asks."""
        await world.publish("shop", "application", {"a": "1"})
        await client.seen(world)
        world.bus.muted = True
        await world.publish("shop", "application", {"a": "2"})
        told = await world.newest_message()

        held = await client.hold_after_a_look(poll("shop", "default", {"application": told}))
        assert held.answer is None
        world.bus.muted = False
        await world.publish("shop", "application", {"a": "3"})

        (news,) = entries(await woken(held))
        assert news["notificationId"] == await world.newest_message()
        assert news["notificationId"] != told

    async def test_publish_of_several__is_told_in_one_answer(self, world: World, client: Client) -> None:
        held = client.hold(poll("shop", "default", {"one": -1, "two": -1, "three": -1}))

        refs = [NamespaceRef("DEV", "shop", "default", name) for name in ("one", "three")]
        await world.publish_together({ref: {"a": "1"} for ref in refs})

        assert [entry["namespaceName"] for entry in entries(await woken(held))] == ["one", "three"]

    async def test_placeholder_app__watches_public_namespaces_only(self, world: World, client: Client) -> None:
        """Section 7.3: with nothing left to watch the request simply waits."""
        await world.define("platform", "redis", public=True)
        await client.seen(world)
        nothing = client.hold(poll("ApolloNoAppIdPlaceHolder", "default", {"application": -1}))
        public = client.hold(poll("ApolloNoAppIdPlaceHolder", "default", {"redis": -1}))

        await world.publish("platform", "redis", {"a": "1"})

        details = entries(await woken(public))[0]["messages"]
        assert isinstance(details, dict)
        assert list(details["details"]) == ["platform+default+redis"]
        assert nothing.answer is None

    async def test_woken__at_that_moment__configs_gives_the_new_release(self, world: World, client: Client) -> None:
        """Promise 3: a client is woken only when the node that it will ask can already serve the release."""
        await world.publish("shop", "application", {"a": "1"})
        known = await world.newest_message()
        await client.seen(world)
        served: list[object] = []

        def wake(_: Answer) -> None:
            outcome = client.decide(configs("shop", "default", "application"))
            served.append(body(outcome)["configurations"] if isinstance(outcome, Answer) else outcome)

        parked = client.decide(poll("shop", "default", {"application": known}))
        assert isinstance(parked, Park)
        client.plane.park(parked, wake)
        await world.publish("shop", "application", {"a": "2"})
        await wait_until_async(lambda: served, 5, "wake")

        assert served == [{"a": "2"}]

    async def test_release_between_decision_and_parking__is_not_lost(self, world: World, client: Client) -> None:
        """Section 7.2, step 4: registered before compared, whatever happens between the two in a shell."""
        parked = client.decide(poll("shop", "default", {"application": -1}))
        assert isinstance(parked, Park)
        await world.publish("shop", "application", {"a": "1"})
        await client.seen(world)

        answer = client.plane.park(parked, lambda _: None)

        assert isinstance(answer, Answer)
        assert len(client.plane.hub) == 0

    async def test_same_message_read_twice__wakes_nobody_twice(self, world: World, client: Client) -> None:
        """A client that is told without a new release keeps its old id and polls in a loop."""
        await world.publish("shop", "application", {"a": "1"})
        known = await world.newest_message()
        await client.seen(world)
        held = client.hold(poll("shop", "default", {"application": known}))

        reads = world.database.reads
        for _ in range(3):
            world.bus.hint()
            await wait_until_async(lambda: world.database.reads > reads, 5, "look at the table")  # noqa: B023 - awaited here
            reads = world.database.reads

        assert held.answer is None

    async def test_abandoned__leaves_nothing_behind(self, client: Client) -> None:
        """Section 16: pyapollo reads shorter than the hold, so abandoned polls must be cleaned up."""
        held = [client.hold(poll("shop", "hz", {f"n{number}": -1, "m": -1})) for number in range(10)]
        assert len(client.plane.hub) == 10

        for each in held:
            each.release()
            each.release()

        assert len(client.plane.hub) == 0
        assert client.plane.hub.watched_keys == 0

    async def test_abandoned__its_connection__is_held_by_nobody(self, client: Client) -> None:
        """Nothing that belongs to a client stays until the hold would have ended."""

        def wake(_: Answer) -> None:
            raise AssertionError("nobody is there")

        parked = client.decide(poll("shop", "default", {"application": -1}))
        assert isinstance(parked, Park)
        waiter = client.plane.park(parked, wake)
        connection = weakref.ref(wake)
        assert isinstance(waiter, Waiter)
        waiter.release()

        del wake, waiter
        gc.collect()

        assert connection() is None


class TestEnd:
    async def test_hold__over__is_304_without_body(self, world: World) -> None:
        """Section 7.2, step 7."""
        plane = world.plane(DeliveryOptions(hold_s=0.05, sweep_s=60, warm_up=False))
        await plane.start()
        held = Client(plane).hold(poll("shop", "default", {"application": -1}))

        answer = await woken(held)

        assert (answer.status, answer.headers, answer.body) == (304, (), b"")
        assert plane.hub.watched_keys == 0
        await plane.stop()

    async def test_drain__answers_held_polls_and_refuses_new_ones(self, world: World, plane: DeliveryPlane) -> None:
        """Promise 10: held polls are answered, new ones sent elsewhere, reads go on."""
        await world.publish("shop", "application", {"a": "1"})
        client = Client(plane)
        await client.seen(world)
        held = [client.hold(poll("shop", "default", {"other": -1})) for _ in range(3)]
        late = client.decide(poll("shop", "default", {"other": -1}))
        assert isinstance(late, Park)

        plane.begin_drain()

        assert [(await woken(each)).status for each in held] == [304] * 3
        refused = await client.get(poll("shop", "default", {"other": -1}))
        assert (refused.status, body(refused)["code"]) == (503, "draining")
        assert b"1" <= dict(refused.headers)[b"retry-after"] <= b"5"
        parked_late = plane.park(late, lambda _: None)
        assert isinstance(parked_late, Answer)
        assert parked_late.status == 503
        assert (await client.get(configs("shop", "default", "application"))).status == 200
        assert (await client.get(poll("shop", "default", {"application": -1}))).status == 200

    async def test_polls__over_the_bound__are_refused_with_retry_after(self, world: World) -> None:
        """Promise 9: everything bounded."""
        plane = world.plane(DeliveryOptions(sweep_s=QUICK.sweep_s, max_waiters=2, warm_up=False))
        await plane.start()
        client = Client(plane)
        held = [client.hold(poll("shop", "default", {"application": -1})) for _ in range(3)]

        refused = held[2].waiter
        assert isinstance(refused, Answer)
        assert (refused.status, body(refused)["code"]) == (503, "too_many_polls")
        held[0].release()
        assert not isinstance(client.hold(poll("shop", "default", {"application": -1})).waiter, Answer)
        await plane.stop()
