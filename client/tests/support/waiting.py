"""Waits for what other threads and processes bring about."""

from __future__ import annotations

import time
from collections.abc import Callable

DEADLINE_SECONDS = 20.0


def eventually(condition: Callable[[], object], what: str, seconds: float = DEADLINE_SECONDS) -> None:
    """Returns as soon as the condition holds; fails the test with `what` when it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} seconds for {what}"
        time.sleep(0.005)


def eventually_is(read: Callable[[], object], expected: object, what: str) -> None:
    """Returns as soon as reading gives what is expected."""
    eventually(lambda: read() == expected, f"{what} to be {expected!r}")
