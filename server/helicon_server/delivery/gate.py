"""The gate in front of the decision: counts every request, turns away who asks too often, and lets nobody in behind a
gap before the messages were looked at.

Both shells call it in the place of the decision. What it counts are plain integers: whoever scrapes adds them up
(http/metrics.py), so that a request pays for an addition and not for a look-up by labels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from itertools import cycle
from typing import Final

from helicon_server.delivery.answers import RETRY_SPREAD_S, container_error
from helicon_server.delivery.gaps import Gaps
from helicon_server.delivery.limits import RateLimits
from helicon_server.delivery.outcomes import Answer, Defer, Outcome, Resumed
from helicon_server.delivery.requests import BadTargetError, HeaderOf, Request, Surface, parse_path

Decide = Callable[[str, bytes, HeaderOf, str], Outcome]

# By the first bytes; a path that does not tell is parsed. Environments have a prefix in front.
_BY_START: Final = {b"/configs/": "configs", b"/configfi": "configfiles", b"/notifica": "notifications"}
_START: Final = 9
_PATH_KEPT: Final = 2_000  # bytes; an error shows no more of it
_BY_SURFACE: Final = {
    Surface.CONFIGS: "configs",
    Surface.SERVICES: "services",
    Surface.HEALTH: "health",
    Surface.UNKNOWN: "unknown",
}
SURFACES: Final = ("configs", "configfiles", "notifications", "services", "health", "management", "unknown")
_FRESH: Final = ("configs", "configfiles", "notifications")  # what they answer comes from the messages


class Tally:
    """What requests of one surface were answered with."""

    __slots__ = ("body_bytes", "not_modified", "ok", "other")

    def __init__(self) -> None:
        self.ok = 0  # 200
        self.not_modified = 0  # 304
        self.other: Counter[str] = Counter()  # by class of the status
        self.body_bytes = 0

    def add(self, status: int, body_bytes: int = 0) -> None:
        """Counts one answer."""
        if status == 200:
            self.ok += 1
        elif status == 304:
            self.not_modified += 1
        else:
            self.other[f"{status // 100}xx"] += 1
        self.body_bytes += body_bytes

    def by_class(self) -> dict[str, int]:
        """Answers by class of the status; 304 is one of its own."""
        found = {"2xx": self.ok, "304": self.not_modified}
        for name, count in self.other.items():
            found[name] = found.get(name, 0) + count
        return found


class Traffic:
    """All requests of this process since its start."""

    __slots__ = ("refused", "tallies")

    def __init__(self) -> None:
        self.tallies = {name: Tally() for name in SURFACES}
        self.refused: Counter[str] = Counter()  # by code

    def answered(self, target: bytes, answer: Answer) -> None:
        """Counts an answer that took the longer way."""
        self.add(self.tally_of(target), answer)

    def add(self, tally: Tally, answer: Answer) -> None:
        """Counts an answer."""
        tally.add(answer.status, len(answer.body))
        if answer.code:
            self.refused[answer.code] += 1

    def tally_of(self, target: bytes) -> Tally:
        """The counts of the surface that a raw target asks."""
        return self.tallies[_surface(target)]


def gate(decide: Decide, traffic: Traffic, limits: RateLimits, gaps: Gaps, retry_after_s: int) -> Decide:
    """Puts limits in front of a decision, and counts what comes of it."""
    tallies = {start: traffic.tallies[name] for start, name in _BY_START.items()}
    refuses = limits.refuses
    clock = gaps.clock

    turns = cycle(range(RETRY_SPREAD_S))

    @lru_cache(maxsize=256)  # a loop asks the same path again and again, and its refusal must cost next to nothing
    def refusal(path: bytes, _window: int, _turn: int) -> Answer:
        message = "This client asks more often than it may."
        return container_error(429, "too_many_requests", message, path, retry_after_s=retry_after_s)

    def decide_within_limits(method: str, target: bytes, header: HeaderOf, peer: str) -> Outcome:
        outcome: Outcome
        if refuses(peer, target, header) and _limited(target):
            outcome = refusal(target.partition(b"?")[0][:_PATH_KEPT], limits.window, next(turns))
        elif clock() > gaps.fresh_until and gaps.open() and _surface(target) in _FRESH:
            return Defer(Request(method, target, header, peer), Resumed())
        else:
            outcome = decide(method, target, header, peer)
        if outcome.__class__ is Answer:
            tally = tallies.get(target[:_START]) or traffic.tally_of(target)
            status = outcome.status
            if status == 200:
                tally.ok += 1
                tally.body_bytes += len(outcome.body)
            elif status == 304:
                tally.not_modified += 1
            else:
                traffic.add(tally, outcome)
        return outcome

    return decide_within_limits


def _limited(target: bytes) -> bool:
    """Health is asked by whoever decides that this node lives, perhaps through the proxy that all clients share."""
    return _surface(target) != "health"


def _surface(target: bytes) -> str:
    known = _BY_START.get(target[:_START])
    if known is not None:
        return known
    try:
        surface = parse_path(target.partition(b"?")[0]).surface
    except BadTargetError:
        return "unknown"
    return _BY_SURFACE.get(surface) or ("notifications" if surface.name.startswith("NOTIF") else "configfiles")
