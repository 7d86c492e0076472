"""A node dies with thousands of clients attached and starts again on its port: how soon do all wait for news again?

Run with ``python -m benchmarks.reconnect [--clients 5000]``. Every client loses its connection at once and comes back
after a random pause of up to 0.5 s, again and again while nobody listens, with a poll as at its first start. Time runs
from the kill to the last poll that is held, so the start of the server is in it. A refused connection while nobody
listens is no error, nor is the loss itself; any answer but news or a held poll is one. At the end a publish must
reach everybody.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.environment import print_environment
from benchmarks.herds import Herd, herd
from benchmarks.node import APP, Node, node

REACH_S = 4.0
PROCESSES = 2
_DEADLINE_S = 60.0
# What a client sees of a server that was killed and is not there yet.
_OF_THE_DEATH = frozenset({"ECONNREFUSED", "ECONNRESET", "EPIPE", "closed"})


def main(clients: int = 5_000, *, quick: bool = False) -> None:
    """Measures and prints each death and what the clients saw."""
    with (
        tempfile.TemporaryDirectory() as folder,
        node(Path(folder)) as server,
        herd(server.port, clients, "poll", APP, processes=PROCESSES, pace=0) as crowd,
    ):
        crowd.attached(_DEADLINE_S)
        print(f"node killed and started again -> all {clients:,} clients wait for news")
        seconds = [_die(server, crowd) for _ in range(1 if quick else 5)]
        server.management.close()  # its connection died too; the next call opens another
        crowd.round(server.publish("after"), _DEADLINE_S)
        troubles = Counter(crowd.end().troubles)
    errors = {what: count for what, count in troubles.items() if what not in _OF_THE_DEATH}
    reached = max(seconds) <= REACH_S and not errors
    print(
        f"  slowest {max(seconds):.2f} s, errors {errors or 'none'} (refused while down: {troubles['ECONNREFUSED']:,})"
        f"   reach {REACH_S:g} s without error   {'reached' if reached else 'MISSED'}"
    )


def _die(server: Node, crowd: Herd) -> float:
    """Seconds from the death to the last poll that is held."""
    began = time.monotonic()
    server.process.kill()
    server.process.start()
    ready_s = time.monotonic() - began
    seconds = crowd.attached(_DEADLINE_S) - began
    print(f"  {seconds:.2f} s, of which {ready_s:.2f} s until the node was ready")
    return seconds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one death only")
    parser.add_argument("--clients", type=int, default=5_000)
    arguments = parser.parse_args()
    print_environment()
    main(arguments.clients, quick=arguments.quick)
