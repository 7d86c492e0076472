"""Computes waits with full jitter: a random time between nothing and a ceiling that doubles.

Full jitter spreads a fleet that lost its server at the same instant over the whole ceiling.
"""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")

BASE_SECONDS = 0.5
"""Ceiling of the first wait."""

CAP_SECONDS = 15.0
"""Ceiling of every later wait: the longest that a client stays away from servers that came back."""

DENIED_CAP_SECONDS = 120.0
"""Ceiling while the servers refuse the access key: a person has to act first."""

RETRY_AFTER_CAP_SECONDS = 120.0
"""The longest wait that a server may ask for."""


def full_jitter(
    attempt: int,
    unit: float,
    *,
    base: float = BASE_SECONDS,
    cap: float = CAP_SECONDS,
    at_least: float = 0.0,
) -> float:
    """Computes the seconds to wait before a repeated attempt.

    `attempt` counts failures in a row from 1, `unit` is a random number in [0, 1). `at_least` is what a
    server asked for; the jitter then comes on top, so that a fleet told the same time does not return at once.
    """
    ceiling = min(cap, base * 2.0 ** min(attempt - 1, 32))
    return at_least + unit * ceiling


def random_unit() -> float:
    """Draws a random number in [0, 1); differs between processes forked from one parent."""
    return int.from_bytes(os.urandom(4), "big") / 2.0**32


def shuffled(items: list[T]) -> list[T]:
    """Copies a list in random order."""
    return sorted(items, key=lambda _: random_unit())
