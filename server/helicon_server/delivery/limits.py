"""How many requests a second one client and one address may make.

Counted in windows of one second, which the plane's clock opens. Nearly every request costs one look-up: as long as an
address has made fewer requests than one client may, no client behind it can have made too many, and nobody asks who it
is. Beyond that its clients are counted one by one, from the first request of the next window on. So the first second
of a client in a tight loop may hold twice its allowance, no later one does.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

import structlog

from helicon_server.delivery.requests import HeaderOf

_NAMED_IP: Final = re.compile(rb"[?&]ip=([^&]{1,64})(?:&|$)")
_FORWARDED: Final = b"x-forwarded-for"
_SHOWN: Final = 128  # bytes of a forwarded chain that count: its end, which the nearest proxy wrote
NAMELESS_SHARE: Final = 10  # allowances that the clients share which say nothing about themselves
_CLIENTS: Final = 100_000  # told apart within one window; more share the allowance of the nameless
_REFUSED_PEERS: Final = 1_000  # told apart between two notes in the log
_NOTE_EVERY: Final = 60  # windows
NAMELESS: Final = (b"", b"")

Named = tuple[bytes, bytes]
"""What clients of one address are told apart by: the ``ip`` that one names, and the chain of its proxies."""
_LARGE: Final = 4_096  # bytes of a target; a poll for some forty names is smaller
_BYTES_OF_ONE: Final = 100  # beyond that, about a name of a poll: that costs nearly as much as a read

_log = structlog.get_logger("helicon.delivery")


def named(target: bytes, header: HeaderOf) -> Named:
    """Which client of an address asks, NAMELESS for one that says nothing about itself.

    Both parts: behind one proxy a client that took another's ip would otherwise use up that one's allowance.
    """
    found = _NAMED_IP.search(target)
    return found[1] if found else b"", (header(_FORWARDED) or b"")[-_SHOWN:]


class RateLimits:
    """Counts requests of the client protocol. All calls belong to one event loop."""

    __slots__ = (
        "_addresses",
        "_clients",
        "_free",
        "_note_at",
        "_per_address",
        "_per_client",
        "_refused",
        "_watched",
        "window",
    )

    def __init__(self, per_client: int, per_address: int) -> None:
        """Takes requests a second; 0 is no limit."""
        self.window = 0  # its number
        self._per_client = per_client
        self._per_address = per_address
        self._free: float = min((limit for limit in (per_client, per_address) if limit), default=float("inf"))
        self._addresses: dict[str, int] = {}
        self._clients: dict[tuple[str, Named], int] = {}
        self._refused: Counter[str] = Counter()  # requests by peer since the last note
        self._note_at = 0  # window before which none is written
        self._watched: frozenset[str] = frozenset()  # addresses whose clients are counted from the first request on

    def refuses(self, peer: str, target: bytes, header: HeaderOf) -> bool:
        """Counts one request and tells whether it is one too many.

        A large one, a poll for hundreds of names, counts as the many that it costs as much as. It passes whole when
        anything of the allowance is left: one that is larger than the allowance must be served now and then.
        """
        before = self._addresses.get(peer, 0)
        size = len(target)
        weight = 1 if size < _LARGE else 1 + (size - _LARGE) // _BYTES_OF_ONE
        self._addresses[peer] = before + weight
        if before < self._free or not self._too_many(peer, before, weight, target, header):
            return False
        self._addresses[peer] = before  # a refusal costs little, and must not use up what the neighbours share
        if peer in self._refused or len(self._refused) < _REFUSED_PEERS:
            self._refused[peer] += 1
        return True

    def next_window(self) -> None:
        """Forgets what was counted; to be called once a second."""
        self.window += 1
        free = self._free
        busy = [peer for peer, count in self._addresses.items() if count - self._ahead(peer) >= free]
        self._watched = frozenset(busy)
        self._addresses = dict.fromkeys(busy, int(free)) if busy else {}  # so that the next request is looked at
        self._clients = {}
        if self._refused and self.window >= self._note_at:
            self._note()

    def _note(self) -> None:
        """Tells of those refused since the last note, at most once a minute: a loop is seen by nobody otherwise."""
        ((peer, requests),) = self._refused.most_common(1)
        _log.warning(
            "delivery.clients_throttled",
            peer=peer,  # the busiest one
            requests=requests,
            peers=len(self._refused),
            all_requests=self._refused.total(),
        )
        self._refused.clear()
        self._note_at = self.window + _NOTE_EVERY

    def _ahead(self, peer: str) -> int:
        return int(self._free) if peer in self._watched else 0

    def _too_many(self, peer: str, before: int, weight: int, target: bytes, header: HeaderOf) -> bool:
        if self._per_address and before - self._ahead(peer) >= self._per_address:
            return True
        if not self._per_client:
            return False
        client = (peer, named(target, header))
        if client not in self._clients and len(self._clients) >= _CLIENTS:
            client = (peer, NAMELESS)
        made = self._clients.get(client, 0)
        allowed = self._per_client if client[1] != NAMELESS else self._per_client * NAMELESS_SHARE
        self._clients[client] = made + (weight if made < allowed else 1)
        return made >= allowed
