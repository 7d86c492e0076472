"""Row 11 of the checklist, and section 11 of the Apollo client protocol behind it: access keys.

Values are published before the key is made: an operator's own look at the node is not signed.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.keys import (
    Key,
    await_status,
    change_key,
    get_signed,
    make_key,
    signature,
    signed,
)
from tests.conformance.wire import SHELLS, Wire, statuses
from tests.conformance.world import World, configs, files, poll
from tests.support.server import ServerProcess

CONTAINER_ERROR = {"timestamp", "status", "error", "path"}
VECTORS_SECRET = "9f2c4e6a8b0d4c1e9a7b5d3f1e2c4a6b"
VECTORS_TIMESTAMP = "1735689600000"
NOTIFICATIONS = "%5B%7B%22namespaceName%22%3A%22application%22%2C%22notificationId%22%3A-1%7D%5D"


@pytest.fixture(params=SHELLS)
def wire(lasting_node: ServerProcess, request: pytest.FixtureRequest) -> Iterator[Wire]:
    """A connection whose requests go through one of the two shells: each row holds for both."""
    with Wire(lasting_node.port, SHELLS[request.param]) as made:
        yield made


@pytest.fixture
def key(world: World, app: str) -> Key:
    """An enforced key of the test's app, which has one release."""
    world.publish(app, "application", {"k": "v"})
    return make_key(world, app)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/configs/shop-api/default/application", "TmzGFDk4RCQ5aCjh9mCBHVXfkz0="),
        ("/configs/shop-api/default/application?ip=10.1.2.3", "Bb/93fn1hs6uDjp2AVDRsSUzNo4="),
        ("/configfiles/json/shop-api/default/application?&ip=10.1.2.3&label=", "3bFDCyvX4mR1B9ifRdBLGWTrkl4="),
        (
            f"/notifications/v2?appId=shop-api&cluster=default&notifications={NOTIFICATIONS}",
            "Z0KqazYYrRsS1/p6WlZSAZKvFAo=",
        ),
    ],
)
def test_row_11_signature__of_these_tests__is_that_of_the_protocol(target: str, expected: str) -> None:
    assert signature(VECTORS_SECRET, VECTORS_TIMESTAMP, target) == expected


def _protected(app: str) -> list[str]:
    return [
        configs(app),
        configs(app, ip="10.1.2.3", releaseKey="-1"),
        files(app),
        files(app, form="json"),
        files(app, form="raw"),
        poll(app, {"application": -1}),
        f"/notifications?appId={app}&cluster=default&namespace=application",
    ]


def test_row_11_every_protected_path__is_refused_unsigned_and_answered_signed(wire: Wire, app: str, key: Key) -> None:
    for target in _protected(app):
        refused = wire.get(target)
        assert refused.status == 401, target
        assert refused.json().keys() >= CONTAINER_ERROR
        assert refused.json()["error"] == "Unauthorized"
        assert get_signed(wire, app, key, target).status == 200, target


@pytest.mark.parametrize("prefix", ["/services/config?appId=%s", "/services/meta", "/health"])
def test_row_11_discovery_and_health__are_open(wire: Wire, app: str, key: Key, prefix: str) -> None:
    """Java, .NET and lvgithub never sign discovery; agollo does, and then nobody looks."""
    target = prefix.replace("%s", app)

    assert wire.get(target).status == 200
    assert wire.get(target, f"Authorization: Apollo {app}:nonsense", "Timestamp: 1").status == 200
    assert get_signed(wire, app, key, target).status == 200


@pytest.mark.parametrize("off_by_s", [-50, 0, 50])
def test_row_11_clock__less_than_a_minute_off__is_accepted(wire: Wire, app: str, key: Key, off_by_s: float) -> None:
    assert wire.get(configs(app), *signed(app, key.secret, configs(app), off_by_s=off_by_s)).status == 200


@pytest.mark.parametrize("off_by_s", [-3600, -70, 70, 3600, -1e9])
def test_row_11_clock__more_than_a_minute_off__is_refused(wire: Wire, app: str, key: Key, off_by_s: float) -> None:
    assert wire.get(configs(app), *signed(app, key.secret, configs(app), off_by_s=off_by_s)).status == 401


def test_row_11_headers__missing_or_malformed__are_refused(wire: Wire, app: str, key: Key) -> None:
    target = configs(app)
    authorization, timestamp = signed(app, key.secret, target)
    given = authorization.rpartition(":")[2]
    for lines in (
        [authorization],
        [timestamp],
        [authorization, "Timestamp:"],
        [authorization, "Timestamp: now"],
        [authorization, timestamp + ".0"],
        [authorization, "Timestamp: " + "9" * 400],
        ["Authorization:", timestamp],
        ["Authorization: Apollo", timestamp],
        [f"Authorization: Apollo {app}", timestamp],
        [f"Authorization: Apollo {app}:", timestamp],
        [f"Authorization: {given}", timestamp],
        [authorization[:-2], timestamp],
        [authorization.lower(), timestamp],
        ["Authorization: Basic dXNlcjo=", timestamp],
        ["Authorization: Bearer " + key.secret, timestamp],
        [f"Authorization: Apollo {app}:{key.secret}", timestamp],
        [f"Authorization: Apollo {app}:" + "é" * 9, timestamp],
    ):
        assert wire.get(target, *lines).status == 401, lines
    assert wire.get(target, authorization, timestamp).status == 200


def test_row_11_header_names__in_any_case__are_read(wire: Wire, app: str, key: Key) -> None:
    authorization, timestamp = signed(app, key.secret, configs(app))

    for change in (str.lower, str.upper):
        lines = [
            change(name) + ":" + value for name, _, value in (x.partition(":") for x in (authorization, timestamp))
        ]
        assert wire.get(configs(app), *lines).status == 200


@pytest.mark.parametrize("scheme", ["Apollo ", "apollo ", "", "Whatever "])
def test_row_11_scheme_and_app_id_of_the_header__are_not_looked_at(wire: Wire, app: str, key: Key, scheme: str) -> None:
    lines = signed("another-app", key.secret, configs(app), scheme=scheme)

    assert wire.get(configs(app), *lines).status == 200


# --- the raw target -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tail",
    [
        "?",
        "?&ip=10.1.2.3&label=",
        "?b=2&a=1&ip=10.1.2.3",
        "?label=a+b",
        "?label=a%20b",
        "?label=%e4%b8%ad",
        "?label=%E4%B8%AD",
        '?messages={"details":{}}',
        "?ip=10.1.2.3&ip=10.1.2.4",
        "?a=b=c&&",
    ],
)
def test_row_11_target__however_it_is_written__is_checked_as_it_came(wire: Wire, app: str, key: Key, tail: str) -> None:
    target = configs(app) + tail
    # Without a query there is no question mark in what is signed.
    text = target.removesuffix("?")

    assert wire.get(target, *signed(app, key.secret, text)).status == 200


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ("?b=2&a=1", "?a=1&b=2"),
        ("?label=a+b", "?label=a%20b"),
        ("?label=%e4", "?label=%E4"),
        ("?&ip=1.2.3.4", "?ip=1.2.3.4"),
        ("?ip=1.2.3.4", ""),
        ("", "?ip=1.2.3.4"),
        ("?ip=1.2.3.4", "?ip=1.2.3.5"),
    ],
)
def test_row_11_target__signed_in_another_spelling__is_refused(
    wire: Wire, app: str, key: Key, sent: str, text: str
) -> None:
    assert wire.get(configs(app) + sent, *signed(app, key.secret, configs(app) + text)).status == 401


def test_row_11_path__in_other_spellings_of_the_app_id__is_no_way_round(wire: Wire, app: str, key: Key) -> None:
    encoded = "".join(f"%{ord(letter):02X}" for letter in app)
    spellings = [app.upper(), encoded, encoded.lower(), app[:1].swapcase() + app[1:], f"%{ord(app[0]):02x}{app[1:]}"]

    for spelling in spellings:
        for target in (
            f"/configs/{spelling}/default/application",
            f"/configfiles/raw/{spelling}/default/application",
            f"/notifications/v2?appId={spelling}&cluster=default&notifications={NOTIFICATIONS}",
            f"/envs/DEV/configs/{spelling}/default/application",
            f"/envs/dev/configfiles/json/{spelling}/default/application",
        ):
            assert wire.get(target).status == 401, target
            assert get_signed(wire, app, key, target).status == 200, target


def test_row_11_prefix_of_an_environment__is_part_of_what_is_signed(wire: Wire, app: str, key: Key) -> None:
    target = f"/envs/DEV{configs(app)}"

    assert wire.get(target, *signed(app, key.secret, configs(app))).status == 401
    assert wire.get(configs(app), *signed(app, key.secret, target)).status == 401
    assert get_signed(wire, app, key, target).status == 200


def test_row_11_signature_of_one_request__is_of_no_use_for_another(wire: Wire, app: str, key: Key) -> None:
    lines = signed(app, key.secret, configs(app))

    assert statuses(wire.get(target, *lines) for target in _protected(app)[1:]) == [401] * 6
    assert wire.get(configs(app), *lines).status == 200


def test_row_11_head__is_protected_like_get(wire: Wire, app: str, key: Key) -> None:
    assert wire.get(configs(app), method="HEAD").status == 401
    assert wire.get(configs(app), *signed(app, key.secret, configs(app)), method="HEAD").status == 200


# --- which keys ---------------------------------------------------------------------------------------


def test_row_11_any_enabled_filter_key__is_accepted_and_a_disabled_one_is_not(
    world: World, wire: Wire, app: str, key: Key
) -> None:
    second, off = make_key(world, app), make_key(world, app, enabled=False)

    assert statuses(get_signed(wire, app, each, configs(app)) for each in (key, second, off)) == [200, 200, 401]
    change_key(world, app, key, enabled=False)
    await_status(world, app, 401, key)
    assert statuses(get_signed(wire, app, each, configs(app)) for each in (key, second, off)) == [401, 200, 401]
    change_key(world, app, second, enabled=False)
    await_status(world, app, 404)
    assert wire.get(configs(app)).status == 200


def test_row_11_observer_key__never_refuses__and_is_not_consulted_beside_a_filter_key(
    world: World, wire: Wire, app: str
) -> None:
    world.publish(app, "application", {"k": "v"})
    observer = make_key(world, app, mode="observer")
    wrong = Key(0, "x" * 32)
    assert wire.get(configs(app)).status == 200
    assert statuses(get_signed(wire, app, each, configs(app)) for each in (observer, wrong)) == [200, 200]

    enforced = make_key(world, app)

    assert wire.get(configs(app)).status == 401
    assert statuses(get_signed(wire, app, each, configs(app)) for each in (observer, enforced)) == [401, 200]
    change_key(world, app, observer, mode="filter")
    await_status(world, app, 404, observer)
    assert get_signed(wire, app, observer, configs(app)).status == 200


def test_row_11_key_of_the_requesting_app__guards_all_that_it_asks_for_and_nothing_else(
    world: World, wire: Wire, app: str
) -> None:
    """The key of a public namespace's owner is nothing to its consumers."""
    consumer, shared = f"{app}-consumer", f"shared-{app[-10:]}"
    world.app(consumer)
    world.namespace(app, shared, public=True)
    world.publish(app, shared, {"k": "v"})
    own = make_key(world, app)

    assert wire.get(configs(app, shared)).status == 401
    assert wire.get(configs(consumer, shared)).json()["configurations"] == {"k": "v"}
    of_consumer = make_key(world, consumer)
    assert wire.get(configs(consumer, shared)).status == 401
    assert get_signed(wire, consumer, own, configs(consumer, shared)).status == 401
    assert get_signed(wire, consumer, of_consumer, configs(consumer, shared)).status == 200


def test_row_11_key__of_one_environment__is_nothing_to_another(
    lasting_node: ServerProcess, world: World, wire: Wire, app: str, key: Key
) -> None:
    production = World(lasting_node, "PRO")
    production.namespace(app, "application")
    production.publish(app, "application", {"k": "pro"})
    target = f"/envs/PRO{configs(app)}"

    assert wire.get(configs(app)).status == 401
    assert wire.get(target).json()["configurations"] == {"k": "pro"}
    other = make_key(production, app)
    assert statuses(get_signed(wire, app, each, target) for each in (key, other)) == [401, 200]
    assert statuses(get_signed(wire, app, each, configs(app)) for each in (key, other)) == [200, 401]


# --- polls, and what a refusal tells ------------------------------------------------------------------


def test_row_11_poll__signed__is_held_and_pushed(world: World, wire: Wire, app: str) -> None:
    known = world.publish(app, "application", {"k": "1"}).notification_id
    key = make_key(world, app)
    target = poll(app, {"application": known})
    wire.ask(target, *signed(app, key.secret, target))
    assert wire.silent()

    revision = world.write(app, "application", {"k": "2"})
    body = {"namespaces": [{"app": app, "namespace": "application", "revision": revision}]}
    world.send("POST", "/environments/DEV/releases", body)

    assert wire.receive().json()[0]["notificationId"] > known
    assert get_signed(wire, app, key, configs(app)).json()["configurations"] == {"k": "2"}


def test_row_11_refusal__says_nothing_of_what_was_asked_for(world: World, wire: Wire, app: str, key: Key) -> None:
    """Neither a value, nor the secret, nor whether there is a release, nor that the client's copy is current."""
    for target in (configs(app), configs(app, "unheard-of"), configs(app, releaseKey="x")):
        refused = wire.get(target, *signed(app, "wrong" * 5, target))
        assert refused.status == 401
        assert key.secret.encode() not in refused.body
        assert {name: value for name, value in refused.json().items() if name not in ("timestamp", "path")} == {
            "status": 401,
            "error": "Unauthorized",
            "code": "invalid_signature",
            "message": refused.json()["message"],
        }


def test_client_point_12_signature__missing_wrong_or_late__is_401(wire: Wire, app: str, key: Key) -> None:
    target = configs(app)

    assert wire.get(target).status == 401
    assert wire.get(target, *signed(app, key.secret[::-1], target)).status == 401
    assert wire.get(target, *signed(app, key.secret, target, off_by_s=-61)).status == 401
    assert wire.get(target, *signed(app, key.secret, target)).status == 200


def test_quirk_agollo__signs_the_decoded_path_with_the_raw_query__which_is_the_same_for_plain_names(
    wire: Wire, app: str, key: Key
) -> None:
    target = f"{files(app, form='json')}?&ip=10.1.2.3&label="

    assert wire.get(target, *signed(app, key.secret, target)).json() == {"k": "v"}


def test_quirk_old_java__basic_authorization__is_no_signature(wire: Wire, app: str, key: Key) -> None:
    assert wire.get(configs(app), "Authorization: Basic dXNlcjo=").status == 401


def test_app_id__that_cannot_be_one__is_400_before_any_key_is_looked_at(wire: Wire, app: str, key: Key) -> None:
    """Section 11.2, step 2: also signed."""
    for target in (configs(f"{app} "), configs(f"{app}*"), poll("", {"application": -1})):
        assert get_signed(wire, app, key, target).status == 400
