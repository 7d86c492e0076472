"""What a run of the history checker writes down, in the order in which it happened."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Made:
    """One release that an answer, or the database, tells of."""

    namespace: str
    release_id: int
    notification_id: int
    release_key: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A writer begins to publish a number; it repeats the request under one idempotency key until it knows."""

    number: str
    namespaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A node said that the publish was done."""

    number: str
    node: int
    made: tuple[Made, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A node said that the publish was not done and will not be."""

    number: str
    node: int
    code: str


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The writer never learned how its publish ended."""

    number: str


@dataclass(frozen=True, slots=True)
class Told:
    """A poll that named the id `known` was answered with the id `told`."""

    watcher: str
    namespace: str
    node: int
    known: int
    told: int


@dataclass(frozen=True, slots=True)
class Read:
    """A watcher holds this number after a read that named the id `named`; 304 leaves it what it held."""

    watcher: str
    namespace: str
    node: int
    named: int
    number: str | None
    status: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A listener of the SDK was told of a change."""

    watcher: str
    namespace: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Saw:
    """A getter of the SDK answered something else than the last time."""

    watcher: str
    namespace: str
    number: str | None


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault began or ended."""

    kind: str
    node: int
    phase: str


@dataclass(frozen=True, slots=True)
class Settled:
    """Writers were quiet: what was live in the end, and what each watcher held when its time was up."""

    part: str
    live: dict[str, str]
    held: dict[str, dict[str, str | None]]


Event = Asked | Acknowledged | Refused | GaveUp | Told | Read | Heard | Saw | Fault | Settled


@dataclass(frozen=True, slots=True)
class Stored:
    """A release as the database holds it when all is over."""

    number: str
    made: Made


@dataclass(slots=True)
class History:
    """One run: what was seen, and the truth of the database in the order of release ids."""

    events: list[Event] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)

    def lines(self) -> Iterable[str]:
        """Yields the history as JSON, an event a line."""
        for number, event in enumerate([*self.events, *self.stored]):
            yield f"{number:4} {type(event).__name__:12} {json.dumps(dataclasses.asdict(event))}"
