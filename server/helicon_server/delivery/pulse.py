"""The clock of a node: calls what has to happen once a second, and sees how late the event loop is."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from helicon_server.delivery.gaps import Gaps
from helicon_server.delivery.histogram import SECONDS, Histogram

TICKS_PER_S: Final = 20
_REMEMBERED_S: Final = 60

_log = structlog.get_logger("helicon.delivery")


class Pulse:
    """Ticks twenty times a second. How late a tick comes is how long something held the loop, less one tick."""

    def __init__(self, every_second: Sequence[Callable[[], None]] = (), gaps: Gaps | None = None) -> None:
        """``gaps`` are told of every tick."""
        self.lag = Histogram(SECONDS)
        self._recent: deque[float] = deque([0.0], maxlen=_REMEMBERED_S)  # the longest lag of each second
        self._every_second = every_second
        self._gaps = gaps
        self._timer: asyncio.TimerHandle | None = None
        self._ticks = 0

    @property
    def longest_lag_s(self) -> float:
        """The longest of the last minute."""
        return max(self._recent)

    def start(self) -> None:
        """Begins to tick in the running event loop."""
        if self._gaps is not None:
            self._gaps.start()
        self._set(asyncio.get_running_loop().time() + 1 / TICKS_PER_S)

    def stop(self) -> None:
        """Ends it. Safe to call twice and before ``start``."""
        if self._gaps is not None:
            self._gaps.stop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, due: float) -> None:
        self._timer = asyncio.get_running_loop().call_at(due, self._tick, due)

    def _tick(self, due: float) -> None:
        now = asyncio.get_running_loop().time()
        late = max(0.0, now - due)
        self.lag.add(late)
        self._recent[-1] = max(self._recent[-1], late)
        self._set(now + 1 / TICKS_PER_S)
        if self._gaps is not None:
            self._gaps.tick()
        self._ticks += 1
        if self._ticks % TICKS_PER_S == 0:
            self._recent.append(0.0)
            for each in self._every_second:
                try:
                    each()
                except Exception as error:  # noqa: BLE001 - one that fails must not stop the clock of the others
                    _log.error("delivery.pulse_failed", error=type(error).__name__, exc_info=True)
