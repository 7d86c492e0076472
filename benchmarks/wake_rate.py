"""How fast thousands of waiting clients are told: polls of Helicon against watches of etcd, in turns.

Run with ``python -m benchmarks.wake_rate [--clients 5000]``. All wait for one key. A publish, or a put, is sent; the
rate is the number of clients over the time until the last one has been told. For Helicon that is an answered poll, for
etcd an event in the stream of a watch through its HTTP gateway. Both write durably first. The mark is for telling
alone: a client that has news polls again a second later. Then the same with clients that poll again at once, so that
the node takes in the new polls while it still answers the old ones.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.environment import print_environment
from benchmarks.etcd import Etcd, EtcdMissingError, etcd
from benchmarks.herds import Herd, herd
from benchmarks.node import APP, Node, node
from benchmarks.processes import processor_s, resident_bytes

REACH = 4.0
_SETTLE_S = 1.5  # longer than a client rests
_DEADLINE_S = 180.0


def main(clients: int = 5_000, *, quick: bool = False) -> None:
    """Measures and prints both rates, their ratio, and the memory of a waiting client beside."""
    rounds = 2 if quick else 10
    print(f"publish sent -> {clients:,} waiting clients told, {rounds} rounds in turns")
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        try:
            with etcd(folder) as store, node(folder) as server:
                before = resident_bytes([store.pid])
                with herd(store.port, clients, "etcd", APP) as watches:
                    watches.attached(_DEADLINE_S)
                    kib = (resident_bytes([store.pid]) - before) / clients / 1024
                    for talk, reach in [("told", REACH), ("poll", None)][: 1 if quick else 2]:
                        with herd(server.port, clients, talk, APP) as polls:
                            polls.attached(_DEADLINE_S)
                            time.sleep(_SETTLE_S)
                            _report(clients, _in_turns(server, polls, store, watches, rounds), talk, reach)
                print(f"  a watch takes {kib:.1f} KiB of etcd; what a poll takes tells poll_memory")
        except EtcdMissingError as error:
            print(f"  {error}")


def _in_turns(server: Node, polls: Herd, store: Etcd, watches: Herd, rounds: int) -> list[tuple[_Round, _Round]]:
    pairs = []
    for number in range(rounds):
        revision = server.write(f"{number} of {id(polls)}")
        ours = _round(polls, partial(server.management.publish, APP, revision), server.pid)
        pairs.append((ours, _round(watches, partial(_put, store, number), store.pid)))
    return pairs


@dataclass(frozen=True, slots=True)
class _Round:
    seconds: float  # until the last client was told
    processor_s: float  # of the server


def _put(store: Etcd, number: int) -> int:
    return store.put(APP, f"value {number}")


def _round(clients: Herd, publish: Callable[[], int], pid: int) -> _Round:
    time.sleep(_SETTLE_S)  # every client waits again
    used, began = processor_s([pid]), time.monotonic()
    last = max(clients.round(publish(), _DEADLINE_S))
    return _Round(last - began, processor_s([pid]) - used)


def _report(clients: int, pairs: list[tuple[_Round, _Round]], talk: str, reach: float | None) -> None:
    names = ("Helicon, polls again later" if talk == "told" else "Helicon, polls again at once", "etcd watches")
    for which, name in enumerate(names):
        seconds = statistics.median(pair[which].seconds for pair in pairs)
        used = statistics.median(pair[which].processor_s for pair in pairs)
        print(f"  {name:<30}{clients / seconds:>9,.0f}/s   all in {seconds:.2f} s, {used:.2f} s of processor")
    ratio = statistics.median(etcd.seconds / ours.seconds for ours, etcd in pairs)
    by_processor = sum(etcd.processor_s for _, etcd in pairs) / sum(ours.processor_s for ours, _ in pairs)
    verdict = "" if reach is None else f"   reach {reach:g}   {'reached' if ratio >= reach else 'MISSED'}"
    print(f"  ratio {ratio:.2f}, by processor time {by_processor:.2f}{verdict}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--clients", type=int, default=5_000)
    arguments = parser.parse_args()
    print_environment()
    main(arguments.clients, quick=arguments.quick)
