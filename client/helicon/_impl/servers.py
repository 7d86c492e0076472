"""Decides in which order servers are asked. Pure: time and chance come in as arguments.

Discovered servers come first in random order, then the meta addresses themselves: a discovery answer may
name addresses that only work inside another network, and must not strand a client that reaches the meta
address. Servers that just failed come last, but are never left out.
"""

from __future__ import annotations

from helicon._impl.backoff import shuffled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from helicon._impl.address import Address

FAILED_SECONDS = 30.0
"""How long a server that failed stands behind the others."""

SERVER_LIMIT = 64
"""Discovered servers that are kept; more only lengthen a round in which all are down."""


class Servers:
    """Holds what is known about the servers of one client."""

    def __init__(self, meta: Iterable[Address]) -> None:
        self.meta = shuffled(list(meta))
        self._discovered: list[Address] = []
        self._failed: dict[Address, float] = {}

    def discovered(self, addresses: Iterable[Address]) -> None:
        """Takes over a discovery answer; an empty one changes nothing (protocol, section 12.1)."""
        fresh = list(dict.fromkeys(addresses))
        if fresh and set(fresh) != set(self._discovered):
            self._discovered = shuffled(fresh)[:SERVER_LIMIT]

    def reshuffle(self) -> None:
        """Lets the next request choose anew, so that clients spread over servers that came later."""
        self._discovered = shuffled(self._discovered)

    def failed(self, address: Address, now: float) -> None:
        """Puts a server behind the others for a while."""
        self._failed[address] = now + FAILED_SECONDS

    def worked(self, address: Address) -> None:
        """Forgets an earlier failure."""
        self._failed.pop(address, None)

    def in_order(self, now: float, first: Address | None = None) -> list[Address]:
        """Lists all servers in the order in which they are to be asked, beginning with `first` if given."""
        known = list(dict.fromkeys([*self._discovered, *self.meta]))
        self._failed = {server: until for server, until in self._failed.items() if server in known}
        known.sort(key=lambda server: self._failed.get(server, 0.0) > now)
        if first in known:
            known.remove(first)
            known.insert(0, first)
        return known
