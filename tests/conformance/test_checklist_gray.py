"""Row 10 of the checklist, and section 10 of the Apollo client protocol behind it: gray releases.

Beyond Apollo on the same wire: CIDR blocks, shares of the instances, several branches at once.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator

import pytest

from tests.conformance.branches import Branch, make_branch, rule
from tests.conformance.wire import SHELLS, Wire
from tests.conformance.world import Released, World, configs, files, poll, watch_key
from tests.support.server import ServerProcess
from tests.support.wait import wait_until

MASTER = {"timeout": "1s", "kept": "k", "gone": "g"}
GRAY = {"timeout": "9s", "kept": "k", "added": "a"}
BRANCH_NAME = re.compile(r"\d{14}-[0-9a-f]{16}")
NEWS_DEADLINE_S = 20
INSTANCES = [f"10.7.{number // 250}.{number % 250 + 1}" for number in range(300)]


@pytest.fixture(params=SHELLS)
def wire(lasting_node: ServerProcess, request: pytest.FixtureRequest) -> Iterator[Wire]:
    """A connection whose requests go through one of the two shells: each row holds for both."""
    with Wire(lasting_node.port, SHELLS[request.param]) as made:
        yield made


def _branch(world: World, app: str, *rules: dict[str, object], priority: int = 100) -> Branch:
    """A published master, and an unpublished branch of it."""
    world.publish(app, "application", MASTER)
    return make_branch(world, app, rules, {"timeout": "9s", "added": "a"}, remove=["gone"], priority=priority)


def _seen(wire: Wire, app: str, *lines: str, **query: str) -> dict[str, str]:
    content: dict[str, str] = wire.get(configs(app, **query), *lines).json()["configurations"]
    return content


# --- who is selected ----------------------------------------------------------------------------------


def test_row_10_branch__not_published__is_seen_by_nobody(world: World, wire: Wire, app: str) -> None:
    branch = _branch(world, app, rule(app, ips=["10.1.2.3"]))
    assert _seen(wire, app, ip="10.1.2.3") == MASTER

    branch.publish()

    assert _seen(wire, app, ip="10.1.2.3") == GRAY
    assert _seen(wire, app, ip="10.1.2.4") == MASTER


@pytest.mark.parametrize(
    ("ips", "labels", "query", "selected"),
    [
        (["10.1.2.3"], [], {"ip": "10.1.2.3"}, True),
        (["10.1.2.3"], [], {"ip": "10.1.2.30"}, False),
        (["10.1.2.3", "10.1.2.5"], [], {"ip": "10.1.2.5"}, True),
        (["*"], [], {"ip": "192.168.0.1"}, True),
        ([], ["canary"], {"label": "canary"}, True),
        ([], ["canary"], {"label": "Canary"}, False),
        ([], ["canary"], {}, False),
        ([], ["canary"], {"label": ""}, False),
        ([], ["*"], {"label": "whatever"}, True),
        ([], ["*"], {}, True),
        (["10.1.2.3"], ["canary"], {"ip": "10.9.9.9", "label": "canary"}, True),
        (["10.1.2.3"], ["canary"], {"ip": "10.1.2.3", "label": "other"}, True),
        (["10.1.2.3"], ["canary"], {"ip": "10.9.9.9", "label": "other"}, False),
    ],
)
def test_row_10_rule__selects_by_ip_or_label(
    world: World, wire: Wire, app: str, ips: list[str], labels: list[str], query: dict[str, str], *, selected: bool
) -> None:
    _branch(world, app, rule(app, ips=ips, labels=labels)).publish()

    expected = GRAY if selected else MASTER
    assert _seen(wire, app, **query) == expected
    assert wire.get(files(app, form="json", **query)).json() == expected
    text = wire.get(files(app, **query)).text
    assert sorted(text.splitlines()) == sorted(f"{name}={value}" for name, value in expected.items())


@pytest.mark.parametrize("ip", ["None", "undefined", "", "not-an-address", "10.1.2", "10.1.2.3.4", "010.001.002.003"])
def test_client_point_01_ip_that_is_no_address__matches_no_gray_rule(
    world: World, wire: Wire, app: str, ip: str
) -> None:
    """An empty one is absent, so then the peer's address counts, which is not in this rule either."""
    _branch(world, app, rule(app, ips=["10.1.2.0/24", "10.1.2.3"])).publish()

    assert _seen(wire, app, ip=ip) == MASTER
    assert _seen(wire, app, ip="10.1.2.3") == GRAY


def test_row_10_ip__of_the_request_else_of_the_first_proxy_else_of_the_peer(world: World, wire: Wire, app: str) -> None:
    _branch(world, app, rule(app, ips=["10.1.2.3"])).publish()
    proxied = "X-Forwarded-For:  10.1.2.3 , 172.16.0.1"

    assert _seen(wire, app) == MASTER
    assert _seen(wire, app, proxied) == GRAY
    assert _seen(wire, app, "X-Forwarded-For: 172.16.0.1, 10.1.2.3") == MASTER
    assert _seen(wire, app, proxied, ip="10.9.9.9") == MASTER
    assert _seen(wire, app, "X-Forwarded-For: 10.9.9.9", ip="10.1.2.3") == GRAY
    assert _seen(wire, app, proxied, ip="") == GRAY


def test_row_10_ip_of_the_peer__selects_whoever_names_none(world: World, wire: Wire, app: str) -> None:
    _branch(world, app, rule(app, ips=["127.0.0.1"])).publish()

    assert _seen(wire, app) == GRAY
    assert _seen(wire, app, ip="10.1.2.3") == MASTER


def test_row_10_app__of_the_rule__ignores_case(world: World, wire: Wire, app: str) -> None:
    _branch(world, app, rule(app, ips=["10.1.2.3"])).publish()

    assert _seen(wire, app.upper(), ip="10.1.2.3") == GRAY
    assert _seen(wire, app.swapcase(), ip="10.1.2.4") == MASTER


def test_row_10_public_namespace__the_rule_names_the_consuming_app(world: World, wire: Wire, app: str) -> None:
    """The rule belongs to the owner's namespace; only the app that it names is selected."""
    one, other, shared = f"{app}-one", f"{app}-other", f"shared-{app[-10:]}"
    for consumer in (one, other):
        world.app(consumer)
    world.namespace(app, shared, public=True)
    world.publish(app, shared, {"k": "master"})
    make_branch(world, app, [rule(one, ips=["*"])], {"k": "gray"}, namespace=shared).publish()

    assert wire.get(configs(one, shared)).json()["configurations"] == {"k": "gray"}
    assert wire.get(configs(other, shared)).json()["configurations"] == {"k": "master"}
    assert wire.get(configs(app, shared)).json()["configurations"] == {"k": "master"}


def test_row_10_rules_of_a_branch__any_of_them_selects(world: World, wire: Wire, app: str) -> None:
    _branch(world, app, rule(app, ips=["10.1.2.3"]), rule(app, labels=["canary"])).publish()

    assert _seen(wire, app, ip="10.1.2.3") == _seen(wire, app, label="canary") == GRAY


# --- what the selected get ----------------------------------------------------------------------------


def test_row_10_answer__for_a_gray_client__names_the_branch_and_its_release(world: World, wire: Wire, app: str) -> None:
    branch = _branch(world, app, rule(app, labels=["canary"]))
    gray = branch.publish()

    answer = wire.get(configs(app, label="canary")).json()
    assert BRANCH_NAME.fullmatch(branch.name)
    assert (answer["cluster"], answer["releaseKey"]) == (branch.name, gray.key)
    assert answer["configurations"] == GRAY
    assert wire.get(configs(app, label="canary", releaseKey=gray.key)).status == 304
    assert wire.get(configs(app, releaseKey=gray.key)).json()["configurations"] == MASTER
    master = wire.get(configs(app)).json()
    assert (master["cluster"], master["configurations"]) == ("default", MASTER)
    assert wire.get(configs(app, label="canary", releaseKey=master["releaseKey"])).json() == answer


def test_row_10_gray_and_other_clients__in_turns__never_get_each_others_content(
    world: World, wire: Wire, app: str
) -> None:
    """What was prepared for one is not for all: Apollo has a hole there, for rules with label `*`."""
    _branch(world, app, rule(app, ips=["10.1.2.3"], labels=["canary"])).publish()

    for _ in range(3):
        for query, expected in (
            ({"label": "canary"}, GRAY),
            ({}, MASTER),
            ({"ip": "10.1.2.3"}, GRAY),
            ({"label": "other"}, MASTER),
            ({"ip": "10.1.2.3", "label": "other"}, GRAY),
        ):
            assert _seen(wire, app, **query) == expected
            assert wire.get(files(app, form="json", **query)).json() == expected


def test_row_10_gray_release_under_a_public_namespace__is_merged_like_any_other(
    world: World, wire: Wire, app: str
) -> None:
    library, shared = f"{app}-lib", f"shared-{app[-10:]}"
    world.app(library)
    world.namespace(library, shared, public=True)
    world.associate(app, shared)
    public = world.publish(library, shared, {"p": "public", "k": "public"})
    world.publish(app, shared, {"k": "own"})
    gray = make_branch(world, app, [rule(app, labels=["canary"])], {"k": "gray"}, namespace=shared).publish()

    answer = wire.get(configs(app, shared, label="canary")).json()

    assert answer["configurations"] == {"p": "public", "k": "gray"}
    assert answer["releaseKey"] == f"{gray.key}+{public.key}"


# --- what clients are told ----------------------------------------------------------------------------


def _known(wire: Wire, app: str) -> int:
    id_: int = wire.get(poll(app, {"application": -1})).json()[0]["notificationId"]
    return id_


def _read_until(wire: Wire, app: str, wanted: dict[str, str], **query: str) -> None:
    wait_until(lambda: _seen(wire, app, **query) == wanted, NEWS_DEADLINE_S, f"{wanted} for {query}")


def test_row_10_branch_published__is_told_to_the_parent_cluster_and_readable_at_once(
    world: World, wire: Wire, app: str
) -> None:
    branch = _branch(world, app, rule(app, labels=["canary"]))
    known = _known(wire, app)
    wire.ask(poll(app, {"application": known}, label="canary"))
    assert wire.silent()

    gray = branch.publish()

    (told,) = wire.receive().json()
    assert told["notificationId"] == gray.notification_id > known
    assert told["messages"]["details"] == {watch_key(app): gray.notification_id}
    assert (
        wire.get(configs(app, label="canary", messages=json.dumps(told["messages"]))).json()["configurations"] == GRAY
    )
    assert _seen(wire, app) == MASTER


def test_row_10_branch_published_again__is_told_and_read_anew(world: World, wire: Wire, app: str) -> None:
    branch = _branch(world, app, rule(app, labels=["canary"]))
    first = branch.publish()
    branch.change(set={"timeout": "10s"}, remove=[])
    assert _seen(wire, app, label="canary") == GRAY
    wire.ask(poll(app, {"application": first.notification_id}))
    assert wire.silent()

    second = branch.publish()

    assert wire.receive().json()[0]["notificationId"] == second.notification_id
    assert _seen(wire, app, label="canary") == MASTER | {"timeout": "10s"}
    assert second.key != first.key


def test_row_10_rules_changed__is_told_to_the_parent_cluster(world: World, wire: Wire, app: str) -> None:
    branch = _branch(world, app, rule(app, labels=["canary"]))
    known = branch.publish().notification_id
    wire.ask(poll(app, {"application": known}))
    assert wire.silent()

    branch.change(rules=[rule(app, labels=["blue"])])

    (told,) = wire.receive().json()
    assert (told["namespaceName"], list(told["messages"]["details"])) == ("application", [watch_key(app)])
    assert told["notificationId"] > known
    assert _seen(wire, app, label="blue") == GRAY
    assert _seen(wire, app, label="canary") == MASTER


def test_row_10_branch_deleted__is_told_and_its_clients_get_the_master(world: World, wire: Wire, app: str) -> None:
    branch = _branch(world, app, rule(app, labels=["canary"]))
    gray = branch.publish()
    wire.ask(poll(app, {"application": gray.notification_id}))
    assert wire.silent()

    branch.delete()

    assert wire.receive().json()[0]["notificationId"] > gray.notification_id
    assert wire.get(configs(app, label="canary", releaseKey=gray.key)).json()["configurations"] == MASTER


def test_row_10_master_published__the_branch_is_merged_anew(world: World, wire: Wire, app: str) -> None:
    """A gray client is told once more, and gets the master's new keys under the branch's own."""
    branch = _branch(world, app, rule(app, labels=["canary"]))
    gray = branch.publish()
    wire.ask(poll(app, {"application": gray.notification_id}))
    assert wire.silent()

    new: Released = world.publish(app, "application", MASTER | {"new": "n", "timeout": "2s"})

    assert wire.receive().json()[0]["notificationId"] >= new.notification_id
    _read_until(wire, app, GRAY | {"new": "n"}, label="canary")
    assert _seen(wire, app) == MASTER | {"new": "n", "timeout": "2s"}
    assert wire.get(configs(app, label="canary")).json()["releaseKey"] not in (gray.key, new.key)


# --- beyond Apollo ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "inside", "outside"),
    [
        ("10.1.2.0/24", ["10.1.2.0", "10.1.2.3", "10.1.2.255"], ["10.1.3.0", "10.1.1.255", "110.1.2.3"]),
        ("10.0.0.0/8", ["10.255.255.255"], ["11.0.0.0"]),
        ("0.0.0.0/0", ["1.2.3.4"], ["2001:db8::1"]),
        ("2001:db8::/32", ["2001:db8::1", "2001:DB8:0::0:1"], ["2001:db9::1", "10.1.2.3"]),
    ],
)
def test_gray_by_block__selects_the_addresses_inside(
    world: World, wire: Wire, app: str, block: str, inside: list[str], outside: list[str]
) -> None:
    _branch(world, app, rule(app, ips=[block])).publish()

    assert [_seen(wire, app, ip=ip) for ip in inside] == [GRAY] * len(inside)
    assert [_seen(wire, app, ip=ip) for ip in outside] == [MASTER] * len(outside)


def _selected(wire: Wire, app: str) -> set[str]:
    return {ip for ip in INSTANCES if _seen(wire, app, ip=ip) == GRAY}


def test_gray_by_share__is_sticky_and_a_larger_one_only_adds_instances(world: World, wire: Wire, app: str) -> None:
    branch = _branch(world, app, rule(app, percent=0))
    known = branch.publish().notification_id
    none = _selected(wire, app)
    shares: list[set[str]] = []
    for percent in (10, 35.5, 100):
        branch.change(rules=[rule(app, percent=percent)])
        known = wire.get(poll(app, {"application": known})).json()[0]["notificationId"]
        shares.append(_selected(wire, app))
        assert _selected(wire, app) == shares[-1]

    tenth, third, everybody = shares
    assert none < tenth < third < everybody
    assert (none, everybody) == (set(), set(INSTANCES))
    # Many standard deviations around each share.
    assert 0.02 < len(tenth) / len(INSTANCES) < 0.22
    assert 0.2 < len(third) / len(INSTANCES) < 0.52


def test_gray_by_share__growing_while_clients_read__lets_nobody_go_who_was_selected(
    world: World, wire: Wire, app: str
) -> None:
    """Rules, other releases and new content of the namespace arrive in the middle of reads, on both ways of a read."""
    branch = _branch(world, app, rule(app, percent=0))
    branch.publish()
    world.namespace(app, "other")

    def grow() -> None:
        for percent in range(4, 101, 8):
            branch.change(rules=[rule(app, percent=percent)])
            world.publish(app, "other", {"n": str(percent)})
            if percent % 3 == 0:
                world.publish(app, "application", MASTER | {"n": str(percent)})

    growing = threading.Thread(target=grow)
    growing.start()
    selected: set[str] = set()
    try:
        while growing.is_alive():
            now = _selected_now(wire, app)
            assert selected <= now, "somebody was let go"
            selected = now
    finally:
        growing.join()
    wait_until(lambda: _selected_now(wire, app) == set(INSTANCES), NEWS_DEADLINE_S, "the share of all")


def _selected_now(wire: Wire, app: str) -> set[str]:
    return {ip for ip in INSTANCES if "added" in _seen(wire, app, ip=ip)}


def test_gray_branches__several_at_once__the_smallest_priority_is_tried_first(
    world: World, wire: Wire, app: str
) -> None:
    world.publish(app, "application", {"k": "master"})
    rules = {"wide": [rule(app, ips=["10.0.0.0/8"])], "narrow": [rule(app, ips=["10.1.0.0/16"])]}
    wide = make_branch(world, app, rules["wide"], {"k": "wide"}, priority=20)
    wide.publish()
    narrow = make_branch(world, app, rules["narrow"], {"k": "narrow"}, priority=10)
    narrow.publish()

    def seen() -> list[str]:
        return [_seen(wire, app, ip=ip)["k"] for ip in ("10.1.2.3", "10.2.2.3", "11.0.0.1")]

    assert seen() == ["narrow", "wide", "master"]
    narrow.change(priority=30)
    wait_until(lambda: seen() == ["wide", "wide", "master"], NEWS_DEADLINE_S, "the other order")
    wide.delete()
    wait_until(lambda: seen() == ["narrow", "master", "master"], NEWS_DEADLINE_S, "one branch")
