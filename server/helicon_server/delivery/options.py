"""The knobs of the delivery plane, each with its unit and its default."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """How long, how often, how much. Durations in seconds, sizes in bytes."""

    hold_s: float = 60.0  # of a v2 poll; the Java client reads for 90 s
    legacy_hold_s: float = 30.0  # of a single-namespace poll
    sweep_s: float = 10.0  # between two looks at the message table when no hint comes
    catch_up_s: float = 1.0  # how long a read waits for a message that only its client has seen
    content_budget_bytes: int = 256 * MIB
    max_waiters: int = 50_000  # held polls of this node; more are refused with 503
    max_waiters_bytes: int = 256 * MIB  # of held polls; one for a short name takes two to three kilobytes
    max_waiters_per_peer: int = 10_000  # held polls of one address; many clients may share one
    max_waiters_per_client: int = 0  # held polls of one client of an address; 0 is no limit. The settings give one
    max_waiters_per_app: int = 20_000  # held polls of one app's clients, wherever they are
    requests_per_client: int = 0  # a second; 0 is no limit. The server's settings give one
    requests_per_address: int = 0
    memory_limit_bytes: int | None = None  # of this process; what the machine sets counts besides
    access_key_tolerance_s: float = 60.0  # a signed request may be this old, or from this far in the future
    slice_size: int = 200  # held polls answered before the event loop gets its turn
    retry_after_s: int = 1  # what a refused client is told at least; spread over some seconds from here
    warm_up: bool = True  # read the newest releases into memory behind the start
