"""Carries clients through the two moments that threads do not survive: a fork and the interpreter's end."""

from __future__ import annotations

import atexit
import os
import weakref
from typing import Protocol

EXIT_SECONDS = 1.0
"""What all clients together may take when the program ends without closing them."""


class Lived(Protocol):
    """What is registered here."""

    def close(self, timeout: float) -> None: ...
    def _restart_in_child(self) -> None: ...


_living: weakref.WeakSet[Lived] = weakref.WeakSet()
_hooked = False


def register(client: Lived) -> None:
    """Adds a client; the first one installs the hooks, so that importing starts nothing."""
    global _hooked
    _living.add(client)
    if not _hooked:
        _hooked = True
        os.register_at_fork(after_in_child=_restart_all)
        atexit.register(_close_all)


def forget(client: Lived) -> None:
    """Removes a client that was closed."""
    _living.discard(client)


def _restart_all() -> None:
    for client in tuple(_living):
        client._restart_in_child()


def _close_all() -> None:
    clients = tuple(_living)
    for client in clients:
        client.close(EXIT_SECONDS / len(clients))
