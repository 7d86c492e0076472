"""Every metric of a node: its name, what it means, and where its number is read.

Numbers are read when somebody scrapes; nothing here runs with a request. No label holds the name of an app, a cluster,
a namespace or a key, so the number of series is bounded by what stands here. docs/metrics.md describes the same list.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from helicon_server.delivery.histogram import Histogram
from helicon_server.delivery.plane import DeliveryPlane

Kind = Literal["counter", "gauge", "histogram"]
Labels = tuple[str, ...]
Row = tuple[Labels, float | Histogram]
_WAITED: Final = "waited"


@dataclass(frozen=True, slots=True)
class Node:
    """What the numbers are read from."""

    plane: DeliveryPlane
    version: str
    started_at: float  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class Metric:
    """One family of series. ``read`` gives the values of its labels beside each number."""

    name: str  # without the _total of a counter
    kind: Kind
    meaning: str
    read: Callable[[Node], Iterable[Row]]
    labels: Labels = ()


def _one(read: Callable[[Node], float | Histogram]) -> Callable[[Node], Iterable[Row]]:
    return lambda node: (((), read(node)),)


def _finished(node: Node) -> Iterator[Row]:
    return (((reason,), count) for reason, count in node.plane.hub.polls.finished().items())


def _requests(node: Node) -> Iterator[Row]:
    for surface, status, count in node.plane.answered():
        yield (surface, status), count


def _bodies(node: Node) -> Iterator[Row]:
    for surface, tally in node.plane.traffic.tallies.items():
        woken = node.plane.hub.woken_bytes if surface == "notifications" else 0
        yield (surface,), tally.body_bytes + woken


def _away(node: Node) -> Iterator[Row]:
    now = datetime.now(UTC)
    for database in node.plane.health().databases:
        away = database.away_since
        yield (database.name,), 0.0 if away is None else (now - away).total_seconds()


def _databases(read: Callable[[DeliveryPlane], Iterable[tuple[str, float]]]) -> Callable[[Node], Iterable[Row]]:
    return lambda node: (((name,), value) for name, value in read(node.plane))


def _instances(node: Node) -> Iterator[Row]:
    recorder = node.plane.instances
    if recorder is not None:
        yield ("written",), recorder.written
        yield ("dropped",), recorder.dropped


def _open_files(_: Node) -> float:
    try:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError:
        return 0.0


METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        "helicon_info",
        "gauge",
        "1; its labels say what runs.",
        lambda node: (((node.version, platform.python_version()), 1.0),),
        ("version", "python"),
    ),
    Metric(
        "helicon_start_time_seconds", "gauge", "When the worker started, since the epoch.", _one(lambda n: n.started_at)
    ),
    # Polls
    Metric("helicon_polls_held", "gauge", "Long polls that wait.", _one(lambda n: len(n.plane.hub))),
    Metric(
        "helicon_watched_keys", "gauge", "Different keys that they wait for.", _one(lambda n: n.plane.hub.watched_keys)
    ),
    Metric("helicon_polls_parked", "counter", "Polls that had to wait.", _one(lambda n: n.plane.hub.polls.parked)),
    Metric(
        "helicon_polls_finished",
        "counter",
        "How their wait ended: woken, timed_out, redefined (other keys now), stopped (the node), overtaken (news came"
        " while parking), abandoned (the client left).",
        _finished,
        ("reason",),
    ),
    Metric(
        "helicon_wake_slices", "counter", "Turns of the event loop that woke polls.", _one(lambda n: n.plane.hub.slices)
    ),
    Metric(
        "helicon_commit_to_sent_seconds",
        "histogram",
        "From a release's message, by the publishing node's clock, to the answer of each poll handed to the transport,"
        " by this node's.",
        _one(lambda n: n.plane.hub.committed_to_sent),
    ),
    Metric(
        "helicon_read_to_sent_seconds",
        "histogram",
        "From the reading of a release's message to the answer of each poll handed to the transport.",
        _one(lambda n: n.plane.hub.read_to_sent),
    ),
    # Requests
    Metric(
        "helicon_requests",
        "counter",
        "Answers by what was asked and by class of the status; 304 is a class of its own.",
        _requests,
        ("surface", "status"),
    ),
    Metric("helicon_body_bytes", "counter", "Bytes of the bodies of answers, as sent.", _bodies, ("surface",)),
    Metric(
        "helicon_refusals",
        "counter",
        "Requests of clients that were refused, by the code of the answer (docs/errors.md).",
        lambda node: (((code,), count) for code, count in node.plane.traffic.refused.items()),
        ("code",),
    ),
    Metric(
        "helicon_access_observed",
        "counter",
        "Requests that a key in observer mode found not to be signed, by what is wrong; they were served.",
        lambda node: (((code,), count) for code, count in node.plane.observed.items()),
        ("code",),
    ),
    Metric(
        "helicon_long_way",
        "counter",
        "Decisions that no remembered path answered; all other requests took the short way.",
        _one(lambda n: n.plane.long_way),
    ),
    Metric("helicon_compressed", "counter", "Answers sent in gzip.", _one(lambda n: n.plane.compressed)),
    # The store
    Metric(
        "helicon_store_bytes",
        "gauge",
        "Content and prepared answers in memory.",
        _one(lambda n: n.plane.store.used_bytes),
    ),
    Metric("helicon_store_budget_bytes", "gauge", "What they may take.", _one(lambda n: n.plane.store.budget_bytes)),
    Metric(
        "helicon_store_evictions",
        "counter",
        "Entries that made room for others.",
        _one(lambda n: n.plane.store.evictions),
    ),
    Metric(
        "helicon_store_hits",
        "counter",
        "Reads served from memory, 304 among them: by a remembered path (short) or worked out (long).",
        lambda node: (((way,), count) for way, count in node.plane.reads().items() if way != _WAITED),
        ("way",),
    ),
    Metric(
        "helicon_store_misses",
        "counter",
        "Reads served behind a wait for the database.",
        _one(lambda n: n.plane.reads()[_WAITED]),
    ),
    Metric(
        "helicon_store_loads", "counter", "Contents read because a client asked.", _one(lambda n: n.plane.store.loads)
    ),
    Metric(
        "helicon_store_load_errors", "counter", "Such reads that failed.", _one(lambda n: n.plane.store.load_errors)
    ),
    Metric(
        "helicon_remembered_path_bytes",
        "gauge",
        "What remembered paths of answers take, at most.",
        _one(lambda n: n.plane.remembered_bytes),
    ),
    # Databases
    Metric(
        "helicon_database_loaded",
        "gauge",
        "1 when the releases of the database are known, else 0.",
        _databases(lambda plane: ((each.name, float(each.loaded)) for each in plane.health().databases)),
        ("database",),
    ),
    Metric(
        "helicon_database_away_seconds", "gauge", "How long it has not answered; 0 while it does.", _away, ("database",)
    ),
    Metric(
        "helicon_seen_message_id",
        "gauge",
        "Every message up to this id is served. The difference between two nodes is how many ids one is behind.",
        _databases(lambda plane: ((each.name, float(each.seen_id)) for each in plane.health().databases)),
        ("database",),
    ),
    Metric(
        "helicon_looked_seconds",
        "gauge",
        "Since the last complete look at the table of messages: the longest that a release can have been missed.",
        _databases(lambda plane: plane.looked_ago()),
        ("database",),
    ),
    # What the node keeps and notes
    Metric(
        "helicon_snapshot_age_seconds",
        "gauge",
        "Since the snapshot on disk was known to hold all that is published; of a worker that writes or has read it.",
        _databases(lambda plane: plane.snapshot_ages()),
        ("database",),
    ),
    Metric(
        "helicon_snapshot_failures",
        "counter",
        "Attempts to write the snapshot that failed.",
        _one(lambda n: n.plane.snapshot_failures),
    ),
    Metric(
        "helicon_corrupt_contents",
        "counter",
        "Contents read that did not fit the hash they were published with.",
        _one(lambda n: n.plane.store.corrupt),
    ),
    Metric(
        "helicon_instance_records",
        "counter",
        "Records of running clients: written, or dropped because too many waited or the database was away.",
        _instances,
        ("reason",),
    ),
    # The process
    Metric(
        "helicon_memory_short",
        "gauge",
        "1 while new polls are refused for want of memory.",
        _one(lambda n: n.plane.memory_guard.short),
    ),
    Metric(
        "helicon_resident_memory_bytes", "gauge", "Memory of the worker.", _one(lambda n: n.plane.memory.sizes()[1])
    ),
    Metric("helicon_open_files", "gauge", "Descriptors that the worker has open.", _one(_open_files)),
    Metric("helicon_cpu_seconds", "counter", "Processor time of the worker.", _one(lambda _: sum(os.times()[:2]))),
    Metric(
        "helicon_loop_lag_seconds",
        "histogram",
        "How late the event loop was, looked at twenty times a second.",
        _one(lambda n: n.plane.pulse.lag),
    ),
    Metric(
        "helicon_loop_lag_longest_seconds",
        "gauge",
        "The longest of the last minute.",
        _one(lambda n: n.plane.pulse.longest_lag_s),
    ),
)


def read(node: Node) -> Iterator[tuple[Metric, list[Row]]]:
    """Every metric with its numbers of this moment."""
    for metric in METRICS:
        yield metric, list(metric.read(node))
