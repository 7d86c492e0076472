"""Long lists of parameters, cut to what every database takes in one statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

BATCH = 500  # rows of up to four parameters; SQLite and PostgreSQL take some 32,000 parameters


def in_batches(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yields slices of at most ``BATCH`` values; one slice for the lists that occur in practice."""
    for start in range(0, len(values), BATCH):
        yield values[start : start + BATCH]
