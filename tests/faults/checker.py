"""Says what is wrong with a history: pure functions, no server in sight.

The rules are the promises of the product, each under a name that a violation carries:

- `lost`: an acknowledged publish is in the database, with the ids that were acknowledged.
- `twice`: a publish makes one release in each of its namespaces, however often it was repeated.
- `torn`: a publish of several namespaces is there in all of them or in none.
- `refused`: a publish that was refused made no release.
- `order`: ids grow in every namespace, and from any acknowledged publish to any that began later.
- `phantom`: what a watcher holds was released.
- `back`: what one watcher reads from one node never becomes older, nor does what the SDK shows and tells.
- `older`: a read that names an id is never answered with an older release, whichever node is asked.
- `told`: a poll is answered with greater ids than it named.
- `gap`: what a listener is told begins where the last change ended.
- `missed`: when writers are quiet, every watcher comes to hold the last release.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.events import Acknowledged, Asked, Heard, History, Made, Read, Refused, Saw, Settled, Stored, Told


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule and the sentence that says where."""

    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.text}"


def check(history: History) -> list[Violation]:
    """Returns everything that is wrong, the writers' side first; empty for a good history."""
    rules = (_publishes, _together, _order, _watchers, _reads, _told, _listeners, _settled)
    return [violation for rule in rules for violation in rule(history)]


def _publishes(history: History) -> Iterator[Violation]:
    stored: defaultdict[str, list[Made]] = defaultdict(list)
    for release in history.stored:
        stored[release.number].append(release.made)
    for number, made in stored.items():
        namespaces = [each.namespace for each in made]
        for namespace in sorted(set(namespaces)):
            if (count := namespaces.count(namespace)) > 1:
                yield Violation("twice", f"{number} made {count} releases of {namespace}")
    for event in history.events:
        if isinstance(event, Acknowledged):
            for made_one in event.made:
                if made_one not in stored[event.number]:
                    yield Violation("lost", f"{event.number} was acknowledged as {made_one}")
        elif isinstance(event, Refused) and stored[event.number]:
            yield Violation("refused", f"{event.number} was refused ({event.code}) and is {stored[event.number]}")


def _together(history: History) -> Iterator[Violation]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for release in history.stored:
        found[release.number].add(release.made.namespace)
    for event in history.events:
        if isinstance(event, Asked) and found[event.number] not in (set(), set(event.namespaces)):
            yield Violation("torn", f"{event.number} is in {sorted(found[event.number])} of {event.namespaces}")


def _order(history: History) -> Iterator[Violation]:
    last: dict[str, Stored] = {}
    for release in sorted(history.stored, key=lambda each: each.made.release_id):
        before = last.get(release.made.namespace)
        if before is not None and before.made.notification_id >= release.made.notification_id:
            yield Violation("order", f"{before} comes before {release}")
        last[release.made.namespace] = release
    newest = 0  # of all that was acknowledged so far
    floor: dict[str, int] = {}
    for event in history.events:
        if isinstance(event, Asked):
            floor[event.number] = newest
        elif isinstance(event, Acknowledged):
            for made in event.made:
                if made.notification_id <= floor.get(event.number, 0):
                    yield Violation(
                        "order", f"{event.number} got {made.notification_id}, {floor[event.number]} was acknowledged"
                    )
                newest = max(newest, made.notification_id)


def _positions(history: History) -> dict[tuple[str, str], int]:
    """The place of each number among the releases of its namespace, from 0."""
    places: dict[tuple[str, str], int] = {}
    counts: defaultdict[str, int] = defaultdict(int)
    for release in sorted(history.stored, key=lambda each: each.made.release_id):
        namespace = release.made.namespace
        places.setdefault((namespace, release.number), counts[namespace])
        counts[namespace] += 1
    return places


def _watchers(history: History) -> Iterator[Violation]:
    places = _positions(history)
    last: dict[tuple[str, str, str], tuple[int, str]] = {}
    for event in history.events:
        # What a listener hears may come later than what a getter shows, so each is a sequence of its own. A raw
        # watcher may read what it was not told of yet; about that it cannot warn the next node that it asks.
        if isinstance(event, Heard):
            number, source = event.new, "listener"
        elif isinstance(event, Saw):
            number, source = event.number, "getter"
        elif isinstance(event, Read):
            number, source = event.number, f"node {event.node}"
        else:
            continue
        sequence = (event.watcher, event.namespace, source)
        if number is None:
            if sequence in last:
                yield Violation("back", f"{event} although it held {last[sequence][1]}")
            continue
        place = places.get((event.namespace, number))
        if place is None:
            yield Violation("phantom", f"{event}, which was never released")
            continue
        if sequence in last and place < last[sequence][0]:
            yield Violation("back", f"{event} although it held {last[sequence][1]}")
        last[sequence] = (place, number)


def _reads(history: History) -> Iterator[Violation]:
    ids = {(release.made.namespace, release.number): release.made.notification_id for release in history.stored}
    for event in history.events:
        if isinstance(event, Read) and event.named > 0:
            got = 0 if event.number is None else ids.get((event.namespace, event.number), event.named)
            if got < event.named:
                yield Violation("older", f"{event} has the id {got}")


def _told(history: History) -> Iterator[Violation]:
    for event in history.events:
        if isinstance(event, Told) and event.told <= event.known:
            yield Violation("told", f"{event}")


def _listeners(history: History) -> Iterator[Violation]:
    last: dict[tuple[str, str], str | None] = {}
    for event in history.events:
        if isinstance(event, Heard):
            sequence = (event.watcher, event.namespace)
            if sequence in last and last[sequence] != event.old:
                yield Violation("gap", f"{event} after {last[sequence]}")
            last[sequence] = event.new


def _settled(history: History) -> Iterator[Violation]:
    for event in history.events:
        if not isinstance(event, Settled):
            continue
        for watcher, held in sorted(event.held.items()):
            for namespace, number in sorted(event.live.items()):
                if held.get(namespace) != number:
                    yield Violation(
                        "missed", f"{watcher} ends {event.part} on {held.get(namespace)} of {namespace}, not {number}"
                    )
