"""Holds what listeners receive when a release changes a namespace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType


class ChangeKind(StrEnum):
    """What happened to a key between two releases."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Change:
    """The fate of one key. Its text shows no value, so that it may be logged."""

    key: str
    kind: ChangeKind
    old: str | None = field(repr=False)
    """None when the key was added."""
    new: str | None = field(repr=False)
    """None when the key was deleted."""


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """A new release of one namespace, reduced to the keys that a listener asked for."""

    namespace: str
    old_release_key: str | None
    """None when nothing was known before."""
    new_release_key: str
    changes: Mapping[str, Change]
    """By key; never empty and never to be changed."""
    coalesced: int = 0
    """How many events were folded into this one because the listener was too slow to take each."""

    def matching(self, wanted: Callable[[str], object]) -> ChangeEvent | None:
        """Reduces the event to the keys that are wanted; None when none is."""
        kept = {key: change for key, change in self.changes.items() if wanted(key)}
        if len(kept) == len(self.changes):
            return self
        return replace(self, changes=MappingProxyType(kept)) if kept else None


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> Mapping[str, Change]:
    """Lists what changed between two configurations: deleted keys first, then in the new one's order."""
    changes = {key: Change(key, ChangeKind.DELETED, value, None) for key, value in old.items() if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if before is None:
            changes[key] = Change(key, ChangeKind.ADDED, None, value)
        elif before != value:
            changes[key] = Change(key, ChangeKind.MODIFIED, before, value)
    return MappingProxyType(changes)


def fold(earlier: ChangeEvent, later: ChangeEvent) -> ChangeEvent | None:
    """Folds two events of one namespace that follow each other into one; None when they undo each other."""
    folded = dict(earlier.changes)
    for key, change in later.changes.items():
        before = folded.pop(key, None)
        old = change.old if before is None else before.old
        if old != change.new:
            folded[key] = Change(key, _kind(old, change.new), old, change.new)
    if not folded:
        return None
    return ChangeEvent(
        earlier.namespace,
        earlier.old_release_key,
        later.new_release_key,
        MappingProxyType(folded),
        earlier.coalesced + later.coalesced + 1,
    )


def _kind(old: str | None, new: str | None) -> ChangeKind:
    if old is None:
        return ChangeKind.ADDED
    return ChangeKind.DELETED if new is None else ChangeKind.MODIFIED
