"""The rule for gray rules: what may be stored, and in which form, so that delivery compares and never wonders."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

from .errors import InvalidInput, LimitExceeded
from .gray import EVERYBODY, GrayRule
from .names import parse_app_id

RULES_LIMIT: Final = 100  # of one branch
CHARACTERS_LIMIT: Final = 16_000  # of all rules of a branch as JSON
LABEL_LIMIT: Final = 128  # characters
_MAPPED_BITS: Final = 96  # in front of an IPv4 address inside an IPv6 one


def checked_rules(rules: Sequence[GrayRule], *, only_app: str | None) -> tuple[GrayRule, ...]:
    """Returns the rules in canonical form: addresses and CIDR blocks as everybody writes them, nothing twice.

    ``only_app`` is the app that alone may be named, None for a public namespace, which every app may read. Raises
    InvalidInput ``invalid_rule`` with the rule's number, also for one that selects nobody, InvalidName
    ``invalid_app_id``, and LimitExceeded ``too_many_rules`` or ``rules_too_long``.
    """
    if len(rules) > RULES_LIMIT:
        raise LimitExceeded(
            f"A branch may have {RULES_LIMIT} rules.", code="too_many_rules", details={"limit": RULES_LIMIT}
        )
    checked = tuple(_checked(number, rule, only_app) for number, rule in enumerate(rules, 1))
    if len(json.dumps([asdict(rule) for rule in checked], ensure_ascii=False)) > CHARACTERS_LIMIT:
        raise LimitExceeded(
            f"The rules of a branch may have {CHARACTERS_LIMIT} characters as JSON; a CIDR block is shorter.",
            code="rules_too_long",
            details={"limit": CHARACTERS_LIMIT},
        )
    return checked


def _checked(number: int, rule: GrayRule, only_app: str | None) -> GrayRule:
    client_app = parse_app_id(rule.client_app)
    if only_app is not None and client_app.casefold() != only_app.casefold():
        raise _invalid(number, "client_app", f"only instances of {only_app!r} read this namespace: it is not public")
    if not rule.ips and not rule.labels and rule.percent is None:
        raise InvalidInput(
            f"Rule {number} selects nobody: give it ips, labels or a percentage.",
            code="invalid_rule",
            details={"rule": number},
        )
    return replace(
        rule,
        client_app=client_app,
        ips=_once(_address(number, index, text) for index, text in enumerate(rule.ips)),
        labels=_once(_label(number, index, text) for index, text in enumerate(rule.labels)),
        percent=_percent(number, rule.percent),
    )


def _address(number: int, index: int, text: str) -> str:
    """An address, a CIDR block or ``*`` as it is stored."""
    if text == EVERYBODY:
        return text
    try:
        if "%" in text:
            raise ValueError("a zone means something on one machine only")
        network = _unmapped(ip_network(text.strip(), strict=False))
    except ValueError:
        raise _invalid(number, "ips", "it is no IP address, no CIDR block and not '*'", index) from None
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """An IPv4 block that is written inside IPv6 (``::ffff:10.0.0.0/104``) as the IPv4 block that it is."""
    address = network.network_address
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None and network.prefixlen >= _MAPPED_BITS:
        return IPv4Network((address.ipv4_mapped, network.prefixlen - _MAPPED_BITS))
    return network


def _label(number: int, index: int, text: str) -> str:
    if not text or len(text) > LABEL_LIMIT or text != text.strip() or not text.isprintable():
        why = f"a label has 1 to {LABEL_LIMIT} visible characters, without blanks at its ends"
        raise _invalid(number, "labels", why, index)
    return text


def _percent(number: int, percent: float | None) -> float | None:
    if percent is None:
        return None
    if not 0 <= percent <= 100 or round(percent, 2) != percent:
        raise _invalid(number, "percent", "it must be a number from 0 to 100 with at most two decimals")
    return float(percent)


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _invalid(number: int, field: str, why: str, index: int | None = None) -> InvalidInput:
    """``number`` counts rules from 1, as people do; ``index`` is a place in a list, from 0, as it stands in JSON."""
    place = field if index is None else f"{field}[{index}]"
    details: dict[str, object] = {"rule": number, "field": field}
    if index is not None:
        details["index"] = index
    return InvalidInput(f"Rule {number}, {place}: {why}.", code="invalid_rule", details=details)
