"""Slows down guessing of passwords without locking a person out for ever."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from helicon_server.domain.errors import TooManyRequests

FREE_FAILURES = 5  # within the window, before any delay
WINDOW_S = 900.0
LONGEST_DELAY_S = 60.0
_COUNTED = 1_000  # more failures change nothing
_ENTRIES = 10_000  # the least recently failed is forgotten first


class Throttle:
    """Counts failures per key (a user at an address) and refuses further tries for a growing, bounded time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock  # monotonic seconds
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def check(self, key: str, *, free: int = FREE_FAILURES) -> None:
        """Raises TooManyRequests while the delay of ``key`` lasts, which begins after ``free`` failures."""
        count, last = self._failures.get(key, (0, 0.0))
        if count < free:
            return
        delay = min(LONGEST_DELAY_S, 2.0 ** min(count - free, 16))
        left = last + delay - self._clock()
        if left > 0:
            raise TooManyRequests(
                "Too many failed sign-ins; try again later.",
                code="sign_in_throttled",
                details={"retry_after_s": max(1, round(left))},
            )

    def failed(self, key: str) -> None:
        """Records a failure."""
        now = self._clock()
        count, last = self._failures.pop(key, (0, now))
        self._failures[key] = (1 if now - last > WINDOW_S else min(count + 1, _COUNTED), now)
        while len(self._failures) > _ENTRIES:
            self._failures.popitem(last=False)

    def forgive(self, key: str) -> None:
        """Takes back one failure of ``key``, which was none."""
        count, last = self._failures.get(key, (0, 0.0))
        if count > 0:
            self._failures[key] = (count - 1, last)

    def succeeded(self, key: str) -> None:
        """Forgets the failures of ``key``."""
        self._failures.pop(key, None)
