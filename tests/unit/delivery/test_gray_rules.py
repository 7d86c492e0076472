"""Which branch a rule selects (Apollo client protocol, section 10; issue: gray releases beyond Apollo)."""

from __future__ import annotations

from itertools import pairwise

import pytest

from helicon_server.delivery.gray import GraySelection
from helicon_server.domain.gray import GrayRule, LiveBranch
from helicon_server.domain.names import NamespaceRef

REF = NamespaceRef("DEV", "shop", "default", "application")


def branch(id_: int, *rules: GrayRule, priority: int = 0) -> LiveBranch:
    return LiveBranch(id_, REF, f"20250101080000-{id_:016x}", priority, rules, id_, f"key-{id_}", 1)


def chosen(rule: GrayRule, ip: str = "10.1.2.3", label: str = "", app: str = "shop") -> bool:
    return GraySelection([branch(1, rule)]).select(app, ip, label) is not None


@pytest.mark.parametrize(
    ("listed", "ip", "matches"),
    [
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.30", False),
        ("10.1.2.3", "::ffff:10.1.2.3", True),
        ("::ffff:10.1.2.3", "10.1.2.3", True),
        ("10.1.2.0/24", "10.1.2.255", True),
        ("10.1.2.0/24", "10.1.3.0", False),
        ("10.1.2.77/24", "10.1.2.1", True),
        ("10.1.2.0/24", "::ffff:10.1.2.9", True),
        ("::ffff:10.1.2.0/120", "10.1.2.9", True),
        ("0.0.0.0/0", "192.0.2.1", True),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("::/0", "10.1.2.3", False),
        ("2001:db8::/32", "2001:db8:1::9", True),
        ("2001:db8::/32", "2001:db9::9", False),
        ("2001:DB8::1", "2001:db8:0:0::1", True),
        ("fe80::1", "fe80::1%eth0", True),
        ("*", "10.1.2.3", True),
        ("*", "undefined", True),
        ("undefined", "undefined", False),
        ("0.0.0.0/0", "undefined", False),
        ("0.0.0.0/0", "None", False),
        ("0.0.0.0/0", "", False),
        ("0.0.0.0/0", "10.1.2", False),
        ("0.0.0.0/0", "10.01.2.3", False),
        ("10.1.2.0/33", "10.1.2.0", False),
    ],
)
def test_ips__match_exactly_or_by_block__and_nothing_that_is_no_address(listed: str, ip: str, *, matches: bool) -> None:
    assert chosen(GrayRule("shop", ips=(listed,)), ip=ip) is matches


@pytest.mark.parametrize(
    ("listed", "label", "matches"),
    [
        ("canary", "canary", True),
        ("canary", "Canary", False),
        ("canary", "", False),
        ("*", "anything", True),
        ("*", "", True),
        ("", "", False),
    ],
)
def test_labels__match_with_their_case__and_a_star_without_one(listed: str, label: str, *, matches: bool) -> None:
    assert chosen(GrayRule("shop", labels=(listed,)), ip="undefined", label=label) is matches


def test_client_app__is_compared_ignoring_case() -> None:
    rule = GrayRule("Shop", ips=("*",))

    assert chosen(rule, app="sHOP")
    assert not chosen(rule, app="shop2")


def test_ip_or_label__one_is_enough() -> None:
    rule = GrayRule("shop", ips=("10.9.9.9",), labels=("canary",))

    assert chosen(rule, label="canary")
    assert chosen(rule, ip="10.9.9.9")
    assert not chosen(rule)


def test_empty_rule__selects_nobody() -> None:
    assert not chosen(GrayRule("shop"), label="canary")


def share(rule: GrayRule, of: LiveBranch | None = None) -> set[str]:
    made = branch(of.id, rule) if of else branch(1, rule)
    selection = GraySelection([made])
    addresses = [f"10.0.{high}.{low}" for high in range(20) for low in range(100)]
    return {ip for ip in addresses if selection.select("shop", ip, "") is not None}


def test_percentage__a_larger_one_only_adds_instances() -> None:
    shares = [share(GrayRule("shop", percent=percent)) for percent in (0, 0.01, 5, 20, 50.5, 99.99, 100)]

    for smaller, larger in pairwise(shares):
        assert smaller <= larger
    assert not shares[0]
    assert len(shares[-1]) == 2000
    assert 300 < len(shares[3]) < 500


def test_percentage__is_sticky_and_apart_for_each_branch() -> None:
    rule = GrayRule("shop", percent=50)

    assert share(rule) == share(rule)
    assert share(rule) != share(rule, branch(2))


def test_percentage__one_address_written_in_two_ways__is_one_instance() -> None:
    selection = GraySelection([branch(1, GrayRule("shop", percent=50))])

    for low in range(50):
        plain, mapped = f"10.0.0.{low}", f"::ffff:10.0.0.{low}"
        assert selection.select("shop", plain, "") == selection.select("SHOP", mapped, "")


@pytest.mark.parametrize("ip", ["undefined", "None", "", "10.0.0"])
def test_percentage__an_instance_without_an_address__is_in_none(ip: str) -> None:
    assert not chosen(GrayRule("shop", percent=100), ip=ip)


def test_several_branches__the_smallest_priority_wins__then_the_older_one() -> None:
    everybody = GrayRule("shop", ips=("*",))
    late, early, older = branch(3, everybody, priority=1), branch(2, everybody), branch(1, everybody)

    for order in ([late, early, older], [older, late, early]):
        assert GraySelection(order).select("shop", "10.0.0.1", "") == older
    first = branch(9, everybody, priority=-1)
    assert GraySelection([older, first]).select("shop", "10.0.0.1", "") == first


def test_several_branches__one_that_does_not_match_is_passed_over() -> None:
    narrow, wide = branch(1, GrayRule("shop", ips=("10.0.0.1",))), branch(2, GrayRule("shop", labels=("canary",)))
    selection = GraySelection([narrow, wide])

    assert selection.select("shop", "10.0.0.1", "canary") == narrow
    assert selection.select("shop", "10.0.0.2", "canary") == wide
    assert selection.select("shop", "10.0.0.2", "") is None


def test_several_rules_for_one_app__each_counts() -> None:
    rules = (GrayRule("shop", ips=("10.0.0.1",)), GrayRule("shop", labels=("canary",)), GrayRule("other", ips=("*",)))
    selection = GraySelection([branch(1, *rules)])

    assert selection.select("shop", "10.0.0.1", "")
    assert selection.select("shop", "10.0.0.2", "canary")
    assert not selection.select("shop", "10.0.0.2", "")
    assert selection.select("other", "10.0.0.2", "")
