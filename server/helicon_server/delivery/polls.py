"""Long polls: reading what a client has seen, comparing it with the index, and telling what is new.

Apollo client protocol, section 7.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import orjson

from helicon_server.delivery.answers import NOT_MODIFIED, json_answer
from helicon_server.delivery.outcomes import Answer
from helicon_server.delivery.requests import NAME_LIMIT

if TYPE_CHECKING:
    from helicon_server.delivery.index import EnvironmentView

ENTRY_LIMIT: Final = 2_000  # namespaces of one poll
_WATCH_OVERHEAD: Final = 320  # bytes of a watch without its texts: the object, three tuples, what refers to it
_KEY_OVERHEAD: Final = 200  # bytes of a key in the hub: an entry of its table, a place in tuples, its set of polls
_ID: Final = re.compile(r"-?[0-9]{1,19}")  # int() also takes other scripts' digits, underscores and spaces


class BadNotificationsError(ValueError):
    """The ``notifications`` parameter does not say what it must; the message is for its sender."""


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """One namespace as one kind of client watches it; shared by all polls that ask the same.

    ``name`` is the client's spelling less ``.properties``; ``spelled`` are its watch keys as ``messages.details``
    shows them, ``keys`` the same ones as the index and the hub know them. ``asked`` is what they were made of: app,
    cluster, data centre and namespace. ``legacy`` says that it is of the single-namespace poll (section 8), which
    is told of another id than its own and answered with one object.
    """

    name: str
    spelled: tuple[str, ...]
    keys: tuple[str, ...]
    asked: tuple[str, str, str, str]
    legacy: bool = False
    cost: int = field(init=False, repr=False)
    """Bytes that a poll for it takes at most: the texts, what holds them, and the hub's entries for its keys."""

    def __post_init__(self) -> None:
        cost = sum(map(sys.getsizeof, (self.name, *self.spelled, *self.keys, *self.asked)))
        object.__setattr__(self, "cost", cost + _WATCH_OVERHEAD + len(self.keys) * _KEY_OVERHEAD)


def parse_notifications(text: str) -> list[tuple[str, int]]:
    """Reads the parameter into (name as sent, id) pairs, entries without a name dropped (section 7.2, steps 1, 2).

    A missing id is 0. Raises BadNotificationsError.
    """
    try:
        entries = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BadNotificationsError("The parameter 'notifications' is not JSON.") from None
    if not isinstance(entries, list) or not entries:
        raise BadNotificationsError("The parameter 'notifications' must be a JSON array with at least one entry.")
    if len(entries) > ENTRY_LIMIT:
        raise BadNotificationsError(f"The parameter 'notifications' has more than {ENTRY_LIMIT} entries.")
    known = []
    for entry in entries:
        if entry is None:
            continue
        if not isinstance(entry, dict):
            raise BadNotificationsError("An entry of 'notifications' is not a JSON object.")
        name = entry.get("namespaceName")
        if name is None or name == "":
            continue
        if not isinstance(name, str):
            raise BadNotificationsError("A 'namespaceName' of 'notifications' is not a string.")
        if len(name) > NAME_LIMIT:
            raise BadNotificationsError(f"A 'namespaceName' of 'notifications' is longer than {NAME_LIMIT} characters.")
        known.append((name, _notification_id(entry.get("notificationId"))))
    if not known:
        raise BadNotificationsError("No entry of 'notifications' has a 'namespaceName'.")
    return known


def collapse(view: EnvironmentView, app: str, entries: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """Keeps one of the entries that normalise to the same namespace: the smaller id, of equal ones the later."""
    if len(entries) == 1:
        return list(entries)
    kept: dict[str, tuple[str, int]] = {}
    for name, known in entries:
        normalised = view.normalise(app, name)
        present = kept.get(normalised)
        if present is None or known <= present[1]:
            kept[normalised] = (name, known)
    return list(kept.values())


def compare(view: EnvironmentView, watched: Sequence[Watched], known: Sequence[int]) -> Answer | None:
    """The answer that names every namespace with a greater id than the client's, None when there is none."""
    if watched[0].legacy:
        return _compare_legacy(view, watched[0], known[0])
    entries = []
    newest = view.newest
    for each, seen in zip(watched, known, strict=True):
        for key in each.keys:
            found = newest(key)
            if found is not None and found > seen:  # rarely: most polls are of clients that know everything
                entries.append(_entry(each, _details(view, each, each.keys)))
                break
    return json_answer(200, entries) if entries else None


def pushed(view: EnvironmentView, watched: Sequence[Watched], fired: Collection[str]) -> Answer:
    """The answer for a held poll of which the keys ``fired``.

    Ids are not compared with the client's: after a rebuild of the server they may be lower, and clients adopt them
    (section 7.2). Their values are the newest of this moment, so that a burst is told once.
    """
    if watched[0].legacy:
        # Where nothing was published before, only now it shows that another spelling is meant.
        keys = view.watched_alone(*watched[0].asked).keys
        newest = [found for key in keys if key in fired and (found := view.newest(key)) is not None]
        return _legacy_answer(watched[0], max(newest)) if newest else NOT_MODIFIED
    entries = []
    fired = fired if isinstance(fired, frozenset) else frozenset(fired)
    for each in watched:
        if fired.isdisjoint(each.keys):  # nearly all of a poll for a thousand names
            continue
        details = _details(view, each, [key for key in each.keys if key in fired])
        if details:
            entries.append(_entry(each, details))
    return json_answer(200, entries)


def notification_id(text: str) -> int:
    """Reads the parameter of the single-namespace poll. Raises BadNotificationsError."""
    try:
        return _notification_id(text)
    except BadNotificationsError:
        raise BadNotificationsError("The parameter 'notificationId' is not an integer.") from None


def _compare_legacy(view: EnvironmentView, watched: Watched, known: int) -> Answer | None:
    newest = max([found for key in watched.keys if (found := view.newest(key)) is not None], default=known)
    return None if newest == known else _legacy_answer(watched, newest)


def _legacy_answer(watched: Watched, newest: int) -> Answer:
    return json_answer(200, {"namespaceName": watched.name, "notificationId": newest})


def _details(view: EnvironmentView, watched: Watched, keys: Sequence[str]) -> dict[str, int]:
    details = {}
    for spelled, key in zip(watched.spelled, watched.keys, strict=True):
        newest = view.newest(key)
        if newest is not None and key in keys:
            details[spelled] = newest
    return details


def _entry(watched: Watched, details: dict[str, int]) -> dict[str, object]:
    return {
        "namespaceName": watched.name,
        "notificationId": max(details.values()),
        "messages": {"details": details},
    }


def _notification_id(value: object) -> int:
    # As lenient as the original's parser: absent and null are 0, "7" and 7.0 are 7.
    if value is None:
        return 0
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and _ID.fullmatch(value):
        return int(value)
    raise BadNotificationsError("A 'notificationId' of 'notifications' is not an integer.")
