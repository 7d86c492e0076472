"""The checker on histories made by hand: the good one passes, each way of being bad is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.checker import check
from tests.faults.events import (
    Acknowledged,
    Asked,
    Event,
    GaveUp,
    Heard,
    History,
    Made,
    Read,
    Refused,
    Saw,
    Settled,
    Stored,
    Told,
)

A, B = "application", "orders"


def made(namespace: str, release: int, message: int) -> Made:
    return Made(namespace, release, message, f"key-{release}")


ONE, TWO, TWO_B, THREE = made(A, 1, 11), made(A, 2, 12), made(B, 3, 13), made(A, 4, 14)
FINAL = {A: "3", B: "2"}


def good() -> History:
    """Three publishes, the second of two namespaces; a raw watcher and one of the SDK."""
    return History(
        [
            Asked("1", (A,)),
            Acknowledged("1", 0, (ONE,)),
            Read("raw", A, 0, 0, "1", 200),
            Read("raw", B, 0, 0, None, 404),
            Saw("sdk", A, "1"),
            Asked("2", (A, B)),
            Asked("x", (A,)),
            Refused("x", 1, "stale_revision"),
            Told("raw", A, 0, 11, 12),
            Read("raw", A, 1, 12, "2", 200),
            Acknowledged("2", 1, (TWO, TWO_B)),
            Told("raw", B, 0, -1, 13),
            Read("raw", B, 1, 13, "2", 200),
            Heard("sdk", A, "1", "2"),
            Asked("3", (A,)),
            GaveUp("3"),
            Heard("sdk", A, "2", "3"),
            Saw("sdk", A, "3"),
            Told("raw", A, 2, 12, 14),
            Read("raw", A, 2, 14, "3", 200),
            Read("raw", A, 1, 14, "3", 304),
            Settled("the end", FINAL, {"raw": dict(FINAL), "sdk": dict(FINAL)}),
        ],
        [Stored("1", ONE), Stored("2", TWO), Stored("2", TWO_B), Stored("3", THREE)],
    )


def rules(history: History) -> set[str]:
    return {violation.rule for violation in check(history)}


def ending_with(*events: Event) -> Callable[[], History]:
    def bad() -> History:
        history = good()
        history.events.extend(events)
        return history

    return bad


def storing(*releases: Stored) -> Callable[[], History]:
    def bad() -> History:
        history = good()
        history.stored.extend(releases)
        return history

    return bad


def without(gone: Made) -> Callable[[], History]:
    def bad() -> History:
        history = good()
        history.stored = [release for release in history.stored if release.made != gone]
        return history

    return bad


def test_check__good_history__finds_nothing() -> None:
    assert check(good()) == []


@pytest.mark.parametrize(
    ("rule", "bad"),
    [
        ("lost", without(ONE)),
        ("lost", ending_with(Acknowledged("1", 2, (made(A, 1, 99),)))),
        ("twice", storing(Stored("1", made(A, 9, 19)))),
        ("torn", without(TWO_B)),
        ("refused", storing(Stored("x", made(A, 9, 19)))),
        ("order", storing(Stored("9", made(A, 9, 10)))),
        ("order", ending_with(Asked("1", (A,)), Acknowledged("1", 0, (ONE,)))),
        ("phantom", ending_with(Read("raw", A, 0, 14, "4", 200))),
        ("phantom", ending_with(Saw("sdk", A, "x"))),
        ("back", ending_with(Read("raw", A, 2, 0, "2", 200))),
        ("back", ending_with(Read("raw", A, 2, 0, None, 404))),
        ("back", ending_with(Saw("sdk", A, "2"))),
        ("back", ending_with(Heard("sdk", A, "3", "2"))),
        ("older", ending_with(Read("new", A, 0, 14, "2", 200))),
        ("older", ending_with(Read("new", A, 0, 14, None, 404))),
        ("told", ending_with(Told("raw", A, 0, 14, 14))),
        ("told", ending_with(Told("raw", A, 0, 14, 12))),
        ("gap", ending_with(Heard("sdk", A, "2", "3"))),
        ("missed", ending_with(Settled("more", FINAL, {"raw": {A: "2", B: "2"}}))),
        ("missed", ending_with(Settled("more", FINAL, {"raw": {A: "3"}}))),
    ],
)
def test_check__bad_history__names_the_rule(rule: str, bad: Callable[[], History]) -> None:
    assert rule in rules(bad())


def test_check__nobody_is_told_of_a_coalesced_release__is_fine() -> None:
    """Only the last release must arrive; those between may be passed over."""
    history = good()
    history.events = [event for event in history.events if not (isinstance(event, Read) and event.number == "2")]

    assert rules(history) == set()


def test_check__read_ahead_of_what_was_told__next_node_may_be_behind() -> None:
    """The watcher could not name an id that nobody had told it."""
    history = ending_with(Read("new", A, 0, 12, "3", 200), Read("new", A, 1, 12, "2", 200))()

    assert rules(history) == set()


def test_check__publish_of_unknown_end__may_be_there_or_not() -> None:
    history = without(THREE)()
    history.events = [Asked("3", (A,)), GaveUp("3")]

    assert rules(history) == set()


def test_lines__of_a_history__show_every_event_and_release() -> None:
    history = good()

    lines = list(history.lines())

    assert len(lines) == len(history.events) + len(history.stored)
    assert '"number": "1"' in lines[0]
