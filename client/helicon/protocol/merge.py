"""Lays an app's own release over a public one (Apollo client protocol, sections 4.3 and 4.4)."""

from __future__ import annotations

from helicon.protocol.names import SEPARATOR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def merge(public: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Merges two configurations: the app's value wins, and an overridden key keeps its public place."""
    return {**public, **own}


def merge_all(configurations: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Merges any number of configurations, the winning one first, as release keys are joined."""
    merged: dict[str, str] = {}
    for each in reversed(configurations):
        merged.update(each)
    return merged


def join_release_keys(*keys: str | None) -> str:
    """Joins the keys of the contributing releases, the winning one first; one alone stays plain."""
    return SEPARATOR.join([key for key in keys if key])


def split_release_key(release_key: str) -> list[str]:
    """The keys of the releases that contributed, in their order and each once (section 5)."""
    return list(dict.fromkeys([key for key in release_key.split(SEPARATOR) if key]))


def is_older(candidate: str, held: str) -> bool:
    """Says whether a release key is provably older than another by the times that lead their parts.

    Keys begin with fourteen digits of time. Keys of another shape, with another number of parts, or of the
    same second prove nothing, so the answer is then False.
    """
    ours, theirs = _times(candidate), _times(held)
    if ours is None or theirs is None or len(ours) != len(theirs):
        return False
    return ours != theirs and all(a <= b for a, b in zip(ours, theirs, strict=True))


def _times(release_key: str) -> list[str] | None:
    times = [part[:14] for part in release_key.split(SEPARATOR)]
    plain = all(len(time) == 14 and time.isascii() and time.isdigit() for time in times)
    return times if plain else None
