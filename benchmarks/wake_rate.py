"""How fast thousands of waiting clients are told: polls of Helicon against watches of etcd, in turns.

Run with ``python -m benchmarks.wake_rate [--clients 5000]``. All wait for one key. A publish, or a put, is sent; the
rate is the number of clients over the time until the last one has been told. For Helicon that is an answered poll, and
the client polls again at once; for etcd an event in the stream of a watch through its HTTP gateway. Both write
durably first.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.environment import print_environment
from benchmarks.etcd import Etcd, EtcdMissingError, etcd
from benchmarks.herds import Herd, herd
from benchmarks.node import APP, node
from benchmarks.processes import processor_s, resident_bytes

REACH = 4.0
_SETTLE_S = 0.5
_DEADLINE_S = 180.0


def main(clients: int = 5_000, *, quick: bool = False) -> None:
    """Measures and prints both rates, their ratio, and the memory of a waiting client beside."""
    rounds = 3 if quick else 10
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        try:
            with etcd(folder) as store, node(folder) as server:
                before = {pid: resident_bytes([pid]) for pid in (server.pid, store.pid)}
                with (
                    herd(server.port, clients, "poll", APP) as polls,
                    herd(store.port, clients, "etcd", APP) as watches,
                ):
                    polls.attached(_DEADLINE_S)
                    watches.attached(_DEADLINE_S)
                    kib = {pid: (resident_bytes([pid]) - before[pid]) / clients / 1024 for pid in before}
                    ours, theirs = [], []
                    for number in range(rounds):
                        revision = server.write(number)
                        publish = partial(server.management.publish, APP, revision)
                        ours.append(_round(polls, publish, server.pid))
                        theirs.append(_round(watches, partial(_put, store, number), store.pid))
        except EtcdMissingError as error:
            print(f"  {error}")
            return
        _report(clients, ours, theirs, kib[server.pid], kib[store.pid])


def _put(store: Etcd, number: int) -> int:
    return store.put(APP, f"value {number}")


def _round(clients: Herd, publish: Callable[[], int], pid: int) -> tuple[float, float]:
    """Seconds until the last client was told, and of the server's processor time."""
    time.sleep(_SETTLE_S)  # every client waits again
    used, began = processor_s([pid]), time.monotonic()
    last = max(clients.round(publish(), _DEADLINE_S))
    return last - began, processor_s([pid]) - used


def _report(
    clients: int, ours: list[tuple[float, float]], theirs: list[tuple[float, float]], kib: float, etcd_kib: float
) -> None:
    print(f"publish sent -> {clients:,} waiting clients told, {len(ours)} rounds in turns")
    for name, rounds, each in (("Helicon polls", ours, kib), ("etcd watches", theirs, etcd_kib)):
        seconds, used = (statistics.median(values) for values in zip(*rounds, strict=True))
        print(
            f"  {name:<16}{clients / seconds:>9,.0f}/s   all in {seconds:.2f} s, {used:.2f} s of processor, "
            f"{each:.1f} KiB each"
        )
    ratio = statistics.median(other[0] / mine[0] for mine, other in zip(ours, theirs, strict=True))
    print(f"  ratio {ratio:.1f}   reach {REACH:g}   {'reached' if ratio >= REACH else 'MISSED'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--clients", type=int, default=5_000)
    arguments = parser.parse_args()
    print_environment()
    main(arguments.clients, quick=arguments.quick)
