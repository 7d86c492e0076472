"""Guessing is slowed down, and nobody is locked out for ever."""

from __future__ import annotations

import pytest

from helicon_server.auth.throttle import FREE_FAILURES, LONGEST_DELAY_S, WINDOW_S, Throttle
from helicon_server.domain.errors import TooManyRequests


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(clock)


def fail(throttle: Throttle, times: int, key: str = "peer admin") -> None:
    for _ in range(times):
        throttle.failed(key)


def refused(throttle: Throttle, key: str = "peer admin") -> object:
    """The seconds that a refusal names; 0 when there is none."""
    try:
        throttle.check(key)
    except TooManyRequests as error:
        return error.details["retry_after_s"] if error.code == "sign_in_throttled" else error.code
    return 0


def test_check__few_failures__lets_pass(throttle: Throttle) -> None:
    """Whoever mistypes a few times notices nothing."""
    fail(throttle, FREE_FAILURES - 1)
    assert refused(throttle) == 0


def test_check__many_failures__refuses_until_the_delay_has_passed(throttle: Throttle, clock: Clock) -> None:
    """The refusal says when to come back, and then the next try is free."""
    fail(throttle, FREE_FAILURES + 3)
    seconds = refused(throttle)
    assert seconds == 8
    clock.now += 7.9
    assert refused(throttle) == 1
    clock.now += 0.1
    assert refused(throttle) == 0


def test_check__failures_without_end__delay_stays_bounded(throttle: Throttle, clock: Clock) -> None:
    """The right password is never more than a minute away, however long somebody else has been guessing."""
    fail(throttle, 10_000)
    assert refused(throttle) == LONGEST_DELAY_S
    clock.now += LONGEST_DELAY_S
    assert refused(throttle) == 0


def test_check__failures_long_ago__count_no_more(throttle: Throttle, clock: Clock) -> None:
    """A failure after the window is the first of a new one."""
    fail(throttle, FREE_FAILURES + 5)
    clock.now += WINDOW_S + 1
    fail(throttle, FREE_FAILURES - 1)
    assert refused(throttle) == 0


def test_check__other_key__is_not_affected(throttle: Throttle) -> None:
    """One person's guesses delay nobody else."""
    fail(throttle, 100, "10.0.0.1 admin")
    assert refused(throttle, "10.0.0.2 admin") == 0


def test_succeeded__forgets_the_failures(throttle: Throttle) -> None:
    """The right password ends the matter."""
    fail(throttle, FREE_FAILURES + 5)
    throttle.succeeded("peer admin")
    assert refused(throttle) == 0
    throttle.succeeded("never seen")


def test_memory__any_number_of_keys__stays_bounded_and_forgets_the_oldest(throttle: Throttle) -> None:
    """Names made up by a guesser cost a bounded number of entries."""
    fail(throttle, FREE_FAILURES + 5, "first")
    for n in range(10_000):
        throttle.failed(f"made up {n}")
    assert len(throttle._failures) == 10_000
    assert refused(throttle, "first") == 0
