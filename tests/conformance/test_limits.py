"""Sections 1.2, 1.3 and 13 of the Apollo client protocol: how requests are read, errors told, what is not too much."""

from __future__ import annotations

import json
import re

import pytest

from tests.conformance.wire import Wire
from tests.conformance.world import World, configs, files, poll
from tests.support.server import ServerProcess

HEAD_BYTES = 10_240  # that the original takes
FAR_LARGER = 500_000
HANDLER_ERROR = {"status", "message", "timestamp", "exception"}
CONTAINER_ERROR = {"timestamp", "status", "error", "path"}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}")
MANY = 300


# --- section 1.2: request line and parameters ---------------------------------------------------------


def test_path__percent_encoded__is_decoded_once(world: World, wire: Wire, app: str) -> None:
    released = world.publish(app, "application", {"k": "v"})
    spelled = "".join(f"%{ord(letter):02x}" for letter in "application")

    answer = wire.get(f"/configs/{app}/default/{spelled}").json()

    assert (answer["namespaceName"], answer["releaseKey"]) == ("application", released.key)
    assert wire.get(f"/configs/{app}/default/{spelled.replace('%', '%25')}").status == 400


def test_path__namespace_with_dots__is_one_segment(world: World, wire: Wire, app: str) -> None:
    world.namespace(app, "team.module.redis.yml")
    world.publish(app, "team.module.redis.yml", {"content": "a: 1"})

    assert wire.get(configs(app, "team.module.redis.yml")).json()["configurations"] == {"content": "a: 1"}


@pytest.mark.parametrize(
    "path",
    [
        "/configs//default/application",
        "/configs/{app}%2Fx/default/application",
        "/configs/{app}%2fdefault/application",
        "/configs/{app};v=1/default/application",
        "/configs/{app}%3Bv=1/default/application",
        "/configs/{app}/default/appli%25cation",
        "/configs/{app}/../{app}/default/application",
        "/configs/{app}/default/%2e%2e",
        "/configs/{app}/default/appli%00cation",
        "/configs/{app}/default/appli%5Ccation",
        "/configs/{app}/default/appli%zzcation",
    ],
)
def test_path__that_two_readers_may_read_differently__is_400(world: World, wire: Wire, app: str, path: str) -> None:
    world.publish(app, "application", {"k": "v"})

    assert wire.get(path.format(app=app)).status == 400
    assert wire.get(configs(app)).status == 200


@pytest.mark.parametrize(
    "path", ["//configs/{app}/default/application", "///{app}", "/%2Fconfigs/{app}/default/application"]
)
def test_path__that_begins_with_two_slashes__is_refused(world: World, wire: Wire, app: str, path: str) -> None:
    """It is no path of the client protocol, so which part of the server says so does not matter."""
    world.publish(app, "application", {"k": "v"})

    assert wire.get(path.format(app=app)).status in (400, 404)


@pytest.mark.parametrize("spelled", ["Sh+1%2B%E4%B8%AD", "Sh%201%2b%e4%b8%ad"])
def test_query__form_encoded__is_decoded(world: World, wire: Wire, app: str, spelled: str) -> None:
    """No stored name holds such characters: that the other namespace of the poll is told of shows the reading."""
    entries = f"%5B%7B%22namespaceName%22%3A%22{spelled}%22%2C%22notificationId%22%3A-1%7D%2C"
    entries += "%7B%22namespaceName%22%3A%22application%22%7D%5D"
    key = world.publish(app, "application", {"k": "v"}).key

    told = wire.get(f"/notifications/v2?appId={app}&cluster=default&notifications={entries}").json()

    assert [one["namespaceName"] for one in told] == ["application"]
    assert wire.get(f"{configs(app)}?releaseKey={_encoded(key)}").status == 304
    assert wire.get(f"{configs(app)}?release%4Bey={key}").status == 304


@pytest.mark.parametrize("query", ["?releaseKey=", "?releaseKey", "?", "?releaseKey=-1", "?&releaseKey="])
def test_release_key__empty_or_missing__sends_everything(world: World, wire: Wire, app: str, query: str) -> None:
    world.publish(app, "application", {"k": "v"})

    assert wire.get(configs(app) + query).json()["configurations"] == {"k": "v"}


@pytest.mark.parametrize("name", ["ip", "label", "dataCenter", "messages"])
def test_parameter__empty__is_absent(world: World, wire: Wire, app: str, name: str) -> None:
    released = world.publish(app, "application", {"k": "v"})

    for target in (configs(app), files(app), files(app, form="json"), files(app, form="raw")):
        assert wire.get(f"{target}?{name}=").body == wire.get(target).body
    known = {"application": released.notification_id - 1}
    assert wire.get(poll(app, known) + f"&{name}=").json() == wire.get(poll(app, known)).json()


@pytest.mark.parametrize(
    "messages", ["x", "{", "[]", "7", "null", '{"details":7}', '{"details":{"a+b+c":"x"}}', '{"other":{}}', "%ff"]
)
def test_messages__that_cannot_be_parsed__are_absent(world: World, wire: Wire, app: str, messages: str) -> None:
    world.publish(app, "application", {"k": "v"})

    assert wire.get(configs(app, messages=messages)).status == 200


def test_head__of_as_many_bytes_as_the_original_takes__is_taken(world: World, wire: Wire, app: str) -> None:
    released = world.publish(app, "application", {"k": "v"})
    entries = [{"namespaceName": "application", "notificationId": released.notification_id - 1}]
    while len(poll(app, entries)) < HEAD_BYTES - 200:
        entries.append({"namespaceName": f"never-released-{len(entries)}", "notificationId": -1})

    assert [one["namespaceName"] for one in wire.get(poll(app, entries)).json()] == ["application"]
    padding = "x" * (HEAD_BYTES - len(configs(app)) - 100)
    assert wire.get(configs(app), f"X-Padding: {padding}").status == 200


def test_head__far_larger__is_refused(lasting_node: ServerProcess, wire: Wire, app: str) -> None:
    with Wire(lasting_node.port) as large:
        assert large.get(configs(app, label="x" * FAR_LARGER)).status in (400, 431)
    with Wire(lasting_node.port) as large:
        assert large.get(configs(app), f"X-Padding: {'x' * FAR_LARGER}").status in (400, 431)
    assert wire.get(configs(app)).status == 404


@pytest.mark.parametrize("character", list('{}[]"|'))
def test_query__with_raw_brackets_quotes_and_bars__is_taken(world: World, wire: Wire, app: str, character: str) -> None:
    """The original's container answers 400; to be lenient is harmless."""
    world.publish(app, "application", {"k": "v"})

    assert wire.get(f"{configs(app)}?label={character}").status == 200


def test_poll__json_not_encoded_at_all__is_read(world: World, wire: Wire, app: str) -> None:
    world.publish(app, "application", {"k": "v"})
    raw = '[{"namespaceName":"application","notificationId":-1}]'

    assert wire.get(f"/notifications/v2?appId={app}&cluster=default&notifications={raw}").status == 200


# --- section 1.3: errors ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "notifications", ["x", "", "{}", "7", "[]", "null", "[{}]", '[{"notificationId":1}]', '[{"namespaceName":""}]']
)
def test_error__bad_notifications__is_400_in_the_shape_of_a_handler(wire: Wire, app: str, notifications: str) -> None:
    answer = wire.get(f"/notifications/v2?appId={app}&cluster=default&notifications={_encoded(notifications)}")

    assert answer.status == 400
    error = answer.json()
    assert error.keys() >= HANDLER_ERROR
    assert error["status"] == 400
    assert TIMESTAMP.fullmatch(error["timestamp"])
    assert error["message"]


def test_error__nothing_released__is_in_the_shape_of_the_container(wire: Wire, app: str) -> None:
    for target in (configs(app), files(app), files(app, form="json"), files(app, form="raw")):
        answer = wire.get(target, "Accept: text/html")
        assert answer.status == 404
        assert answer.json().keys() >= CONTAINER_ERROR
        assert answer.json()["path"] == target
        assert answer.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_error__wrong_method__is_400_and_changes_nothing(world: World, wire: Wire, app: str, method: str) -> None:
    world.publish(app, "application", {"k": "v"})

    for target in (configs(app), files(app), poll(app, {"application": -1})):
        assert wire.get(target, "Content-Length: 0", method=method).status == 400
    assert wire.get(configs(app)).json()["configurations"] == {"k": "v"}


@pytest.mark.parametrize("missing", ["cluster", "notifications"])
def test_error__missing_parameter_of_a_poll__is_500(wire: Wire, app: str, missing: str) -> None:
    """The original has no special mapping for it."""
    parameters = {"appId": app, "cluster": "default", "notifications": "%5B%7B%22namespaceName%22%3A%22a%22%7D%5D"}
    del parameters[missing]

    answer = wire.get("/notifications/v2?" + "&".join(f"{name}={value}" for name, value in parameters.items()))

    assert (answer.status, answer.json()["status"]) == (500, 500)


@pytest.mark.parametrize("id_", ["abc", "1.5", "[]", "0x10"])
def test_error__legacy_notification_id_that_is_no_number__is_500(wire: Wire, app: str, id_: str) -> None:
    assert wire.get(f"/notifications?appId={app}&cluster=default&notificationId={id_}").status == 500
    assert wire.get(f"/notifications?appId={app}").status == 500  # no cluster
    assert wire.get("/notifications?cluster=default").status == 400  # no app id


@pytest.mark.parametrize("app_id", ["", "a b", "a+b", "../x", "你好", ".hidden", "a*"])
def test_error__app_id_that_cannot_be_one__is_400_although_there_are_no_keys(wire: Wire, app_id: str) -> None:
    """Section 11.2, step 2."""
    asked = poll(app_id, {"application": -1})

    assert wire.get(asked).status == 400
    assert wire.get(asked.replace("appId=", "other=")).status == 400
    if app_id and "/" not in app_id:
        for target in (configs(app_id), files(app_id), files(app_id, form="json"), files(app_id, form="raw")):
            assert wire.get(target).status == 400


@pytest.mark.parametrize(
    "path", ["/configs", "/configs/a/default", "/configfiles/a", "/notifications/v3", "/services/x"]
)
def test_error__unknown_path__is_404(wire: Wire, path: str) -> None:
    assert wire.get(path).status == 404


def test_bodies__200_has_one_and_304_has_none(world: World, wire: Wire, app: str) -> None:
    """An empty 200 makes the Java client load in a loop."""
    world.publish(app, "application", {"k": "v"})
    released = world.publish(app, "application", {})

    assert wire.get(configs(app)).body
    unchanged = wire.get(configs(app, releaseKey=released.key))
    assert (unchanged.status, unchanged.body) == (304, b"")
    # If 304 had brought bytes, they would stand before the next answer.
    assert wire.get(configs(app)).status == 200


# --- section 13: limits -------------------------------------------------------------------------------


def test_limits__longest_names_key_and_value_of_the_original__are_served(world: World, wire: Wire) -> None:
    """App id 64 characters, cluster and namespace 32, key 128, value 20,000."""
    app, cluster, namespace = "a" * 64, "c" * 32, "n" * 32
    content = {"k" * 128: "值" * 20_000}
    world.app(app, namespace)
    world.cluster(app, cluster)
    released = world.publish(app, namespace, content, cluster=cluster)

    answer = wire.get(configs(app, namespace, cluster=cluster)).json()

    assert answer["configurations"] == content
    (told,) = wire.get(poll(app, {namespace: -1}, cluster=cluster)).json()
    assert told["messages"]["details"] == {f"{app}+{cluster}+{namespace}": released.notification_id}


@pytest.mark.parametrize("place", range(4))
def test_limits__name_of_thousands_of_characters__is_400(wire: Wire, app: str, place: int) -> None:
    names = [app, "default", "application", "bj"]
    names[place] = "x" * 3_000
    asked, cluster, namespace, data_center = names

    assert wire.get(configs(asked, namespace, cluster=cluster, dataCenter=data_center)).status == 400
    assert wire.get(poll(asked, {namespace: -1}, cluster=cluster, dataCenter=data_center)).status == 400


def test_limits__thousand_items__are_one_answer_in_their_order(world: World, wire: Wire, app: str) -> None:
    content = {f"key.{number * 7919 % 1000}": str(number) for number in range(1000)}
    world.publish(app, "application", content)

    assert list(wire.get(configs(app)).json()["configurations"].items()) == list(content.items())


def test_limits__hundreds_of_requests_of_one_client_at_once__are_all_answered(
    world: World, wire: Wire, app: str
) -> None:
    """Clients throttle themselves and the original limits nobody; beyond a thousand in a second Helicon does."""
    world.publish(app, "application", {"k": "v"})

    for _ in range(MANY):
        wire.ask(configs(app))
    assert {wire.receive().status for _ in range(MANY)} == {200}


def _encoded(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def test_numbers__ids_are_numbers_and_values_strings(world: World, wire: Wire, app: str) -> None:
    """Section 1.1."""
    released = world.publish(app, "application", {"n": "1", "b": "true", "j": '{"a":1}', "empty": ""})

    raw = wire.get(poll(app, {"application": -1})).text
    assert f'"notificationId":{released.notification_id}' in raw.replace(" ", "")
    values = json.loads(wire.get(configs(app)).body)["configurations"]
    assert values == {"n": "1", "b": "true", "j": '{"a":1}', "empty": ""}
