"""How delays are told: percentiles and a histogram, in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence

_BUCKETS_MS = (0, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
_WIDTH = 60


def percentile(values: Sequence[float], part: float) -> float:
    """The value that a part (0 to 1) of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def percentiles(delays_ms: Sequence[float]) -> str:
    """p50, p90, p99 and the last."""
    named = [(f"p{part * 100:.0f}", percentile(delays_ms, part)) for part in (0.5, 0.9, 0.99)]
    return "   ".join(f"{name} {value:.1f} ms" for name, value in [*named, ("last", max(delays_ms))])


def print_histogram(delays_ms: Sequence[float]) -> None:
    """One line for each bucket that is not empty."""
    for low, high in zip(_BUCKETS_MS, (*_BUCKETS_MS[1:], float("inf")), strict=True):
        count = sum(low <= delay < high for delay in delays_ms)
        if count:
            print(f"  {low:>5} ms and more {count:>6}  {'#' * round(_WIDTH * count / len(delays_ms))}".rstrip())
