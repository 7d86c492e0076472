"""What observer keys find: which clients do not sign yet, or not rightly.

Noted for whoever is going to enforce a key: rarely, and with the addresses of one client each time, so that it can be
found. Neither is a secret, and neither proves anything (docs/access-keys.md).
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

import structlog

from helicon_server.delivery.asking import parse_ip

NOTE_EVERY_S: Final = 60.0  # of one app and code: a note tells that a client is not ready, not how often it asks
_NAMED_IP: Final = re.compile(rb"[?&]ip=([0-9A-Fa-f:.%]{1,64})(?:&|$)")

_log = structlog.get_logger("helicon.delivery")


class Notes:
    """When the faults of one app were noted last, by code, and how many came since."""

    __slots__ = ("_at", "_since")

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._since: Counter[str] = Counter()

    def due(self, code: str, now: float) -> int | None:
        """How many came since the last note when one is due, else None; ``now`` is monotonic, in seconds."""
        if now - self._at.get(code, -NOTE_EVERY_S) < NOTE_EVERY_S:
            self._since[code] += 1
            return None
        self._at[code] = now
        return self._since.pop(code, 0)


class Observed:
    """Counts what observer keys of this process found, by code, and notes it now and then."""

    __slots__ = ("_clock", "counts")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.counts: Counter[str] = Counter()
        self._clock = clock

    def found(self, notes: Notes, code: str, target: bytes, peer: str, *, environment: str, app: str) -> None:
        """Counts one request that its app has not signed; ``notes`` are those of the app."""
        self.counts[code] += 1
        unnoted = notes.due(code, self._clock())
        if unnoted is not None:
            _log.warning(
                "delivery.access_observed",
                environment=environment,
                app=app,
                code=code,
                peer=peer,
                ip=_named_ip(target),
                unnoted=unnoted,
            )


def _named_ip(target: bytes) -> str:
    """The address that the client names in its query, "" for none and for what is no address."""
    named = _NAMED_IP.search(target)
    found = None if named is None else parse_ip(named[1].decode("ascii").replace("%3A", ":").replace("%3a", ":"))
    return "" if found is None else str(found)
