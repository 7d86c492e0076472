"""Section 2 of "Apollo clients in the wild": what broke some client when a server did it, so this one never does.

| A server that | is tested by |
|---|---|
| compresses although nobody offered it | point 11 of section 1 |
| leaves `releaseKey`, `namespaceName`, `appId` or `cluster` out, or answers values that are no strings | here |
| calls `/configs` plain text | here |
| leaves `messages` out | here |
| does not answer -1 or 0 at once | here |
| names a namespace in its own spelling | here |
| answers the old configuration after the notification | here |
| has a `homepageUrl` without a slash | row 12 of the checklist |
| is away for some seconds | here |
| holds a whole idle poll | row 5 of the checklist |
"""

from __future__ import annotations

import pytest

from tests.conformance.wire import Wire
from tests.conformance.world import World, configs, files, poll
from tests.support.server import Servers

SPELLINGS = ["application", "APPLICATION", "aPPlication"]


@pytest.mark.parametrize("field", ["releaseKey", "namespaceName", "appId", "cluster"])
def test_breaks_clients__configs_without_a_field(world: World, wire: Wire, app: str, field: str) -> None:
    """Neither for the first release, an empty one, a document, nor another cluster."""
    world.namespace(app, "routes.json")
    world.publish(app, "application", {})
    world.publish(app, "routes.json", {"content": "{}"})

    for target in (configs(app), configs(app, "routes.json"), configs(app, cluster="elsewhere")):
        value = wire.get(target).json()[field]
        assert isinstance(value, str)
        assert value


def test_breaks_clients__values_that_are_no_strings(world: World, wire: Wire, app: str) -> None:
    """Neither of text that looks like something else, nor of a document."""
    looks = {"int": "8080", "float": "1e3", "bool": "true", "none": "null", "list": "[1]", "object": '{"a": 1}'}
    world.namespace(app, "routes.json")
    world.publish(app, "application", looks)
    world.publish(app, "routes.json", {"content": '{"a": 1}'})

    assert wire.get(configs(app)).json()["configurations"] == looks
    assert wire.get(files(app, form="json")).json() == looks
    assert wire.get(configs(app, "routes.json")).json()["configurations"] == {"content": '{"a": 1}'}


def test_breaks_clients__configs_as_plain_text(world: World, wire: Wire, app: str) -> None:
    world.publish(app, "application", {"k": "v"})

    for lines in ([], ["Accept: */*"], ["Accept: text/plain"], ["Accept: text/html"]):
        assert wire.get(configs(app), *lines).headers["content-type"].startswith("application/json")


def test_breaks_clients__notifications_without_messages(world: World, wire: Wire, app: str) -> None:
    """.NET ignores such an entry altogether, at once or pushed."""
    first = world.publish(app, "application", {"k": "1"}).notification_id
    at_once = wire.get(poll(app, {"application": -1})).json()
    wire.ask(poll(app, {"application": first}))
    assert wire.silent()
    second = world.publish(app, "application", {"k": "2"}).notification_id

    for told, id_ in ((at_once, first), (wire.receive().json(), second)):
        assert [one["messages"]["details"] for one in told] == [{f"{app}+default+application": id_}]


@pytest.mark.parametrize("begin", [-1, 0])
def test_breaks_clients__no_immediate_answer_to_the_first_poll(world: World, wire: Wire, app: str, begin: int) -> None:
    released = world.publish(app, "application", {"k": "v"})

    assert wire.get(poll(app, {"application": begin})).json()[0]["notificationId"] == released.notification_id


@pytest.mark.parametrize("asked", SPELLINGS)
def test_breaks_clients__names_in_the_servers_spelling(world: World, wire: Wire, app: str, asked: str) -> None:
    """Also where other clients asked for another spelling first."""
    known = world.publish(app, "application", {"k": "1"}).notification_id
    for other in SPELLINGS:
        wire.get(configs(app, other))
        wire.get(poll(app, {other: -1}))

    assert wire.get(configs(app, asked)).json()["namespaceName"] == asked
    assert wire.get(poll(app, {asked: -1})).json()[0]["namespaceName"] == asked
    wire.ask(poll(app, {asked: known}))
    assert wire.silent()
    world.publish(app, "application", {"k": "2"})
    assert wire.receive().json()[0]["namespaceName"] == asked
    assert wire.get(configs(app, asked)).json()["namespaceName"] == asked


def test_breaks_clients__old_configuration_after_the_notification(world: World, wire: Wire, app: str) -> None:
    """Twelve of thirteen lose the change. In every form, with and without the key, on the connection of the poll."""
    released = world.publish(app, "application", {"n": "0"})
    for number in range(1, 10):
        wire.ask(poll(app, {"application": released.notification_id}))
        old, released = released, world.publish(app, "application", {"n": str(number)})
        assert wire.receive().status == 200
        wanted = {"n": str(number)}
        assert wire.get(configs(app)).json()["configurations"] == wanted
        assert wire.get(configs(app, releaseKey=old.key)).json()["configurations"] == wanted
        assert wire.get(files(app, form="json")).json() == wanted
        assert wire.get(files(app)).text == f"n={number}\n"
        assert wire.get(configs(app, cluster="elsewhere", dataCenter="sh")).json()["configurations"] == wanted


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_breaks_clients__ids_that_begin_anew_after_some_seconds_away(servers: Servers, how: str) -> None:
    """Clients come back with the id that they had: held until there is news, told of what came meanwhile."""
    node = servers.start()
    world = World(node)
    world.app("shop", "application")
    known = world.publish("shop", "application", {"k": "1"}).notification_id
    with Wire(node.port) as held:
        held.ask(poll("shop", {"application": known}))
        assert held.silent()
        if how == "kill":
            node.kill()
        else:
            assert node.stop() == 0
            assert held.receive().status == 304  # answered, not cut
    node.start()

    with Wire(node.port) as back:
        back.ask(poll("shop", {"application": known}))
        assert back.silent()
        changed = world.publish("shop", "application", {"k": "2"}).notification_id
        assert changed > known
        assert back.receive().json()[0]["notificationId"] == changed
