"""Section 19 of the Apollo client protocol: a server is compatible when each of these rows holds.

| Row | Subject | Row | Subject |
|---|---|---|---|
| 1 | names: suffix and case | 9 | woken only when it can be served |
| 2 | echo, 304, 404 | 10 | gray releases |
| 3 | order of resolution | 11 | access keys |
| 4 | `configurations` always there | 12 | `homepageUrl` |
| 5 | the held poll | 13 | untidy requests |
| 6 | names and `messages` of an answer | 14 | properties text |
| 7 | when ids differ | 15 | incremental answers |
| 8 | ids grow | | |
"""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.conformance.conftest import app_of
from tests.conformance.wire import Wire
from tests.conformance.world import World, configs, files, poll, watch_key
from tests.support.postgres import PostgresServer
from tests.support.server import ServerProcess, Servers, run_server_command

RACES = 25
ABANDONED = 30


# --- row 1: names -----------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["application.properties", "application.PROPERTIES", "application.Properties"])
def test_row_01_properties_suffix__in_any_case__is_stripped(world: World, wire: Wire, app: str, asked: str) -> None:
    released = world.publish(app, "application", {"k": "v"})

    assert wire.get(configs(app, asked)).json()["configurations"] == {"k": "v"}
    assert wire.get(files(app, asked, form="json")).json() == {"k": "v"}
    (told,) = wire.get(poll(app, {asked: -1})).json()
    assert (told["namespaceName"], told["notificationId"]) == ("application", released.notification_id)


@pytest.mark.parametrize("suffix", ["json", "yml", "yaml", "xml", "txt"])
def test_row_01_other_suffix__is_part_of_the_name(world: World, wire: Wire, app: str, suffix: str) -> None:
    text = {"json": "{}", "xml": "<a/>"}.get(suffix, "a: b")
    world.namespace(app, f"routes.{suffix}")
    world.publish(app, f"routes.{suffix}", {"content": text})

    assert wire.get(configs(app, f"routes.{suffix}")).json()["configurations"] == {"content": text}
    assert wire.get(configs(app, f"routes.{suffix}.properties")).json()["configurations"] == {"content": text}
    assert wire.get(configs(app, "routes")).status == 404
    assert wire.get(configs(app, "routes.properties")).status == 404
    world.publish(app, "application", {"k": "v"})
    assert wire.get(configs(app, f"application.{suffix}")).status == 404


def test_row_01_case__is_that_of_the_own_then_of_the_public_definition(world: World, wire: Wire, app: str) -> None:
    """Own names first: an app's private namespace hides a public one of the same name."""
    library, reader = f"{app}-lib", f"{app}-reader"
    shared = f"Shared-{app[-10:]}"
    world.app(library)
    world.app(reader)
    world.namespace(library, shared, public=True)
    world.namespace(app, shared.upper())
    world.publish(library, shared, {"from": "public"})
    world.publish(app, shared.upper(), {"from": "own"})

    asked = shared.swapcase()
    assert wire.get(configs(app, asked)).json()["configurations"] == {"from": "own"}
    assert wire.get(configs(reader, asked)).json()["configurations"] == {"from": "public"}
    (own,) = wire.get(poll(app, {asked: -1})).json()
    assert list(own["messages"]["details"]) == [watch_key(app, shared.upper())]
    (public,) = wire.get(poll(reader, {asked: -1})).json()
    assert list(public["messages"]["details"]) == [watch_key(library, shared)]


# --- row 2: echo, 304, 404 --------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["application", "application.properties", "APPLICATION", "Application.PROPERTIES"])
def test_row_02_namespace_name__is_echoed_as_requested(world: World, wire: Wire, app: str, asked: str) -> None:
    released = world.publish(app, "application", {"k": "v"})

    answer = wire.get(configs(app, asked)).json()

    assert answer == {
        "appId": app,
        "cluster": "default",
        "namespaceName": asked,
        "configurations": {"k": "v"},
        "releaseKey": released.key,
    }


def test_row_02_release_key__304_only_when_it_is_exactly_the_merged_one(world: World, wire: Wire, app: str) -> None:
    library, shared = f"{app}-lib", f"shared-{app[-10:]}"
    world.app(library)
    world.namespace(library, shared, public=True)
    world.associate(app, shared)
    public = world.publish(library, shared, {"p": "1"})
    own = world.publish(app, shared, {"o": "1"})
    merged = f"{own.key}+{public.key}"

    same = wire.get(configs(app, shared, releaseKey=merged))
    others = [own.key, public.key, f"{public.key}+{own.key}", f"{merged}+", f" {merged}", merged.upper()]
    different = [wire.get(configs(app, shared, releaseKey=key)) for key in others]

    assert (same.status, same.body) == (304, b"")
    assert "content-length" not in same.headers or same.headers["content-length"] == "0"
    assert [answer.status for answer in different] == [200] * len(others)
    assert {answer.json()["releaseKey"] for answer in different} == {merged}


def test_row_02_nothing_released__is_404_with_an_error_object(wire: Wire, app: str) -> None:
    for target in (configs(app), configs(app, "unheard-of"), configs("unheard-of-app"), configs(app, cluster="other")):
        answer = wire.get(target)
        assert answer.status == 404, target
        assert (answer.json()["status"], answer.json()["error"]) == (404, "Not Found")
        assert answer.json()["path"] == target


# --- row 3: resolution ------------------------------------------------------------------------------

CLUSTERS = ("default", "sh", "bj")


@pytest.mark.parametrize(
    ("own", "public", "asked", "found"),
    [
        # Where releases are, of the app and of the public owner; cluster and data centre asked for; what answers.
        (("default", "sh", "bj"), (), ("sh", "bj"), ("sh", None)),
        (("default", "bj"), (), ("sh", "bj"), ("bj", None)),
        (("default",), (), ("sh", "bj"), ("default", None)),
        (("default", "bj"), (), ("sh", None), ("default", None)),
        (("default", "sh", "bj"), (), ("default", "bj"), ("bj", None)),
        (("default", "sh", "bj"), (), ("default", None), ("default", None)),
        (("sh",), (), ("default", None), (None, None)),
        ((), ("default", "sh", "bj"), ("sh", "bj"), (None, "sh")),
        ((), ("default", "bj"), ("sh", "bj"), (None, "bj")),
        ((), ("default",), ("sh", "bj"), (None, "default")),
        (("default",), ("default", "sh"), ("sh", "bj"), ("default", "sh")),
        (("bj",), ("default",), ("sh", "bj"), ("bj", "default")),
        (("default", "SH"), (), ("SH", None), ("SH", None)),
    ],
)
def test_row_03_own_over_public__each_by_cluster_then_data_centre_then_default(
    world: World,
    wire: Wire,
    app: str,
    own: tuple[str, ...],
    public: tuple[str, ...],
    asked: tuple[str, str | None],
    found: tuple[str | None, str | None],
) -> None:
    library, shared = f"{app}-lib", f"shared-{app[-10:]}"
    world.app(library)
    world.namespace(library, shared, public=True)
    keys: dict[tuple[str, str], str] = {}
    for owner, clusters in ((app, own), (library, public)):
        for cluster in clusters:
            if cluster != "default":
                world.cluster(owner, cluster)
            if owner == app:
                world.associate(app, shared, cluster=cluster)
            side = "own" if owner == app else "public"
            content = {"both": f"{side} {cluster}", side: cluster}
            keys[side, cluster] = world.publish(owner, shared, content, cluster=cluster).key
    cluster, data_center = asked

    more = {} if data_center is None else {"dataCenter": data_center}
    answer = wire.get(configs(app, shared, cluster=cluster, **more))

    found_own, found_public = found
    if found == (None, None):
        assert answer.status == 404
        return
    expected: dict[str, str] = {}
    if found_public is not None:
        expected |= {"both": f"public {found_public}", "public": found_public}
    if found_own is not None:
        expected |= {"both": f"own {found_own}", "own": found_own}
    assert answer.json()["configurations"] == expected
    contributing = [("own", found_own), ("public", found_public)]
    wanted_key = "+".join(keys[side, where] for side, where in contributing if where is not None)
    assert answer.json()["releaseKey"] == wanted_key
    assert answer.json()["cluster"] == (found_own or cluster)


def test_row_03_merged__public_order_first_and_the_own_value_wins(world: World, wire: Wire, app: str) -> None:
    library, shared = f"{app}-lib", f"shared-{app[-10:]}"
    world.app(library)
    world.namespace(library, shared, public=True)
    world.associate(app, shared)
    world.publish(library, shared, {"z": "public", "m": "public", "a": "public"})
    world.publish(app, shared, {"b": "own", "m": "own"})

    merged = wire.get(configs(app, shared)).json()["configurations"]

    assert list(merged.items()) == [("z", "public"), ("m", "own"), ("a", "public"), ("b", "own")]


def test_row_03_placeholder_app_id__gets_public_namespaces_alone(world: World, wire: Wire, app: str) -> None:
    """What a Java client sends that was given no app id."""
    shared = f"shared-{app[-10:]}"
    world.namespace(app, shared, public=True)
    released = world.publish(app, shared, {"k": "v"})
    nobody = "ApolloNoAppIdPlaceHolder"

    answer = wire.get(configs(nobody, shared)).json()

    assert (answer["appId"], answer["configurations"]) == (nobody, {"k": "v"})
    assert wire.get(configs(nobody)).status == 404
    (told,) = wire.get(poll(nobody, {shared: -1})).json()
    assert told["messages"]["details"] == {watch_key(app, shared): released.notification_id}


# --- row 4: configurations --------------------------------------------------------------------------


def test_row_04_full_answer__of_an_empty_release__has_configurations(world: World, wire: Wire, app: str) -> None:
    world.publish(app, "application", {"k": "v"})
    world.publish(app, "application", {})

    answer = wire.get(configs(app)).json()

    assert answer["configurations"] == {}
    assert wire.get(configs(app, releaseKey="unheard-of")).json() == answer


# --- row 5: the held poll ---------------------------------------------------------------------------


def test_row_05_poll__published_in_the_same_moment__misses_nothing(world: World, wire: Wire, app: str) -> None:
    """Registered before compared: a release between the two would cost a whole hold."""
    known = world.publish(app, "application", {"n": "0"}).notification_id
    for number in range(1, RACES):
        seen = known
        publishing = threading.Thread(target=world.publish, args=(app, "application", {"n": str(number)}))
        publishing.start()
        (told,) = wire.get(poll(app, {"application": seen})).json()
        publishing.join()
        known = told["notificationId"]
        assert known > seen
        assert wire.get(configs(app)).json()["configurations"] == {"n": str(number)}


def test_row_05_poll__several_outdated__are_all_told_at_once(world: World, wire: Wire, app: str) -> None:
    names = ["application", "redis", "mysql", "routes.json"]
    for name in names[1:]:
        world.namespace(app, name)
    ids = {}
    for name in names:
        content = {"content": "{}"} if name.endswith(".json") else {"k": "v"}
        ids[name] = world.publish(app, name, content).notification_id

    told = wire.get(poll(app, {"application": -1, "redis": 0, "mysql": ids["mysql"], "routes.json": -1})).json()

    ids.pop("mysql")
    assert {one["namespaceName"]: one["notificationId"] for one in told} == ids


def test_row_05_poll__without_news__is_held_then_304_and_the_connection_goes_on(
    impatient_node: ServerProcess, request: pytest.FixtureRequest
) -> None:
    world, app = World(impatient_node), app_of(request)
    world.app(app, "application")
    known = world.publish(app, "application", {"k": "v"}).notification_id
    with Wire(impatient_node.port) as wire:
        wire.ask(poll(app, {"application": known}))
        assert wire.silent()
        over = wire.receive()

        assert (over.status, over.body) == (304, b"")
        assert "transfer-encoding" not in over.headers
        assert wire.get(configs(app)).status == 200


def test_row_05_poll__held_and_published__is_told_of_that_namespace_alone(world: World, wire: Wire, app: str) -> None:
    world.namespace(app, "redis")
    seen = {name: world.publish(app, name, {"k": "1"}).notification_id for name in ("application", "redis")}
    wire.ask(poll(app, seen))
    assert wire.silent()

    released = world.publish(app, "redis", {"k": "2"})

    (told,) = wire.receive().json()
    assert (told["namespaceName"], told["notificationId"]) == ("redis", released.notification_id)


# --- row 6: names and messages ----------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["APPLICATION", "Application", "application.properties"])
def test_row_06_returned_name__at_once_and_pushed__is_the_clients_spelling(
    world: World, wire: Wire, app: str, asked: str
) -> None:
    first = world.publish(app, "application", {"k": "1"}).notification_id
    (at_once,) = wire.get(poll(app, {asked: -1})).json()
    wire.ask(poll(app, {asked: first}))
    assert wire.silent()
    world.publish(app, "application", {"k": "2"})
    (pushed,) = wire.receive().json()

    spelled = asked.removesuffix(".properties")
    assert (at_once["namespaceName"], pushed["namespaceName"]) == (spelled, spelled)


def test_row_06_two_spellings_at_once__each_poll_gets_its_own_back(
    lasting_node: ServerProcess, world: World, app: str
) -> None:
    known = world.publish(app, "application", {"k": "1"}).notification_id
    with Wire(lasting_node.port) as lower, Wire(lasting_node.port) as upper:
        lower.ask(poll(app, {"application": known}))
        upper.ask(poll(app, {"APPLICATION": known}))
        assert lower.silent()
        assert upper.silent()
        world.publish(app, "application", {"k": "2"})

        assert lower.receive().json()[0]["namespaceName"] == "application"
        assert upper.receive().json()[0]["namespaceName"] == "APPLICATION"


def test_row_06_two_spellings_in_one_poll__are_one_entry_with_the_smaller_id(
    world: World, wire: Wire, app: str
) -> None:
    known = world.publish(app, "application", {"k": "1"}).notification_id

    entries = [{"namespaceName": "application", "notificationId": known}]
    entries += [{"namespaceName": "Application.properties", "notificationId": known - 1}]
    told = wire.get(poll(app, entries)).json()

    assert [(one["namespaceName"], one["notificationId"]) for one in told] == [("Application", known)]


def test_row_06_messages__at_once__hold_every_watch_key_that_has_a_message(world: World, wire: Wire, app: str) -> None:
    library, shared = f"{app}-lib", f"shared-{app[-10:]}"
    world.app(library)
    world.namespace(library, shared, public=True)
    world.cluster(app, "sh")
    world.associate(app, shared, cluster="sh")
    public = world.publish(library, shared, {"k": "public"}).notification_id
    own = world.publish(app, shared, {"k": "own"}, cluster="sh").notification_id

    (told,) = wire.get(poll(app, {shared: -1}, cluster="sh", dataCenter="bj")).json()

    assert told["notificationId"] == max(own, public)
    assert told["messages"]["details"] == {watch_key(app, shared, "sh"): own, watch_key(library, shared): public}


def test_row_06_messages__pushed__hold_the_key_that_fired(world: World, wire: Wire, app: str) -> None:
    world.cluster(app, "sh")
    world.publish(app, "application", {"k": "default"})
    known = world.publish(app, "application", {"k": "sh"}, cluster="sh").notification_id
    wire.ask(poll(app, {"application": known}, cluster="sh"))
    assert wire.silent()

    id_ = world.publish(app, "application", {"k": "default again"}).notification_id

    (told,) = wire.receive().json()
    assert told == {
        "namespaceName": "application",
        "notificationId": id_,
        "messages": {"details": {watch_key(app): id_}},
    }


# --- row 7: when ids differ -------------------------------------------------------------------------


@pytest.mark.parametrize(("ahead", "held"), [(-1, False), (0, True), (1, True), (1_000_000, True)])
def test_row_07_v2__answers_at_once_only_what_is_greater(
    world: World, wire: Wire, app: str, ahead: int, held: bool
) -> None:
    """Held with a greater id, of a server that was rebuilt, it adopts the lower id of the next release."""
    known = world.publish(app, "application", {"k": "1"}).notification_id
    wire.ask(poll(app, {"application": known + ahead}))
    if not held:
        assert wire.receive().json()[0]["notificationId"] == known
        return
    assert wire.silent()

    next_ = world.publish(app, "application", {"k": "2"}).notification_id

    assert wire.receive().json()[0]["notificationId"] == next_


def test_row_07_v2__never_released__is_held_for_minus_one_and_told_of_the_first_release(
    world: World, wire: Wire, app: str
) -> None:
    wire.ask(poll(app, {"application": -1}))
    assert wire.silent()

    released = world.publish(app, "application", {"k": "1"})

    assert wire.receive().json()[0]["notificationId"] == released.notification_id


# --- row 8: ids grow --------------------------------------------------------------------------------


def test_row_08_ids__over_publishes_and_a_rollback__strictly_grow(world: World, wire: Wire, app: str) -> None:
    world.namespace(app, "redis")
    first = world.publish(app, "application", {"k": "1"})
    other = world.publish(app, "redis", {"k": "1"})
    second = world.publish(app, "application", {"k": "2"})
    back = world.roll_back(app, "application", to=first, live=second)

    ids = [one.notification_id for one in (first, other, second, back)]
    assert ids == sorted(set(ids))
    told = wire.get(poll(app, {"application": -1, "redis": -1})).json()
    assert {one["namespaceName"]: one["notificationId"] for one in told} == {
        "application": back.notification_id,
        "redis": other.notification_id,
    }


def test_row_08_ids__of_a_killed_server__go_on_growing(servers: Servers) -> None:
    node = servers.start()
    world = World(node)
    world.app("shop", "application")
    early = world.publish("shop", "application", {"k": "early"}).notification_id

    node.kill()
    node.start()

    with Wire(node.port) as wire:
        assert wire.get(poll("shop", {"application": -1})).json()[0]["notificationId"] == early
        wire.ask(poll("shop", {"application": early}))
        assert world.publish("shop", "application", {"k": "late"}).notification_id > early
        assert wire.receive().json()[0]["notificationId"] > early


def test_row_08_ids__of_a_database_that_is_set_back__go_on_growing(servers: Servers, tmp_path: Path) -> None:
    """The old content becomes a release with a greater id, for those who poll and for those who come later."""
    node = servers.start(env={"HELICON_SWEEP_S": "1"})
    world = World(node)
    world.app("shop", "application")
    world.publish("shop", "application", {"k": "old"})
    database, copy = node.data_dir / "helicon.db", tmp_path / "old.db"
    _copy(database, copy)
    late = [world.publish("shop", "application", {"k": f"late {n}"}).notification_id for n in range(3)][-1]
    with Wire(node.port) as wire:
        wire.ask(poll("shop", {"application": late}))
        assert wire.silent()

        _copy(copy, database)

        restored = wire.receive().json()[0]["notificationId"]
        assert restored > late
        assert wire.get(configs("shop")).json()["configurations"] == {"k": "old"}
    assert world.publish("shop", "application", {"k": "after"}).notification_id > restored


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written)


# --- row 9: woken only when it can be served --------------------------------------------------------


def test_row_09_woken__reads_the_new_release_from_the_same_node_at_once(world: World, wire: Wire, app: str) -> None:
    """Also where an old answer was prepared and read many times before."""
    released = world.publish(app, "application", {"n": "0"})
    for number in range(1, RACES):
        for target in (configs(app), files(app, form="json"), files(app)):
            assert wire.get(target).status == 200
        wire.ask(poll(app, {"application": released.notification_id}))
        publishing = threading.Thread(target=world.publish, args=(app, "application", {"n": str(number)}))
        publishing.start()
        (told,) = wire.receive().json()
        read = wire.get(configs(app, releaseKey=released.key))
        publishing.join()
        assert read.status == 200
        assert read.json()["configurations"] == {"n": str(number)}
        released = type(released)(0, read.json()["releaseKey"], told["notificationId"])


@pytest.mark.postgres
def test_row_09_woken_by_one_node__reads_from_another__never_gets_the_old(
    servers: Servers, postgres: PostgresServer, postgres_url: str
) -> None:
    """`messages` says what the client was told; a node that has not heard of it yet looks for it first."""
    assert postgres.running
    assert run_server_command("migrate", "--database-url", postgres_url).returncode == 0
    one, other = (servers.start(database_url=postgres_url) for _ in range(2))
    world = World(one)
    world.app("shop", "application")
    known = world.publish("shop", "application", {"n": "0"}).notification_id
    with Wire(one.port) as told_by, Wire(other.port) as read_from:
        for number in range(1, RACES):
            told_by.ask(poll("shop", {"application": known}))
            publishing = threading.Thread(target=world.publish, args=("shop", "application", {"n": str(number)}))
            publishing.start()
            (told,) = told_by.receive().json()
            known = told["notificationId"]
            read = read_from.get(configs("shop", messages=json.dumps(told["messages"])))
            publishing.join()
            assert read.json()["configurations"] == {"n": str(number)}


# --- row 12: discovery ------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/envs/PRO"])
def test_row_12_homepage_url__ends_in_a_slash_and_repeats_the_prefix(wire: Wire, prefix: str) -> None:
    services = wire.get(f"{prefix}/services/config?appId=shop&ip=10.1.2.3").json()

    assert services
    assert {one["homepageUrl"] for one in services} == {f"http://config.example{prefix}/"}
    assert all(one["appName"] and one["instanceId"] for one in services)


# --- row 13: untidy requests ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    ["?&ip=10.1.2.3&label=", "?", "?&", "?&&=&a", "?ip=&label=&dataCenter=&messages=&releaseKey=", "?ip", "?%zz=%zz"],
)
def test_row_13_query__untidy__is_read_as_if_it_were_tidy(world: World, wire: Wire, app: str, query: str) -> None:
    released = world.publish(app, "application", {"k": "v"})

    for target in (configs(app), files(app), files(app, form="json"), files(app, form="raw")):
        assert wire.get(target + query).status == 200, target
    assert wire.get(configs(app) + query + f"&releaseKey={released.key}").status in (200, 304)


def test_row_13_notification_id__missing__is_zero(world: World, wire: Wire, app: str) -> None:
    released = world.publish(app, "application", {"k": "v"})

    told = wire.get(poll(app, [{"namespaceName": "application"}, {"namespaceName": "never-released"}])).json()

    assert [one["notificationId"] for one in told] == [released.notification_id]


def test_row_13_early_disconnects__of_many_polls__harm_nobody(
    lasting_node: ServerProcess, world: World, wire: Wire, app: str
) -> None:
    known = world.publish(app, "application", {"k": "1"}).notification_id
    for _ in range(ABANDONED):
        with Wire(lasting_node.port) as leaving:
            leaving.ask(poll(app, {"application": known}))
    with Wire(lasting_node.port) as halfway:
        halfway.send(b"GET /notifications/v2?appId=")
    wire.ask(poll(app, {"application": known}))
    assert wire.silent()

    world.publish(app, "application", {"k": "2"})

    assert wire.receive().status == 200
    assert wire.get(configs(app)).json()["configurations"] == {"k": "2"}


# --- row 14: properties text ------------------------------------------------------------------------


def test_row_14_properties_text__is_escaped_and_has_no_date(world: World, wire: Wire, app: str) -> None:
    content = {
        "db.url": "jdbc:x://h:1/a?b=1",
        "a key": " leading and inner blank",
        "#!:=": "#!:=",
        "back\\slash": "C:\\temp",
        "lines": "one\ntwo\rthree\tfour\ffive",
        "greeting": "你好 Zoë 🎉",
        "empty": "",
    }
    world.publish(app, "application", content)

    answer = wire.get(files(app))

    assert answer.headers["content-type"].replace(" ", "").lower() == "text/plain;charset=utf-8"
    assert answer.text.endswith("\n")
    assert sorted(answer.text.removesuffix("\n").split("\n")) == sorted(
        [
            r"db.url=jdbc\:x\://h\:1/a?b\=1",
            r"a\ key=\ leading and inner blank",
            r"\#\!\:\==\#\!\:\=",
            r"back\\slash=C\:\\temp",
            r"lines=one\ntwo\rthree\tfour\ffive",
            "greeting=你好 Zoë 🎉",
            "empty=",
        ]
    )
    assert wire.get(files(app, form="raw")).body == answer.body


# --- row 15: incremental answers --------------------------------------------------------------------


def test_row_15_old_release_key__switched_on_by_nobody__is_answered_in_full(world: World, wire: Wire, app: str) -> None:
    old = world.publish(app, "application", {"kept": "1", "gone": "1"})
    new = world.publish(app, "application", {"kept": "1", "added": "2"})

    answer = wire.get(configs(app, releaseKey=old.key)).json()

    assert answer["configurations"] == {"kept": "1", "added": "2"}
    assert answer["releaseKey"] == new.key
    assert not {"configSyncType", "configurationChanges"} & answer.keys()
