"""How many polls one machine holds: 15,000 in one process and 30,000 in two, all woken by one publish.

Run with ``python -m benchmarks.held_polls``. The clients are spread over processes, since a process may open some
twenty thousand files, and over source addresses. Counted are the clients that wait, and those that were answered.
"""

from __future__ import annotations

import argparse
import math
import resource
import tempfile
import time
from pathlib import Path

from benchmarks.environment import print_environment
from benchmarks.herds import StalledError, herd
from benchmarks.node import APP, Node, node
from benchmarks.processes import resident_bytes, with_children

REACH = {1: 15_000, 2: 30_000}
_PER_PROCESS = 7_500
_DEADLINE_S = 180.0


def main(*, quick: bool = False) -> None:
    """Holds and wakes, and prints how many did both."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    print(f"held polls, then one publish; a process may open {files if files > 0 else 'any number of'} files")
    for workers, clients in REACH.items():
        if quick and workers > 1:
            print(f"  {clients:>6,} in {workers} workers: not in a quick run")
            continue
        with tempfile.TemporaryDirectory() as folder, node(Path(folder), workers=workers) as server:
            _hold(server, workers, clients)


def _hold(server: Node, workers: int, clients: int) -> None:
    processes = math.ceil(clients / _PER_PROCESS)
    began = time.monotonic()
    with herd(server.port, clients, "poll", APP, processes=processes) as crowd:
        try:
            gathered_s = crowd.attached(_DEADLINE_S) - began
            mib = [resident_bytes([pid]) / 2**20 for pid in with_children(server.pid)]
            sent = time.monotonic()
            last_s = max(crowd.round(server.publish("all"), _DEADLINE_S)) - sent
            end = crowd.end()
        except StalledError as error:
            print(f"  {clients:>6,} in {workers} worker(s)   MISSED: {error}")
            return
    print(
        f"  {clients:>6,} in {workers} worker(s)   gathered in {gathered_s:.1f} s, all answered {last_s:.2f} s after "
        f"the publish was sent; troubles {dict(end.troubles) or 'none'}; largest process {max(mib):.0f} MiB   reached"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one worker only")
    quick = parser.parse_args().quick
    print_environment()
    main(quick=quick)
