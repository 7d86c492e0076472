"""Which gray release a client is served: the rules of a namespace's branches, compiled once.

Apollo client protocol, section 10; several branches, CIDR blocks and percentages go beyond it
(docs/decisions/0015-gray-on-the-short-way.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

from helicon_server.delivery.asking import Asking, parse_ip
from helicon_server.delivery.folding import fold
from helicon_server.domain.gray import EVERYBODY, GrayRule, LiveBranch, bucket
from helicon_server.domain.model import LiveRelease

_REMEMBERED: Final = 65_536  # clients and what they were selected for, over all namespaces
_MAPPED_BITS: Final = 96  # in front of an IPv4 address inside an IPv6 one
_Network = IPv4Network | IPv6Network


class _Matcher:
    """The rules of one branch for one client app; one match is enough."""

    __slots__ = ("_addresses", "_anybody", "_app", "_branch", "_buckets", "_labels", "_networks")

    def __init__(self, branch: LiveBranch, app: str, rules: Iterable[GrayRule]) -> None:
        self._branch = branch.name
        self._app = app
        self._anybody = False
        self._addresses: set[tuple[int, int]] = set()  # version and number
        self._networks: dict[tuple[int, int], set[int]] = {}  # version and hidden bits -> numbers without them
        self._labels: set[str] = set()
        self._buckets = 0
        for rule in rules:
            self._anybody |= EVERYBODY in rule.ips or EVERYBODY in rule.labels
            self._labels.update(rule.labels)
            self._buckets = max(self._buckets, round((rule.percent or 0) * 100))
            for text in rule.ips:
                self._add(text)

    def matches(self, asking: Asking) -> bool:
        if self._anybody or (asking.label and asking.label in self._labels):
            return True
        address = parse_ip(asking.ip)
        if address is None:
            return False
        version, number = address.version, int(address)
        if (version, number) in self._addresses:
            return True
        for (of, hidden), numbers in self._networks.items():
            if of == version and number >> hidden in numbers:
                return True
        return self._buckets > 0 and bucket(self._branch, self._app, str(address)) < self._buckets

    def _add(self, text: str) -> None:
        network = _network(text)
        if network is None:
            return
        hidden = network.max_prefixlen - network.prefixlen
        number = int(network.network_address)
        if hidden:
            self._networks.setdefault((network.version, hidden), set()).add(number >> hidden)
        else:
            self._addresses.add((network.version, number))


class AppRules:
    """The branches of one namespace that select instances of one client app, in the order in which they are tried."""

    __slots__ = ("_branches",)

    def __init__(self, branches: Sequence[tuple[LiveBranch, _Matcher]]) -> None:
        self._branches = branches

    def select(self, asking: Asking) -> LiveBranch | None:
        """The first branch that matches, None for no gray release."""
        return _selected(self, asking)

    def first_match(self, asking: Asking) -> LiveBranch | None:
        """The same, worked out anew."""
        return next((branch for branch, matcher in self._branches if matcher.matches(asking)), None)


class GraySelection:
    """The published branches of one namespace, for every client app."""

    __slots__ = ("_rules", "branches", "releases")

    def __init__(self, branches: Iterable[LiveBranch]) -> None:
        self.branches = tuple(sorted(branches, key=lambda branch: branch.order))
        self.releases: Mapping[str, LiveRelease] = {each.name: branch_release(each) for each in self.branches}
        found: dict[str, list[tuple[LiveBranch, _Matcher]]] = {}
        for branch in self.branches:
            by_app: dict[str, list[GrayRule]] = {}
            for rule in branch.rules:
                by_app.setdefault(fold(rule.client_app), []).append(rule)
            for app, rules in by_app.items():
                found.setdefault(app, []).append((branch, _Matcher(branch, app, rules)))
        self._rules = {app: AppRules(tuple(tried)) for app, tried in found.items()}

    def rules_for(self, client_app: str) -> AppRules | None:
        """What may select instances of this app, compared ignoring case; None for nothing."""
        return self._rules.get(fold(client_app))

    def select(self, client_app: str, ip: str, label: str) -> LiveBranch | None:
        """The branch whose release an instance of ``client_app`` is served; None for the normal release."""
        rules = self.rules_for(client_app)
        return None if rules is None else rules.select(Asking(ip, label))


def branch_release(branch: LiveBranch, message_id: int = 0) -> LiveRelease:
    """A branch's release as one of a cluster of the branch's name: that is what its clients see (section 4.5)."""
    ref = replace(branch.ref, cluster=branch.name)
    return LiveRelease(ref, branch.release_id, branch.release_key, message_id, branch.size)


@lru_cache(maxsize=_REMEMBERED)
def _selected(rules: AppRules, asking: Asking) -> LiveBranch | None:
    return rules.first_match(asking)


def _network(text: str) -> _Network | None:
    """Reads an address or a CIDR block; of ``::ffff:0:0/96`` the IPv4 block. None for what is neither."""
    try:
        if "/" not in text:
            address = parse_ip(text)
            return None if address is None else ip_network(address)
        found = ip_network(text, strict=False)
    except ValueError:
        return None
    first = found.network_address
    if isinstance(first, IPv6Address) and first.ipv4_mapped is not None and found.prefixlen >= _MAPPED_BITS:
        return IPv4Network((int(first.ipv4_mapped), found.prefixlen - _MAPPED_BITS))
    return found
