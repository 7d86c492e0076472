"""From the answer of a publish to the callback in the client, with clients that all watch the same namespace.

Run with ``python -m benchmarks.publish_fanout [--clients 100] [--kind sdk|raw]``. One real server process publishes and
delivers; all clients live in one other process. Each round publishes once and takes, for every client, the time from
the moment at which the publisher had its answer to the moment at which the client had the new value: for ``sdk`` the
change callback of ``helicon.Client``, for ``raw`` the parsed answer of ``/configs`` after the poll. A client may be
first: then its time is negative and counts as zero. Both clocks are the machine's monotonic one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.management import Management

from tests.support.server import BOOTSTRAP_TOKEN, Servers

REACH_MS = 100.0
APP = "bench"
_BUCKETS_MS = (0, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def main(*, quick: bool = False, clients: int = 100, kind: str = "sdk") -> bool:
    """Measures, prints the histogram, and tells whether the 99th percentile reaches its mark."""
    rounds = 10 if quick else 40
    with tempfile.TemporaryDirectory() as folder, closing(Servers(Path(folder))) as servers:
        server = servers.start()
        with closing(Management(server.port, BOOTSTRAP_TOKEN)) as management:
            management.create(APP)
            management.publish(APP, management.write(APP, "round=-1\n"))
            command = [sys.executable, "-m", f"benchmarks.fanout_{kind}", str(server.port), APP, str(clients)]
            watching = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert watching.stdout is not None
            assert watching.stdin is not None
            try:
                watching.stdout.readline()  # all clients watch
                delays = [delay for number in range(rounds) for delay in _round(management, watching.stdout, number)]
            finally:
                watching.stdin.close()
                watching.wait(30)
                watching.stdout.close()
    return _report(delays, clients, kind, rounds)


def _round(management: Management, lines: object, number: int) -> list[float]:
    revision = management.write(APP, f"round={number}\n")
    time.sleep(0.3)  # every client is back in its poll; this is no part of what is measured
    management.publish(APP, revision)
    answered = time.monotonic()
    line = lines.readline()  # type: ignore[attr-defined]  # a text stream; typing has no short word for it
    return [max(0.0, (received - answered) * 1000) for received in json.loads(line)]


def _report(delays: list[float], clients: int, kind: str, rounds: int) -> bool:
    delays.sort()
    p50, p90, p99 = (delays[min(len(delays) - 1, int(len(delays) * part))] for part in (0.5, 0.9, 0.99))
    reached = p99 <= REACH_MS
    print(f"publish answered -> {kind} client has the value, {clients} clients, one server process, {rounds} publishes")
    print(
        f"  p50 {p50:.1f} ms   p90 {p90:.1f} ms   p99 {p99:.1f} ms   last {delays[-1]:.1f} ms   "
        f"reach p99 {REACH_MS:.0f} ms   {'reached' if reached else 'MISSED'}"
    )
    for low, high in zip(_BUCKETS_MS, (*_BUCKETS_MS[1:], float("inf")), strict=True):
        count = sum(low <= delay < high for delay in delays)
        if count:
            print(f"  {low:>5} ms and more {count:>6}  {'#' * round(60 * count / len(delays))}")
    return reached


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer publishes")
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--kind", choices=("sdk", "raw"), default="sdk")
    arguments = parser.parse_args()
    sys.exit(0 if main(quick=arguments.quick, clients=arguments.clients, kind=arguments.kind) else 1)
