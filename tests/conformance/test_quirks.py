"""Section 16 of the Apollo client protocol: habits of clients that a server has to put up with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from urllib.parse import quote

import pytest

from tests.conformance.conftest import app_of
from tests.conformance.wire import Wire, statuses
from tests.conformance.world import World, configs, files, legacy_poll, poll
from tests.support.server import ServerProcess, Servers
from tests.support.wait import wait_until

HELD_DEADLINE_S = 20

# --- Go: agollo ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/envs/DEV"])
def test_quirk_agollo__appends_its_path_to_the_homepage_url_blindly(
    lasting_node: ServerProcess, world: World, app: str, prefix: str
) -> None:
    world.publish(app, "application", {"k": "v"})
    with Wire(lasting_node.port) as wire:
        (service,) = wire.get(f"{prefix}/services/config?appId={app}&ip=10.1.2.3").json()
        base = service["homepageUrl"].removeprefix("http://config.example")

        assert wire.get(f"{base}configs/{app}/default/application?releaseKey=&ip=10.1.2.3").status == 200


def test_quirk_agollo__stray_ampersand_and_empty_label(world: World, wire: Wire, app: str) -> None:
    world.publish(app, "application", {"k": "v"})

    assert wire.get(f"{files(app, form='json')}?&ip=10.1.2.3&label=").json() == {"k": "v"}


def test_quirk_agollo__empty_release_key_on_the_first_load(world: World, wire: Wire, app: str) -> None:
    world.publish(app, "application", {"k": "v"})

    assert wire.get(f"{configs(app)}?releaseKey=&ip=10.1.2.3&label=").json()["configurations"] == {"k": "v"}


def test_quirk_agollo__blanks_in_a_path_as_plus__get_a_final_answer(wire: Wire, app: str) -> None:
    """A `+` of a path is itself, so nothing is found. 404 is final; anything but 400, 401, 404, 405 is tried again."""
    for name in ("my+namespace", "my%20namespace", "my+namespace.json"):
        assert wire.get(f"/configs/{app}/default/{name}?releaseKey=&ip=10.1.2.3").status == 404
        assert wire.get(f"/configfiles/json/{app}/default/{name}?&ip=10.1.2.3&label=").status == 404


def test_quirk_agollo__polls_again_after_a_pause__and_is_told_of_what_came_between(
    world: World, wire: Wire, app: str
) -> None:
    world.publish(app, "application", {"k": "1"})
    told = wire.get(poll(app, {"application": -1})).json()[0]["notificationId"]

    between = [world.publish(app, "application", {"k": str(number)}).notification_id for number in (2, 3)]

    assert wire.get(poll(app, {"application": told})).json()[0]["notificationId"] == between[-1]


def test_quirk_agollo__waits_ten_minutes_for_a_poll__and_is_answered_before(
    impatient_node: ServerProcess, request: pytest.FixtureRequest
) -> None:
    """So do the .NET clients; the hold is the server's, whatever the client would wait."""
    app = app_of(request)
    World(impatient_node).app(app, "application")
    with Wire(impatient_node.port) as wire:
        assert wire.get(poll(app, {"application": -1})).status == 304


def test_quirk_agollo__signs_and_there_is_no_key__is_not_looked_at(world: World, wire: Wire, app: str) -> None:
    world.publish(app, "application", {"k": "v"})
    signed = [f"Authorization: Apollo {app}:bm90IGEgc2lnbmF0dXJl", "Timestamp: 1"]

    assert wire.get(f"/services/config?appId={app}&ip=10.1.2.3", *signed).status == 200
    for target in (configs(app), files(app, form="json"), poll(app, {"application": -1})):
        assert wire.get(target, *signed).status == 200


# --- .NET ---------------------------------------------------------------------------------------------


def test_quirk_dotnet__lower_case_escapes(world: World, wire: Wire, app: str) -> None:
    released = world.publish(app, "application", {"k": "v"})
    spelled = quote('[{"namespaceName":"application","notificationId":-1}]', safe="")
    lower = "%".join([spelled.split("%")[0], *(part[:2].lower() + part[2:] for part in spelled.split("%")[1:])])

    (told,) = wire.get(f"/notifications/v2?appId={app}&cluster=default&notifications={lower}").json()

    assert told["notificationId"] == released.notification_id


def test_quirk_dotnet__sends_messages_back_as_it_got_them(world: World, wire: Wire, app: str) -> None:
    """An entry without `messages` it ignores altogether, so they are there, and what it sends back is understood."""
    released = world.publish(app, "application", {"k": "v"})
    (told,) = wire.get(poll(app, {"application": -1})).json()
    assert told["messages"]["details"]

    sent = configs(app, releaseKey=released.key, messages=json.dumps(told["messages"]), ip="10.1.2.3")

    assert wire.get(sent).status == 304


def test_quirk_dotnet__takes_404_for_empty_and_asks_on__until_there_is_a_release(
    world: World, wire: Wire, app: str
) -> None:
    for _ in range(3):
        assert wire.get(configs(app)).status == 404
    world.publish(app, "application", {"k": "v"})

    assert wire.get(configs(app)).json()["configurations"] == {"k": "v"}


# --- Python: pyapollo and its forks -------------------------------------------------------------------


def test_quirk_python__gives_up_polls_before_they_end__and_leaves_nothing_behind(
    servers: Servers, request: pytest.FixtureRequest
) -> None:
    """With room for four polls of one address, twelve that were left do not stand in the way of the next three."""
    node = servers.start(env={"HELICON_POLLS_PER_ADDRESS": "4"})
    world, app = World(node), app_of(request)
    world.app(app, "application")
    known = {"application": world.publish(app, "application", {"k": "1"}).notification_id}
    with ExitStack() as staying:
        for _ in range(4):
            with ExitStack() as leaving:
                for _ in range(3):
                    leaving.enter_context(_held(node, poll(app, known)))
        held = [staying.enter_context(_held(node, poll(app, known))) for _ in range(3)]

        world.publish(app, "application", {"k": "2"})

        assert statuses(wire.receive() for wire in held) == [200] * 3


def _held(node: ServerProcess, target: str) -> Wire:
    """A connection whose poll the node holds, as soon as there is room for it."""

    def attempt() -> Wire | None:
        wire = Wire(node.port)
        wire.ask(target)
        if wire.silent():
            return wire
        wire.close()
        return None

    made = wait_until(attempt, HELD_DEADLINE_S, "room for one more poll")
    assert made is not None
    return made


def test_quirk_python__acts_on_the_first_entry_only__is_told_of_the_others_until_it_sends_their_ids(
    world: World, wire: Wire, app: str
) -> None:
    names = ["application", "redis", "mysql"]
    for name in names[1:]:
        world.namespace(app, name)
    for name in names:
        world.publish(app, name, {"k": "v"})
    known = dict.fromkeys(names, -1)

    for _ in names:
        told = wire.get(poll(app, known)).json()
        assert {one["namespaceName"] for one in told} == {name for name in names if known[name] == -1}
        known[told[0]["namespaceName"]] = told[0]["notificationId"]

    wire.ask(poll(app, known))
    assert wire.silent()


@pytest.mark.parametrize(
    "query", ["?releaseKey=&ip=127.0.0.1", "?ip=None", "?releaseKey=None&ip=undefined", "?releaseKey=undefined"]
)
def test_quirk_python__odd_values__get_everything(world: World, wire: Wire, app: str, query: str) -> None:
    world.publish(app, "application", {"k": "v"})

    assert wire.get(configs(app) + query).json()["configurations"] == {"k": "v"}


# --- Node: ctrip-apollo and others --------------------------------------------------------------------


@pytest.mark.parametrize("entry", [{}, {"notificationId": None}, {"notificationId": 0}, {"notificationId": "0"}])
def test_quirk_node__leaves_the_notification_id_out__gets_what_there_is(
    world: World, wire: Wire, app: str, entry: Mapping[str, object]
) -> None:
    released = world.publish(app, "application", {"k": "v"})

    (told,) = wire.get(poll(app, [{"namespaceName": "application", **entry}])).json()

    assert told["notificationId"] == released.notification_id


def test_quirk_node__ignores_messages__still_reads_what_it_was_told_of(world: World, wire: Wire, app: str) -> None:
    first = world.publish(app, "application", {"k": "1"})
    wire.ask(poll(app, {"application": first.notification_id}))
    assert wire.silent()
    world.publish(app, "application", {"k": "2"})
    assert wire.receive().status == 200

    assert wire.get(configs(app, ip="10.1.2.3")).json()["configurations"] == {"k": "2"}


# --- curl and shells ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "text"), [("", "k=v\n"), ("json", '{"k":"v"}'), ("raw", "k=v\n")])
def test_quirk_curl__no_ip(world: World, wire: Wire, app: str, form: str, text: str) -> None:
    world.publish(app, "application", {"k": "v"})

    assert wire.get(files(app, form=form), "User-Agent: curl/8.5.0", "Accept: */*").text == text


# --- very old Java clients ----------------------------------------------------------------------------


def test_quirk_old_java__basic_authorization__is_ignored(world: World, wire: Wire, app: str) -> None:
    world.publish(app, "application", {"k": "v"})
    basic = "Authorization: Basic dXNlcjo="

    for target in (configs(app), files(app), poll(app, {"application": -1}), "/services/config"):
        assert wire.get(target, basic).status == 200


@pytest.mark.parametrize("namespace", ["application", "application.properties", ""])
def test_quirk_old_java__legacy_poll__is_one_object_without_messages(
    world: World, wire: Wire, app: str, namespace: str
) -> None:
    """Section 8; `namespace` and `notificationId` may be missing."""
    released = world.publish(app, "application", {"k": "v"})
    named = f"&namespace={namespace}" if namespace else ""

    for target in (legacy_poll(app), legacy_poll(app, -1, ip="10.1.2.3", dataCenter="sh")):
        told = wire.get(target + named).json()
        assert told == {"namespaceName": "application", "notificationId": released.notification_id}


def test_quirk_old_java__legacy_poll__case_counts(world: World, wire: Wire, app: str) -> None:
    """Only `.properties` is stripped: another spelling is another namespace, never released."""
    world.publish(app, "application", {"k": "v"})

    wire.ask(legacy_poll(app, namespace="APPLICATION"))

    assert wire.silent()


def test_quirk_old_java__legacy_poll__held_beside_v2_polls_is_pushed_in_its_own_shape(
    lasting_node: ServerProcess, world: World, wire: Wire, app: str
) -> None:
    known = world.publish(app, "application", {"k": "1"}).notification_id
    with Wire(lasting_node.port) as newer:
        wire.ask(legacy_poll(app, known))
        newer.ask(poll(app, {"application": known}))
        assert wire.silent()
        assert newer.silent()

        id_ = world.publish(app, "application", {"k": "2"}).notification_id

        assert wire.receive().json() == {"namespaceName": "application", "notificationId": id_}
        assert newer.receive().json()[0]["messages"]["details"]
        assert wire.get(configs(app)).json()["configurations"] == {"k": "2"}
