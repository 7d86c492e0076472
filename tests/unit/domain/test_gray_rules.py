"""Gray rules as they are stored: canonical, bounded, and of the apps that can be meant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helicon_server.domain.errors import InvalidInput, InvalidName, LimitExceeded
from helicon_server.domain.gray import GrayRule
from helicon_server.domain.gray_rules import RULES_LIMIT, checked_rules

APP = "shop"
ANY = GrayRule(APP, percent=50)


def stored(*rules: GrayRule) -> tuple[GrayRule, ...]:
    return checked_rules(rules, only_app=APP)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("10.1.2.3", "10.1.2.3"),
        (" 10.1.2.3 ", "10.1.2.3"),
        ("10.1.2.3/32", "10.1.2.3"),
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("2001:db8::ffff/32", "2001:db8::/32"),
        ("::1/128", "::1"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
        ("::/0", "::/0"),
        ("*", "*"),
    ],
)
def test_address__of_any_spelling__is_kept_in_the_usual_one(written: str, kept: str) -> None:
    assert stored(GrayRule(APP, (written,))) == (GrayRule(APP, (kept,)),)


@pytest.mark.parametrize(
    "bad", ["", " ", "10.1.2", "10.1.2.256", "010.1.2.3", "10.1.2.3/33", "10.*", "fe80::1%eth0", "host", "10.1.2.3,"]
)
def test_address__that_is_none__is_refused_with_its_rule(bad: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        stored(ANY, GrayRule(APP, ("10.1.2.3", bad)))
    assert (refused.value.code, refused.value.details) == ("invalid_rule", {"rule": 2, "field": "ips", "index": 1})
    assert refused.value.message.startswith("Rule 2, ips[1]: ")


def test_rule__that_selects_nobody__is_refused() -> None:
    """Its author forgot whom to select; a share of 0 says it."""
    with pytest.raises(InvalidInput) as refused:
        stored(ANY, GrayRule(APP))
    assert (refused.value.code, refused.value.details) == ("invalid_rule", {"rule": 2})
    assert "selects nobody" in refused.value.message
    assert stored(GrayRule(APP, percent=0))[0].percent == 0


@pytest.mark.parametrize("bad", ["", " canary", "canary ", "a\nb", "a\0", "\u200b", "x" * 129])
def test_label__that_no_client_could_mean__is_refused(bad: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        stored(GrayRule(APP, labels=(bad,)))
    assert (refused.value.code, refused.value.details["field"]) == ("invalid_rule", "labels")


def test_label__keeps_case_and_script() -> None:
    (rule,) = stored(GrayRule(APP, labels=("Canary", "canary", "灰度", "*", "two words")))
    assert rule.labels == ("Canary", "canary", "灰度", "*", "two words")


@pytest.mark.parametrize("percent", [0, 0.0, 0.01, 12.34, 99.99, 100, 33.3])
def test_percent__of_two_decimals__is_kept(percent: float) -> None:
    assert stored(GrayRule(APP, percent=percent))[0].percent == percent


@pytest.mark.parametrize("bad", [-0.01, 100.01, 0.001, 12.345, float("nan"), float("inf"), 1e300])
def test_percent__out_of_range_or_too_fine__is_refused(bad: float) -> None:
    with pytest.raises(InvalidInput) as refused:
        stored(GrayRule(APP, percent=bad))
    assert (refused.value.code, refused.value.details["field"]) == ("invalid_rule", "percent")


def test_entry__twice__is_kept_once_in_its_place() -> None:
    (rule,) = stored(GrayRule(APP, ("10.0.0.2", "10.0.0.1", "10.0.0.2/32"), ("b", "a", "b")))
    assert (rule.ips, rule.labels) == (("10.0.0.2", "10.0.0.1"), ("b", "a"))


def test_client_app__of_a_private_namespace__is_its_own_in_any_case() -> None:
    assert stored(replace(ANY, client_app="SHOP"))[0].client_app == "SHOP"
    with pytest.raises(InvalidInput) as refused:
        stored(replace(ANY, client_app="other"))
    assert (refused.value.code, refused.value.details["field"]) == ("invalid_rule", "client_app")


def test_client_app__of_a_public_namespace__may_be_any() -> None:
    assert checked_rules([replace(ANY, client_app="other"), ANY], only_app=None)[0].client_app == "other"
    with pytest.raises(InvalidName):
        checked_rules([GrayRule("no app")], only_app=None)


def test_rules__too_many_or_too_long__are_refused() -> None:
    assert len(stored(*[ANY] * RULES_LIMIT)) == RULES_LIMIT
    with pytest.raises(LimitExceeded) as many:
        stored(*[ANY] * (RULES_LIMIT + 1))
    assert (many.value.code, many.value.details) == ("too_many_rules", {"limit": 100})
    with pytest.raises(LimitExceeded) as long:
        stored(GrayRule(APP, tuple(f"10.{n // 250}.{n % 250}.1" for n in range(2000))))
    assert (long.value.code, long.value.details) == ("rules_too_long", {"limit": 16_000})
