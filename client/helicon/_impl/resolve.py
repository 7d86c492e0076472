"""Looks host names up within a deadline, and remembers the last good answer.

The system's resolver cannot be interrupted and may hang for half a minute, so it runs in a thread of its
own; one look-up per name at a time, so that a dead resolver cannot pile threads up.
"""

from __future__ import annotations

import socket
import time

from helicon._impl.errors import UnavailableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from threading import Thread
    from typing import Any

    Place = tuple[socket.AddressFamily, tuple[Any, ...]]


class Resolver:
    """Finds the addresses of hosts. Used by one thread at a time."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], Sequence[Place]] = {}
        self._pending: dict[tuple[str, int], _Lookup] = {}

    def resolve(self, host: str, port: int, deadline: float) -> Sequence[Place]:
        """Lists where a host can be reached, best first.

        Raises `UnavailableError` with code `dns_failed` when the name is unknown, or the resolver is silent
        until the deadline (monotonic seconds), and the name was never found before.
        """
        try:
            return _look_up(host, port, socket.AI_NUMERICHOST)
        except OSError:
            pass  # It is a name, not a number.
        key = (host, port)
        lookup = self._pending.get(key)
        if lookup is None:
            lookup = self._pending[key] = _Lookup(host, port)
        lookup.thread.join(max(0.0, deadline - time.monotonic()))
        if lookup.thread.is_alive():
            return self._last_good(key, f"the name {host} was not found in time")
        del self._pending[key]
        if lookup.error is not None:
            return self._last_good(key, f"the name {host} was not found: {lookup.error}")
        self._known[key] = lookup.places
        return lookup.places

    def _last_good(self, key: tuple[str, int], message: str) -> Sequence[Place]:
        if places := self._known.get(key):
            return places
        raise UnavailableError("dns_failed", message)


class _Lookup:
    def __init__(self, host: str, port: int) -> None:
        from threading import Thread  # imported late: not needed where the server is given by number

        self.places: Sequence[Place] = ()
        self.error: str | None = None
        self.thread: Thread = Thread(target=self._run, args=(host, port), name="helicon-resolve", daemon=True)
        self.thread.start()

    def _run(self, host: str, port: int) -> None:
        try:
            self.places = _look_up(host, port, 0)
        except (OSError, UnicodeError) as error:
            self.error = getattr(error, "strerror", None) or type(error).__name__


def _look_up(host: str, port: int, flags: int) -> Sequence[Place]:
    # As bytes, because text of a plain name would load the codec of international ones first.
    found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, place) for family, _, _, _, place in found]
