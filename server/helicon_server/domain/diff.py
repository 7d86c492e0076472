"""What differs between two contents of a namespace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .draft import ChangeKind


@dataclass(frozen=True, slots=True)
class Change:
    """One key that differs; ``old`` is None when it was added, ``new`` when it was deleted."""

    key: str
    kind: ChangeKind
    old: str | None
    new: str | None


def diff(old: Mapping[str, str], new: Mapping[str, str]) -> Sequence[Change]:
    """Lists the changes from ``old`` to ``new``: additions and modifications first, then deletions, each in order."""
    changes = [
        Change(key, ChangeKind.ADDED if key not in old else ChangeKind.MODIFIED, old.get(key), value)
        for key, value in new.items()
        if old.get(key) != value
    ]
    changes.extend(Change(key, ChangeKind.DELETED, value, None) for key, value in old.items() if key not in new)
    return changes
