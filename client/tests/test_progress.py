"""What a client believes about the version it holds, with a clock made of numbers."""

from __future__ import annotations

import pytest

from helicon._impl.address import parse_address
from helicon._impl.backoff import full_jitter, random_unit
from helicon._impl.progress import RECHECK_SECONDS, REFRESH_SECONDS, Progress
from helicon._impl.servers import Servers
from helicon.protocol.messages import Notification

A, B = parse_address("http://a"), parse_address("http://b")
OLD, NEW = "20250101000000-aa", "20250102000000-bb"


def notice(number: int) -> Notification:
    return Notification("application", number, {"shop+default+application": number})


def test_progress__change_from_the_promiser__is_confirmed_at_once() -> None:
    progress = Progress(0.0)
    progress.noticed(notice(7), A)
    assert progress.answered(A, changed=True, now=1.0, unit=0.0)
    assert (progress.seen, progress.confirmed, progress.in_doubt) == (7, 7, False)
    assert progress.due == 1.0 + REFRESH_SECONDS


def test_progress__unchanged_from_another_server__does_not_advance() -> None:
    """Notice from A, read from B that is behind: the marker must stay, so that the notice comes again."""
    progress = Progress(0.0)
    progress.noticed(notice(7), A)
    assert not progress.answered(B, changed=False, now=1.0, unit=0.0)
    assert (progress.seen, progress.confirmed) == (-1, -1)


@pytest.mark.parametrize(("server", "changed"), [(A, False), (B, True)])
def test_progress__doubtful_answer__is_looked_at_again_before_it_counts(server: object, changed: bool) -> None:
    progress = Progress(0.0)
    progress.noticed(notice(7), A)
    assert progress.answered(server, changed=changed, now=0.0, unit=0.0)  # type: ignore[arg-type]  # a table of answers
    assert (progress.seen, progress.confirmed, progress.in_doubt) == (7, -1, True)
    waits = []
    while progress.in_doubt:
        waits.append(progress.due)
        assert progress.confirmed == -1
        progress.answered(A, changed=False, now=0.0, unit=0.0)
    assert tuple(waits) == RECHECK_SECONDS
    assert progress.confirmed == 7


def test_progress__change_during_the_looks__confirms() -> None:
    progress = Progress(0.0)
    progress.noticed(notice(7), A)
    progress.answered(A, changed=False, now=0.0, unit=0.0)
    progress.answered(A, changed=True, now=0.0, unit=0.0)
    assert (progress.confirmed, progress.in_doubt) == (7, False)


def test_progress__loss_of_the_servers_during_doubt__goes_back_to_what_is_confirmed() -> None:
    progress = Progress(0.0, confirmed=5)
    progress.noticed(notice(7), A)
    progress.answered(A, changed=False, now=0.0, unit=0.0)
    assert progress.seen == 7
    progress.resume()
    assert progress.seen == 5


def test_progress__postponed__polls_on_but_confirms_nothing() -> None:
    progress = Progress(0.0, confirmed=5)
    progress.noticed(notice(7), A)
    progress.postponed(10.0, 0.0)
    assert (progress.seen, progress.confirmed) == (7, 5)
    assert 10.0 < progress.due < 10.0 + REFRESH_SECONDS


def test_progress__older_release_after_a_notice__is_a_rollback_and_taken() -> None:
    progress = Progress(0.0)
    progress.noticed(notice(7), A)
    assert progress.accepts(OLD, NEW, A)


def test_progress__older_release_from_a_server_that_is_behind__is_not_taken() -> None:
    progress = Progress(0.0)
    progress.noticed(notice(7), A)
    assert not progress.accepts(OLD, NEW, B)
    assert progress.promised == 7


def test_progress__older_release_without_notice__is_taken_only_when_it_stays() -> None:
    progress = Progress(0.0)
    looks = 0
    while not progress.accepts(OLD, NEW, A):
        progress.distrusted(0.0, 0.0)
        looks += 1
        assert looks < 10
    assert looks == len(RECHECK_SECONDS)


def test_progress__older_release_once__is_forgotten_when_the_newer_is_confirmed() -> None:
    progress = Progress(0.0)
    assert not progress.accepts(OLD, NEW, A)
    progress.distrusted(0.0, 0.0)
    progress.answered(B, changed=False, now=0.0, unit=0.0)
    assert not progress.in_doubt
    assert not progress.accepts(OLD, NEW, A)


def test_progress__ids_that_began_anew__are_adopted() -> None:
    progress = Progress(0.0, confirmed=500)
    progress.details = {"shop+default+application": 500}
    progress.noticed(notice(3), A)
    progress.answered(A, changed=True, now=0.0, unit=0.0)
    assert progress.seen == 3
    assert progress.details == {"shop+default+application": 3}


def test_full_jitter__attempts__stay_below_a_ceiling_that_doubles_up_to_the_cap() -> None:
    almost = 1.0 - 2.0**-32
    ceilings = [full_jitter(attempt, almost, base=0.5, cap=30.0) for attempt in range(1, 12)]
    assert ceilings[:7] == pytest.approx([0.5, 1, 2, 4, 8, 16, 30])
    assert max(ceilings) < 30.0
    assert full_jitter(10**9, almost) < 16
    assert full_jitter(5, 0.0) == 0.0
    assert full_jitter(1, 0.5, at_least=10.0) == 10.25


def test_random_unit__drawn_often__covers_the_range() -> None:
    drawn = [random_unit() for _ in range(2000)]
    assert 0.0 <= min(drawn) < 0.1
    assert 0.9 < max(drawn) < 1.0


def test_servers__discovered__come_first_and_the_meta_address_stays() -> None:
    servers = Servers([A])
    servers.discovered([B])
    assert servers.in_order(0.0) == [B, A]
    servers.failed(B, 0.0)
    assert servers.in_order(1.0) == [A, B]
    assert servers.in_order(1000.0) == [B, A]
    assert servers.in_order(1.0, first=B) == [B, A]
    servers.worked(B)
    assert servers.in_order(1.0) == [B, A]


def test_servers__empty_discovery__keeps_what_was_known() -> None:
    servers = Servers([A])
    servers.discovered([B])
    servers.discovered([])
    assert servers.in_order(0.0) == [B, A]
