"""Rows 5 to 9 of the checklist (Apollo client protocol, section 19): polls, their ids, and what they promise."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.conformance.conftest import app_of
from tests.conformance.wire import Wire
from tests.conformance.world import World, configs, files, legacy_poll, poll, watch_key
from tests.faults.cluster import cluster
from tests.support.postgres import PostgresServer
from tests.support.server import ServerProcess, Servers

RACES = 25


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


@pytest.mark.parametrize("ahead", [-1, 1])
def test_row_07_v1__answers_at_once_whatever_is_not_equal(world: World, wire: Wire, app: str, ahead: int) -> None:
    known = world.publish(app, "application", {"k": "1"}).notification_id

    told = wire.get(legacy_poll(app, known + ahead)).json()

    assert told == {"namespaceName": "application", "notificationId": known}


def test_row_07_v1__equal__is_held_until_there_is_news(world: World, wire: Wire, app: str) -> None:
    known = world.publish(app, "application", {"k": "1"}).notification_id
    wire.ask(legacy_poll(app, known))
    assert wire.silent()

    next_ = world.publish(app, "application", {"k": "2"}).notification_id

    assert wire.receive().json() == {"namespaceName": "application", "notificationId": next_}


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
def test_row_09_woken_by_one_node__reads_from_another_that_is_behind__never_gets_the_old(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    """`messages` says what the client was told. The other node hears of nothing and would look in five minutes."""
    settings = {"HELICON_SWEEP_S": "300", "HELICON_LONG_POLL_S": "60"}
    with cluster(postgres, tmp_path, 2, settings) as pair:
        one, other = pair.nodes
        world = World(one)
        world.app("shop", "application")
        known = world.publish("shop", "application", {"n": "0"}).notification_id
        World(other).await_served("shop", "application", known)
        pair.relays[1].deaf = True
        with Wire(one.port) as told_by, Wire(other.port) as read_from:
            for number in range(1, 4):
                told_by.ask(poll("shop", {"application": known}))
                world.publish("shop", "application", {"n": str(number)})
                (told,) = told_by.receive().json()
                known = told["notificationId"]
                behind = read_from.get(configs("shop")).json()
                assert behind["configurations"] == {"n": str(number - 1)}, "the other node is not behind"
                asked = configs("shop", messages=json.dumps(told["messages"]), releaseKey=behind["releaseKey"])
                read = read_from.get(asked)
                assert read.status == 200
                assert read.json()["configurations"] == {"n": str(number)}
