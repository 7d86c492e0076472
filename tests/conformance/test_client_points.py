"""Section 1 of "Apollo clients in the wild": the union of what their clients need of a server, point by point."""

from __future__ import annotations

import gzip
import json
from urllib.parse import quote, quote_plus

import pytest

from tests.conformance.wire import Wire, statuses
from tests.conformance.world import World, configs, files, poll, watch_key
from tests.support.server import ServerProcess

LARGEST_ID = 2**31 - 1  # Rust's apollo-client reads ids into 32 bits with a sign


# --- 1: /configs --------------------------------------------------------------------------------------


def test_client_point_01_configs__has_every_field_and_values_are_strings(world: World, wire: Wire, app: str) -> None:
    released = world.publish(app, "application", {"n": "1", "b": "true", "o": "{}", "empty": "", "nil": "null"})

    assert wire.get(configs(app, "Application.properties")).json() == {
        "appId": app,
        "cluster": "default",
        "namespaceName": "Application.properties",
        "configurations": {"n": "1", "b": "true", "o": "{}", "empty": "", "nil": "null"},
        "releaseKey": released.key,
    }


@pytest.mark.parametrize("query", ["?releaseKey=", "?releaseKey=undefined", "", "?releaseKey=null", "?releaseKey=-1"])
def test_client_point_01_release_key__empty_undefined_or_missing__sends_all(
    world: World, wire: Wire, app: str, query: str
) -> None:
    world.publish(app, "application", {"k": "v"})

    assert wire.get(configs(app) + query).json()["configurations"] == {"k": "v"}


def test_client_point_01_current_release_key__is_304_without_a_body(world: World, wire: Wire, app: str) -> None:
    old = world.publish(app, "application", {"k": "1"})
    new = world.publish(app, "application", {"k": "2"})

    assert wire.get(configs(app, releaseKey=old.key)).json()["configurations"] == {"k": "2"}
    unchanged = wire.get(configs(app, releaseKey=new.key))
    assert (unchanged.status, unchanged.body) == (304, b"")
    assert wire.get(configs(app)).status == 200


@pytest.mark.parametrize(
    "query",
    ["ip=undefined", "ip=None", "ip=", "&ip=", "label=", "messages=x", "dataCenter=", "a=b&c", "ip=1.2.3.4&ip=5.6.7.8"],
)
def test_client_point_01_unknown_and_odd_parameters__are_no_error(
    world: World, wire: Wire, app: str, query: str
) -> None:
    world.publish(app, "application", {"k": "v"})

    for target in (configs(app), files(app), files(app, form="json")):
        assert wire.get(f"{target}?{query}").status == 200


# --- 2: the poll --------------------------------------------------------------------------------------

COMPACT = '[{"namespaceName":"application","notificationId":-1}]'
SPACED = json.dumps(json.loads(COMPACT))


@pytest.mark.parametrize(
    "notifications",
    [
        quote_plus(COMPACT),
        quote_plus(SPACED),
        quote(SPACED, safe=""),
        quote(COMPACT, safe=":,"),
        quote(SPACED, safe=":,"),
        quote_plus(SPACED, safe=":,"),
        quote_plus(json.dumps(json.loads(COMPACT), indent=2)),
        quote_plus('[{"namespaceName":"application"}]'),
        quote_plus('[{"namespaceName":"application","notificationId":0}]'),
        quote_plus('[{"notificationId":-1,"namespaceName":"application","messages":{"details":{}},"more":[1]}]'),
    ],
)
def test_client_point_02_notifications__however_they_are_written__are_read(
    world: World, wire: Wire, app: str, notifications: str
) -> None:
    released = world.publish(app, "application", {"k": "v"})

    (told,) = wire.get(f"/notifications/v2?appId={app}&cluster=default&notifications={notifications}").json()

    assert told["notificationId"] == released.notification_id


def test_client_point_02_ids__begin_above_0_grow_and_fit_31_bits(world: World, wire: Wire, app: str) -> None:
    """-1 and 0 are what clients begin with. That ids grow over restarts is row 8 of the checklist."""
    told = []
    for number in range(3):
        world.publish(app, "application", {"k": str(number)})
        told += [wire.get(poll(app, {"application": begin})).json()[0]["notificationId"] for begin in (-1, 0)]

    assert told == sorted(told)
    assert len(set(told)) == 3
    assert 1 <= told[0] <= told[-1] <= LARGEST_ID


def test_client_point_02_poll__every_outdated_namespace_at_once__else_held_then_304(
    impatient_node: ServerProcess, request: pytest.FixtureRequest
) -> None:
    world, app = World(impatient_node), "point-2"
    world.app(app, "application", "redis")
    ids = {name: world.publish(app, name, {"k": "v"}).notification_id for name in ("application", "redis")}
    with Wire(impatient_node.port) as wire:
        told = wire.get(poll(app, {"application": 0, "redis": -1})).json()
        assert {one["namespaceName"]: one["notificationId"] for one in told} == ids
        wire.ask(poll(app, ids))
        assert wire.silent()
        over = wire.receive()
        assert (over.status, over.body) == (304, b"")


# --- 3 and 4: entries ---------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["application", "APPLICATION", "application.properties", "Application.PROPERTIES"])
def test_client_point_03_entry__name_as_asked__id_a_number__details_by_key(
    world: World, wire: Wire, app: str, asked: str
) -> None:
    released = world.publish(app, "application", {"k": "v"})

    answer = wire.get(poll(app, {asked: -1}))

    suffix = len(".properties") if asked.lower().endswith(".properties") else 0
    assert answer.json() == [
        {
            "namespaceName": asked[: len(asked) - suffix],
            "notificationId": released.notification_id,
            "messages": {"details": {watch_key(app): released.notification_id}},
        }
    ]


def test_client_point_04_namespace__that_was_told_of__is_told_again_to_whoever_asks_with_the_old_id(
    lasting_node: ServerProcess, world: World, wire: Wire, app: str
) -> None:
    """Six clients act on the first entry only. Nothing is remembered of what was delivered, to whom or over what."""
    world.namespace(app, "redis")
    ids = {name: world.publish(app, name, {"k": "v"}).notification_id for name in ("application", "redis")}
    asked = poll(app, dict.fromkeys(ids, -1))

    first, again = wire.get(asked).json(), wire.get(asked).json()
    with Wire(lasting_node.port) as other:
        elsewhere = other.get(asked).json()

    assert {one["namespaceName"]: one["notificationId"] for one in first} == ids
    assert first == again == elsewhere


# --- 5, 6, 7: releases and what is told of them -------------------------------------------------------


def test_client_point_05_release__is_readable_before_its_notification_goes_out(
    lasting_node: ServerProcess, world: World, app: str
) -> None:
    """With the old key, and on connections that read the old answer before: no old cache, no 304."""
    released = world.publish(app, "application", {"k": "0"})
    with Wire(lasting_node.port) as polling, Wire(lasting_node.port) as reading:
        for number in range(1, 10):
            assert reading.get(configs(app, releaseKey=released.key)).status == 304
            polling.ask(poll(app, {"application": released.notification_id}))
            released_before, released = released, world.publish(app, "application", {"k": str(number)})
            assert polling.receive().status == 200
            answer = reading.get(configs(app, releaseKey=released_before.key))
            assert answer.status == 200
            assert answer.json()["configurations"] == {"k": str(number)}


def test_client_point_06_release_key__differs_for_every_release_and_a_rollback(
    world: World, wire: Wire, app: str
) -> None:
    """Several clients drop an answer whose key they know."""
    first = world.publish(app, "application", {"k": "1"})
    second = world.publish(app, "application", {"k": "2"})
    back = world.roll_back(app, "application", to=first, live=second)

    answer = wire.get(configs(app, releaseKey=first.key)).json()

    assert answer["configurations"] == {"k": "1"}
    assert answer["releaseKey"] == back.key
    assert len({first.key, second.key, back.key}) == 3


def test_client_point_06_no_release__no_notification(world: World, wire: Wire, app: str) -> None:
    """agollo v4 and shima-park keep the old id after a 304 and would then poll every second or two."""
    known = world.publish(app, "application", {"k": "1"}).notification_id
    wire.ask(poll(app, {"application": known}))
    assert wire.silent()

    world.write(app, "application", {"k": "draft"})
    world.namespace(app, "another")
    world.cluster(app, "another")
    world.publish(app, "another", {"k": "v"})
    world.app(f"{app}-2", "application")
    world.publish(f"{app}-2", "application", {"k": "v"})
    assert wire.silent()

    new = world.publish(app, "application", {"k": "2"})
    assert wire.receive().json()[0]["notificationId"] == new.notification_id


def test_client_point_07_files__are_what_they_say_and_fresh_when_a_client_is_woken(
    world: World, wire: Wire, app: str
) -> None:
    """agollo and apopy read them first."""
    world.namespace(app, "routes.json")
    known: dict[str, int] = {}
    for number in range(5):
        content = {"b": str(number), "a": "é"}
        document = {"content": json.dumps({"v": number})}
        if known:
            wire.ask(poll(app, known))
        for made, name in zip(
            world.publish_together(app, {"application": content, "routes.json": document}),
            ("application", "routes.json"),
            strict=True,
        ):
            known[name] = made.notification_id
        if number:
            assert wire.receive().status == 200
        assert wire.get(files(app, form="json")).json() == content
        assert wire.get(files(app)).text == f"b={number}\na=é\n"
        assert wire.get(files(app, "routes.json", form="json")).json() == document
        raw = wire.get(files(app, "routes.json", form="raw"))
        assert (raw.text, raw.headers["content-type"]) == (document["content"], "application/json;charset=UTF-8")


# --- 8, 9, 10: discovery, fallback, what is not there -------------------------------------------------


@pytest.mark.parametrize("query", ["", "?", "?appId=x&ip=10.1.2.3", "?appId=", "?&ip=None", "?appId=a%20b&more"])
def test_client_point_08_discovery__any_query_no_signature__names_an_address_that_serves(
    lasting_node: ServerProcess, wire: Wire, query: str
) -> None:
    host = f"127.0.0.1:{lasting_node.port}"
    wire.send(f"GET /services/config{query} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())

    services = wire.receive().json()

    assert services
    assert all(isinstance(one[name], str) for one in services for name in ("appName", "instanceId", "homepageUrl"))
    assert f"http://{host}/" in [one["homepageUrl"] for one in services]


def test_client_point_09_unknown_cluster__falls_back_to_default_and_names_ignore_case(
    world: World, wire: Wire, app: str
) -> None:
    """lvgithub's own default cluster is the word `cluster`."""
    released = world.publish(app, "application", {"k": "v"})

    assert wire.get(configs(app, cluster="cluster")).json()["releaseKey"] == released.key
    assert wire.get(configs(app, "ApPlIcAtIoN", cluster="cluster")).json()["releaseKey"] == released.key
    (told,) = wire.get(poll(app, {"ApPlIcAtIoN": -1}, cluster="cluster")).json()
    assert told["notificationId"] == released.notification_id


def test_client_point_10_unreleased_namespace__is_404_and_held_beside_released_ones(
    world: World, wire: Wire, app: str
) -> None:
    known = world.publish(app, "application", {"k": "v"}).notification_id
    world.namespace(app, "later")
    assert wire.get(configs(app, "later")).status == 404
    wire.ask(poll(app, {"application": known, "later": -1, "unheard-of": -1}))
    assert wire.silent()

    released = world.publish(app, "later", {"k": "v"})

    assert [one["notificationId"] for one in wire.receive().json()] == [released.notification_id]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/signin"), ("GET", "/signin"), ("POST", "/apps"), ("GET", "/eureka/apps"), ("GET", "/no/such/path")],
)
def test_client_point_10_other_routes__are_404_and_the_connection_goes_on(
    world: World, wire: Wire, app: str, method: str, path: str
) -> None:
    world.publish(app, "application", {"k": "v"})
    body = b"username=apollo&password=admin"

    wire.send(f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    assert wire.receive().status == 404
    assert wire.get(configs(app)).status == 200


# --- 11: HTTP -----------------------------------------------------------------------------------------


def test_client_point_11_json__says_so_and_is_utf_8(world: World, wire: Wire, app: str) -> None:
    world.publish(app, "application", {"greeting": "你好 Zoë 🎉 <b>&='"})

    answers = [
        wire.get(t) for t in (configs(app), files(app, form="json"), poll(app, {"application": -1}), "/services/config")
    ]

    assert {answer.headers["content-type"].split(";")[0] for answer in answers} == {"application/json"}
    assert answers[0].json()["configurations"]["greeting"] == "你好 Zoë 🎉 <b>&='"
    for answer in answers:
        answer.body.decode("utf-8", "strict")


@pytest.mark.parametrize(
    "offered", ["", "identity", "gzip;q=0", "gzip; q=0.0, identity", "*;q=0", "gzip;q=0.4, identity;q=0.5", "br"]
)
def test_client_point_11_compression__not_offered__is_not_used(
    world: World, wire: Wire, app: str, offered: str
) -> None:
    content = {f"key.{number}": "value " * 20 for number in range(100)}
    world.publish(app, "application", content)
    lines = [f"Accept-Encoding: {offered}"] if offered else []

    for _ in range(2):
        for target in (configs(app), files(app), files(app, form="json"), poll(app, {"application": -1})):
            answer = wire.get(target, *lines)
            assert answer.headers.get("content-encoding", "identity") == "identity"
        assert wire.get(configs(app), *lines).json()["configurations"] == content
        # Somebody else has it compressed in between: that there is something to send to the wrong one.
        assert wire.get(configs(app), "Accept-Encoding: gzip").headers["content-encoding"] == "gzip"


def test_client_point_11_compression__offered__gives_the_same_content(world: World, wire: Wire, app: str) -> None:
    content = {f"key.{number}": "value " * 20 for number in range(100)}
    world.publish(app, "application", content)

    answer = wire.get(configs(app), "Accept-Encoding: gzip, deflate")

    assert answer.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(answer.body))["configurations"] == content


def test_client_point_11_connection__kept_alive_and_closed_when_asked(
    lasting_node: ServerProcess, world: World, wire: Wire, app: str
) -> None:
    world.publish(app, "application", {"k": "v"})

    assert statuses(wire.get(configs(app)) for _ in range(5)) == [200] * 5
    for target in (configs(app), poll(app, {"application": -1}), "/services/config"):
        with Wire(lasting_node.port) as closing:
            assert closing.get(target, "Connection: close").status == 200
            assert closing.ended()


def test_client_point_11_http_1_0__is_answered(lasting_node: ServerProcess, world: World, app: str) -> None:
    world.publish(app, "application", {"k": "v"})
    with Wire(lasting_node.port) as old:
        old.send(f"GET {configs(app)} HTTP/1.0\r\n\r\n".encode())
        assert old.receive().json()["configurations"] == {"k": "v"}
        assert old.ended()


def test_client_point_11_redirects__there_are_none(wire: Wire, app: str) -> None:
    targets = [configs(app), configs(app) + "/", "/configs/", "/notifications/v2/", "/services/config/", "/envs/DEV"]

    assert [status for status in statuses(wire.get(target) for target in targets) if 300 <= status < 400] == []


# --- 12: refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("notifications", ["", "x", "%5B", "%7B%7D", "%5B%5D", "%5B%7B%7D%5D", "undefined", "null"])
def test_client_point_12_notifications__malformed__are_400(wire: Wire, app: str, notifications: str) -> None:
    assert wire.get(f"/notifications/v2?appId={app}&cluster=default&notifications={notifications}").status == 400
    assert wire.get(configs(app)).status == 404


# --- 13: the admin service ----------------------------------------------------------------------------


def test_client_point_13_admin_service__is_not_served_to_clients(world: World, wire: Wire, app: str) -> None:
    """`apollo-client` 2.x asks it without any signature, which would go round the access keys."""
    world.publish(app, "application", {"secret": "not to be shown"})

    assert wire.get("/services/admin").json() == []
    for path in (
        f"/apps/{app}/clusters/default/namespaces",
        f"/apps/{app}/clusters/default/namespaces/application/releases/latest",
        f"/apps/{app}/clusters/default/namespaces/application/items",
    ):
        answer = wire.get(path)
        assert answer.status == 404
        assert b"not to be shown" not in answer.body
