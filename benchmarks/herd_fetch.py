"""From a publish to the moment at which every one of thousands of clients has read the new value.

Run with ``python -m benchmarks.herd_fetch [--clients 1000 10000]``. One server process; the clients share one process
and are as cheap as they can be (`benchmarks.herd`): each is told by its poll, reads ``/configs`` and polls again. A
bare ASGI application that can do nothing else (`benchmarks.bare_polls`) does the same with as many clients, in turns.
Times run from the moment at which the publisher sends its request, so Helicon's hold the transaction as well.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.environment import print_environment
from benchmarks.figures import percentiles, print_histogram
from benchmarks.herds import Herd, herd
from benchmarks.node import APP, PATH, node
from benchmarks.peers import bare_asgi, get, port_of
from benchmarks.processes import processor_s

REACH = 0.6
COMPARED = (1_000, 10_000)
SIZES = (100, 1_000, 5_000, 10_000)
_SETTLE_S = 0.3
_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class _Round:
    delays_ms: Sequence[float]  # of every client
    processor_s: float  # of the server

    @property
    def last_ms(self) -> float:
        return max(self.delays_ms)


def main(sizes: Sequence[int] = SIZES, *, quick: bool = False) -> None:
    """Measures and prints, for each number of clients, the times of all clients and the ratio."""
    rounds = 3 if quick else 10
    print(f"publish sent -> read by all clients, one server process, {rounds} publishes")
    for clients in sizes:
        ours, theirs, troubles = _measure(clients, rounds)
        every = [delay for each in ours for delay in each.delays_ms]
        print(f"  {clients:>6} clients   {percentiles(every)}   troubles {troubles or 'none'}")
        print_histogram(every)
        if theirs:
            _compare(clients, ours, theirs)


def _compare(clients: int, ours: Sequence[_Round], theirs: Sequence[_Round]) -> None:
    mine, bare = (statistics.median(each.last_ms for each in rounds) for rounds in (ours, theirs))
    ratio = statistics.median(a.last_ms / b.last_ms for a, b in zip(ours, theirs, strict=True))
    by_processor = sum(each.processor_s for each in ours) / sum(each.processor_s for each in theirs)
    print(
        f"  {clients:>6} clients, all have it: Helicon {mine:.0f} ms, bare ASGI {bare:.0f} ms, ratio {ratio:.2f}, "
        f"by processor time {by_processor:.2f}   reach {REACH:g}   {'reached' if ratio <= REACH else 'MISSED'}"
    )


def _measure(clients: int, rounds: int) -> tuple[Sequence[_Round], Sequence[_Round], Mapping[str, int]]:
    """The rounds of Helicon, those of the bare application where it is compared, and what Helicon's clients met."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(node(folder))
        ours = stack.enter_context(herd(server.port, clients, "fetch", APP))
        ours.attached(_DEADLINE_S)
        bare = None
        if clients in COMPARED:
            bare = stack.enter_context(bare_asgi(get(server.port, PATH), folder, "bare_polls"))
            theirs = stack.enter_context(herd(port_of(bare), clients, "fetch", APP))
            theirs.attached(_DEADLINE_S)
        mine, others = [], []
        for number in range(rounds):
            revision = server.write(number)
            mine.append(_round(ours, partial(server.management.publish, APP, revision), server.pid))
            if bare is not None:
                others.append(_round(theirs, partial(_publish_bare, bare), bare.pid))
        return mine, others, ours.end().troubles


def _round(clients: Herd, publish: Callable[[], int], pid: int) -> _Round:
    time.sleep(_SETTLE_S)  # every client is back in its poll; this is no part of what is measured
    used, began = processor_s([pid]), time.monotonic()
    news = publish()
    delays_ms = [(at - began) * 1000 for at in clients.round(news, _DEADLINE_S)]
    return _Round(delays_ms, processor_s([pid]) - used)


def _publish_bare(process: subprocess.Popen[bytes]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port_of(process), timeout=30)
    connection.request("POST", "/publish")
    news: int = json.loads(connection.getresponse().read())["notification_id"]
    connection.close()
    return news


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer publishes")
    parser.add_argument("--clients", type=int, nargs="+", default=SIZES)
    arguments = parser.parse_args()
    print_environment()
    main(arguments.clients, quick=arguments.quick)
