"""What is remembered of watches: bounded in bytes, for all environments of the process together."""

from __future__ import annotations

from itertools import count
from typing import Final

from helicon_server.delivery.polls import Watched

_BYTES: Final = 16 * 1024 * 1024  # of all remembered watches of the process
_ENTRY: Final = 200  # bytes of an entry of the table and its key, beside the strings that the watch holds too

WatchIdentity = tuple[int, str, str, str, str]
"""A number that ``new_number`` gave, then app, cluster, data centre and namespace."""

_NUMBERS = count()


class RememberedWatches:
    """Watches by what they were made of; forgotten all at once when there is no room, and made again."""

    __slots__ = ("_known", "_limit", "taken")

    def __init__(self, limit: int = _BYTES) -> None:
        """``limit`` is in bytes."""
        self.taken = 0  # bytes, an upper bound
        self._known: dict[WatchIdentity, Watched] = {}
        self._limit = limit

    def find(self, identity: WatchIdentity) -> Watched | None:
        """The watch of this identity if it is remembered."""
        return self._known.get(identity)

    def keep(self, identity: WatchIdentity, watched: Watched) -> None:
        """Remembers one that was not found."""
        cost = watched.cost + _ENTRY
        if self.taken + cost > self._limit:
            self._known.clear()
            self.taken = 0
        self.taken += cost
        self._known[identity] = watched


def new_number() -> int:
    """What tells watches of one environment and one state of its definitions from all others of the process."""
    return next(_NUMBERS)


REMEMBERED: Final = RememberedWatches()
"""Of the process: a bound for each environment would grow with their number."""
