"""What a held v2 poll of one namespace takes of the server's memory.

Run with ``python -m benchmarks.poll_memory``. The difference of the resident memory of one worker before thousands of
clients come and while their polls are held, for each of them. The kernel's memory of a connection is not in it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.environment import print_environment
from benchmarks.herds import herd
from benchmarks.node import APP, node
from benchmarks.processes import resident_bytes

REACH_KIB = 7.0
_SETTLE_S = 2.0
_DEADLINE_S = 60.0


def main(*, quick: bool = False) -> None:
    """Measures and prints KiB for each poll."""
    clients = 2_000 if quick else 5_000
    with tempfile.TemporaryDirectory() as folder, node(Path(folder)) as server:
        with herd(server.port, 100, "poll", APP) as first:  # what the first poll of all needs is not theirs
            first.attached(_DEADLINE_S)
        time.sleep(_SETTLE_S)
        before = resident_bytes([server.pid])
        with herd(server.port, clients, "poll", APP) as many:
            many.attached(_DEADLINE_S)
            time.sleep(_SETTLE_S)
            kib = (resident_bytes([server.pid]) - before) / clients / 1024
    print(f"held polls of one namespace, {clients:,} in one worker that takes {before / 2**20:.0f} MiB without them")
    print(f"  {kib:.1f} KiB each   reach {REACH_KIB:g} KiB   {'reached' if kib <= REACH_KIB else 'MISSED'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer clients")
    quick = parser.parse_args().quick
    print_environment()
    main(quick=quick)
