"""Holds what the parts of one client share."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from helicon._impl.listeners import Dispatcher

if TYPE_CHECKING:
    from helicon._impl.settings import Advice

LOG = logging.getLogger("helicon")

REMEMBERED_KEYS = 1000
"""Keys with a bad value that are remembered, so that each is logged once."""


_advised: set[str] = set()


def advise(advice: tuple[Advice, ...]) -> None:
    """Logs what is wrong with the environment of the process: once, however many clients it has."""
    for code, message in advice:
        if message not in _advised:
            _advised.add(message)
            LOG.warning("%s: %s", code, message)


class Counters:
    """Counts what a status shows, and logs each cause once."""

    def __init__(self) -> None:
        self.bad_values = 0
        self.bad_bindings = 0
        self._told: set[tuple[str, str, str]] = set()

    def bad_value(self, namespace: str, key: str, wanted: str) -> None:
        """Notes a value that does not convert."""
        self.bad_values += 1
        cause = (namespace, key, wanted)
        if cause not in self._told and len(self._told) < REMEMBERED_KEYS:
            self._told.add(cause)
            LOG.warning("bad_value namespace=%s key=%s wanted=%s: the default is used", *cause)

    def bad_binding(self, namespace: str, target: str, reason: str) -> None:
        """Notes a release that does not fit a class that it is bound to."""
        self.bad_bindings += 1
        LOG.warning("bad_binding namespace=%s class=%s: %s", namespace, target, reason)


class Core:
    """The lock, the dispatcher and the counters of one client."""

    def __init__(self, app_id: str) -> None:
        self._app_id = app_id
        self.counters = Counters()
        self.renew()

    def renew(self) -> None:
        """Creates what has to be new in a forked child."""
        self.lock = threading.Lock()
        self.dispatcher = Dispatcher(f"helicon-listen-{self._app_id}")
