"""Requests a second: of one client, of one address; whoever stays below is never refused for another's sake."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from helicon_server.delivery.limits import RateLimits

READ = b"/configs/shop/default/application"


def no_header(_: bytes) -> bytes | None:
    return None


def forwarded(chain: bytes):  # type: ignore[no-untyped-def]  # a header look-up
    return lambda name: chain if name == b"x-forwarded-for" else None


def refused(limits: RateLimits, count: int, *, peer: str = "10.0.0.1", ip: str = "", chain: bytes | None = None) -> int:
    """How many of so many requests are refused."""
    target = READ + (b"?ip=" + ip.encode() if ip else b"")
    header = forwarded(chain) if chain is not None else no_header
    return sum(limits.refuses(peer, target, header) for _ in range(count))


def watching(per_client: int = 10, per_address: int = 1_000) -> RateLimits:
    """Limits that count the clients of 10.0.0.1 from the first request on."""
    limits = RateLimits(per_client, per_address)
    refused(limits, per_client + 1, ip="10.9.9.9")
    limits.next_window()
    return limits


def test_client__in_a_tight_loop__gets_its_allowance_and_no_more() -> None:
    """Fault D2. The first second holds twice the allowance at most."""
    limits = RateLimits(10, 1_000)
    assert refused(limits, 100, ip="10.1.1.1") >= 80
    for _ in range(3):
        limits.next_window()
        assert refused(limits, 100, ip="10.1.1.1") == 90


def test_neighbour__at_the_same_address__is_never_refused() -> None:
    limits = watching()
    assert refused(limits, 500, ip="10.1.1.1") == 490
    assert refused(limits, 10, ip="10.1.1.2") == 0


def test_neighbour__of_a_loop_that_is_refused_more_often_than_the_address_may_ask__is_served() -> None:
    """Fault D2: refusals do not use up what the clients of an address share, in the first second and in later ones."""
    limits = RateLimits(10, 100)
    for _ in range(4):
        assert refused(limits, 500, ip="10.1.1.1") >= 480
        assert refused(limits, 10, ip="10.1.1.2") == 0
        limits.next_window()


@pytest.mark.parametrize("target", [b"?ip=10.1.1.1", b"?label=a&ip=10.1.1.1&x=1"])
def test_client__is_named_wherever_the_parameter_stands(target: bytes) -> None:
    limits = watching()
    assert sum(limits.refuses("10.0.0.1", READ + target, no_header) for _ in range(20)) == 10
    assert refused(limits, 10, ip="10.1.1.2") == 0


def test_client__that_takes_anothers_ip__does_not_use_up_its_allowance() -> None:
    """A proxy writes who really asks behind what the client claimed."""
    limits = watching()
    assert refused(limits, 500, ip="10.1.1.1", chain=b"10.1.1.1, 10.6.6.6") == 490
    assert refused(limits, 10, ip="10.1.1.1", chain=b"10.1.1.1") == 0


def test_clients__behind_a_proxy_that_forwards__are_told_apart() -> None:
    limits = watching()
    assert refused(limits, 20, chain=b"10.1.1.1") == 10
    assert refused(limits, 10, chain=b"10.1.1.2") == 0


def test_clients__that_name_nothing__share_ten_allowances() -> None:
    """Nobody can tell how many they are."""
    limits = watching()
    assert refused(limits, 150) == 50


def test_address__with_a_name_for_each_request__is_refused_at_its_own_limit() -> None:
    limits = RateLimits(10, 50)
    for _ in range(2):
        assert sum(refused(limits, 1, ip=f"10.1.{number}.1") for number in range(80)) == 30
        limits.next_window()


def test_other_address__is_not_counted_with_it() -> None:
    limits = watching()
    refused(limits, 5_000, ip="10.1.1.1")
    assert refused(limits, 10, peer="10.0.0.2", ip="10.1.1.1") == 0


def test_window__that_is_over__is_forgotten() -> None:
    limits = watching()
    refused(limits, 500, ip="10.1.1.1")
    limits.next_window()
    assert refused(limits, 10, ip="10.1.1.1") == 0


def test_names__endlessly_many__take_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("helicon_server.delivery.limits._CLIENTS", 5)
    limits = watching(per_address=0)
    assert sum(refused(limits, 1, ip=f"10.1.{number}.1") for number in range(120)) == 15
    assert len(limits._clients) == 6


@pytest.mark.parametrize(("per_client", "per_address", "expected"), [(0, 0, 0), (0, 50, 50), (10, 0, 90)])
def test_limit__of_zero__is_none(per_client: int, per_address: int, expected: int) -> None:
    limits = RateLimits(per_client, per_address)
    refused(limits, 100, ip="10.1.1.1")
    limits.next_window()
    assert refused(limits, 100, ip="10.1.1.1") == expected


def test_refusals__are_noted_once_a_minute_with_the_busiest_peer() -> None:
    """Without the note nobody learns who asks in a loop; more of them would be a flood of their own."""
    limits = RateLimits(10, 20)
    with capture_logs() as logs:
        for _ in range(61):
            refused(limits, 90)
            refused(limits, 50, peer="10.0.0.2")
            limits.next_window()
    events = [(each["event"], each["peer"], each["peers"]) for each in logs]
    assert events == [("delivery.clients_throttled", "10.0.0.1", 2)] * 2
    assert logs[1]["all_requests"] > logs[0]["all_requests"] > logs[0]["requests"] > 0


def test_nobody_refused__nothing_is_noted() -> None:
    limits = RateLimits(10, 20)
    with capture_logs() as logs:
        for _ in range(3):
            refused(limits, 5)
            limits.next_window()
    assert not logs


def test_large_poll__counts_as_the_many_requests_that_it_costs() -> None:
    limits = watching(per_client=1_000, per_address=100_000)
    large = READ + b"?ip=10.1.1.1&x=" + b"x" * 84_000
    assert [limits.refuses("10.0.0.1", large, no_header) for _ in range(4)] == [False, False, True, True]
    assert refused(limits, 1_000, ip="10.1.1.2") == 0


def test_large_poll__beyond_the_whole_allowance__passes_once_a_second() -> None:
    """Refused for ever, its client would never learn of anything."""
    limits = watching(per_client=10)
    large = READ + b"?ip=10.1.1.1&x=" + b"x" * 84_000
    for _ in range(3):
        assert [limits.refuses("10.0.0.1", large, no_header) for _ in range(3)] == [False, True, True]
        limits.next_window()


def test_large_polls__that_are_refused__leave_the_address_to_others() -> None:
    limits = watching(per_client=10, per_address=2_000)
    large = READ + b"?ip=10.1.1.1&x=" + b"x" * 84_000
    assert sum(limits.refuses("10.0.0.1", large, no_header) for _ in range(500)) == 499
    assert refused(limits, 10, ip="10.1.1.2") == 0
