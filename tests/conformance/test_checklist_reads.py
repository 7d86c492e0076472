"""Rows 1 to 4, 14 and 15 of the checklist (Apollo client protocol, section 19): what is read, and how it is told."""

from __future__ import annotations

import pytest

from tests.conformance.wire import Wire
from tests.conformance.world import World, configs, files, poll, watch_key
from tests.support.server import Servers
from tests.support.wait import wait_until

SWITCHED_DEADLINE_S = 20


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


def test_row_03_inheritance__switched_on__lays_the_cluster_over_default_key_by_key(
    world: World, wire: Wire, app: str
) -> None:
    """Beyond Apollo, and off by itself: Apollo falls back for the whole namespace only."""
    world.cluster(app, "sh")
    base = world.publish(app, "application", {"kept": "default", "both": "default"})
    own = world.publish(app, "application", {"both": "sh", "more": "sh"}, cluster="sh")
    alone = wire.get(configs(app, cluster="sh")).json()
    wire.ask(poll(app, {"application": own.notification_id}, cluster="sh"))
    assert wire.silent()

    world.send("PUT", f"{world.place(app, 'application', 'sh')}/inheritance", {"inherits": True})

    assert wire.receive().json()[0]["notificationId"] > own.notification_id
    laid_over = wire.get(configs(app, cluster="sh")).json()
    assert (alone["configurations"], alone["releaseKey"]) == ({"both": "sh", "more": "sh"}, own.key)
    assert laid_over["configurations"] == {"kept": "default", "both": "sh", "more": "sh"}
    assert laid_over["releaseKey"] == f"{own.key}+{base.key}"
    assert wire.get(configs(app)).json()["configurations"] == {"kept": "default", "both": "default"}


# --- row 4: configurations --------------------------------------------------------------------------


def test_row_04_full_answer__of_an_empty_release__has_configurations(world: World, wire: Wire, app: str) -> None:
    world.publish(app, "application", {"k": "v"})
    world.publish(app, "application", {})

    answer = wire.get(configs(app)).json()

    assert answer["configurations"] == {}
    assert wire.get(configs(app, releaseKey="unheard-of")).json() == answer


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


def test_row_15_switched_on_for_an_environment__sends_what_changed_there_and_nowhere_else(servers: Servers) -> None:
    """Only for releases that are known; what a client without a copy gets is full as ever."""
    node = servers.start()
    world, production = World(node), World(node, "PRO")
    world.app("shop", "application")
    production.namespace("shop", "application")
    contents = ({"kept": "1", "changed": "1", "gone": "1"}, {"kept": "1", "changed": "2", "added": "1"})
    old, new = (world.publish("shop", "application", content) for content in contents)
    old_there, _ = (production.publish("shop", "application", content) for content in contents)
    target = configs("shop", releaseKey=old.key)
    with Wire(node.port) as wire:
        full = wire.get(target).json()
        world.send("PUT", "/environments/DEV/incremental-sync", {"enabled": True})
        wait_until(lambda: "configSyncType" in wire.get(target).json(), SWITCHED_DEADLINE_S, "incremental answer")

        answer = wire.get(target).json()
        assert answer["configSyncType"] == "IncrementalSync"
        assert "configurations" not in answer
        assert (answer["releaseKey"], answer["namespaceName"]) == (new.key, "application")
        assert sorted(answer["configurationChanges"], key=lambda change: change["key"]) == [
            {"key": "added", "newValue": "1", "configurationChangeType": "ADDED"},
            {"key": "changed", "newValue": "2", "configurationChangeType": "MODIFIED"},
            {"key": "gone", "configurationChangeType": "DELETED"},
        ]
        for odd in ("", "-1", "unheard-of", f"{old.key}+20200101000000-0123456789abcdef"):
            assert wire.get(configs("shop", releaseKey=odd)).json() == full
        assert wire.get(configs("shop", releaseKey=new.key)).status == 304
        elsewhere = wire.get(f"/envs/PRO{configs('shop', releaseKey=old_there.key)}").json()
        assert elsewhere["configurations"] == contents[1]
