"""From the answer of a publish to the callback in the client, with clients that all watch the same namespace.

Run with ``python -m benchmarks.publish_fanout [--clients 100] [--processes 4] [--kind sdk|raw]``. One real server
process publishes and delivers; the clients live in a few other processes. Each round publishes once and takes, for
every client, the time from the moment at which the publisher had its answer to the moment at which the client had the
new value: for ``sdk`` the change callback of ``helicon.Client``, for ``raw`` the parsed answer of ``/configs`` after
the poll. A client may be first: then its time is negative and counts as zero. All clocks are the machine's monotonic
one, which its processes share.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from benchmarks.environment import print_environment
from benchmarks.figures import percentile, percentiles, print_histogram
from benchmarks.node import APP, Node, node

REACH_MS = 100.0


def main(*, quick: bool = False, clients: int = 100, processes: int = 4, kind: str = "sdk") -> None:
    """Measures and prints percentiles and a histogram."""
    rounds = 10 if quick else 40
    with (
        tempfile.TemporaryDirectory() as folder,
        node(Path(folder)) as server,
        _watching(server.port, kind, _shares(clients, processes)) as streams,
    ):
        for stream in streams:
            stream.readline()  # all clients of this process watch
        delays = [delay for number in range(rounds) for delay in _round(server, streams, number)]
    if len(delays) != clients * rounds:
        raise RuntimeError(f"{clients} clients and {rounds} publishes made {len(delays)} times")
    _report(delays, clients, processes, kind, rounds)


def _shares(clients: int, processes: int) -> list[int]:
    """How many clients each process holds: at least one, and together exactly as many as asked for."""
    used = min(clients, processes)
    return [clients // used + (number < clients % used) for number in range(used)]


@contextmanager
def _watching(port: int, kind: str, shares: list[int]) -> Iterator[list[IO[str]]]:
    """Runs the clients and gives what each of their processes prints."""
    commands = [[sys.executable, "-m", f"benchmarks.fanout_{kind}", str(port), APP, str(share)] for share in shares]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for command in commands
    ]
    try:
        yield [process.stdout for process in running if process.stdout is not None]
    finally:
        for process in running:
            assert process.stdin is not None
            process.stdin.close()
        for process in running:
            process.wait(30)
            assert process.stdout is not None
            process.stdout.close()


def _round(server: Node, streams: list[IO[str]], number: int) -> list[float]:
    revision = server.write(number)
    time.sleep(0.3)  # every client is back in its poll; this is no part of what is measured
    server.management.publish(APP, revision)
    answered = time.monotonic()
    received = [at for stream in streams for at in json.loads(stream.readline())]
    return [max(0.0, (at - answered) * 1000) for at in received]


def _report(delays: list[float], clients: int, processes: int, kind: str, rounds: int) -> None:
    p99 = percentile(delays, 0.99)
    print(
        f"publish answered -> {kind} client has the value; {clients} clients in {min(clients, processes)} processes, "
        f"one server process, {rounds} publishes"
    )
    print(f"  {percentiles(delays)}   reach p99 {REACH_MS:.0f} ms   {'reached' if p99 <= REACH_MS else 'MISSED'}")
    print_histogram(delays)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer publishes")
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--processes", type=int, default=4, help="over which the clients are spread")
    parser.add_argument("--kind", choices=("sdk", "raw"), default="sdk")
    arguments = parser.parse_args()
    if arguments.clients < 1 or arguments.processes < 1:
        parser.error("--clients and --processes begin at 1")
    print_environment()
    main(quick=arguments.quick, clients=arguments.clients, processes=arguments.processes, kind=arguments.kind)
