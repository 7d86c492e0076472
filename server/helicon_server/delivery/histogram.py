"""A histogram of plain numbers: fixed bounds, one addition a value, no lock. Read by whoever scrapes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Bounds that tell a wake of a millisecond from one that waited for a sweep."""


class Histogram:
    """Counts of values at or below each bound, and their sum. All calls belong to one thread."""

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0  # sum of all values

    def add(self, value: float, count: int = 1) -> None:
        """Counts a value, ``count`` times. A negative one is 0: two clocks may differ."""
        value = max(value, 0.0)
        self._counts[bisect_left(self._bounds, value)] += count
        self.total += value * count

    def __len__(self) -> int:
        return sum(self._counts)

    def cumulative(self) -> Iterator[tuple[float | None, int]]:
        """(bound, values at or below it) in their order; None is the bound of the last, which has none."""
        below = 0
        for bound, count in zip((*self._bounds, None), self._counts, strict=True):
            below += count
            yield bound, below
