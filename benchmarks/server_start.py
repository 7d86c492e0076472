"""What a node costs before anybody asks it: from exec to ready on an existing embedded database, and idle memory.

Run with ``python -m benchmarks.server_start``. Linux only: memory is read from /proc. RSS counts what is resident;
PSS counts a page that other processes have too, such as the interpreter's, only by its share.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.environment import print_environment

from tests.support.server import Servers

REACH_READY_S = 2.0
REACH_MIB = 130.0
SETTLE_S = 3.0


def main(*, quick: bool = False) -> None:
    """Measures and prints both medians beside their marks."""
    ready: list[float] = []
    resident: list[float] = []
    proportional: list[float] = []
    with tempfile.TemporaryDirectory() as folder, closing(Servers(Path(folder))) as servers:
        server = servers.start("--demo")  # makes the database, with an app and a release in it
        for _ in range(3 if quick else 9):
            server.stop()
            began = time.monotonic()
            server.start()
            ready.append(time.monotonic() - began)
            time.sleep(SETTLE_S)
            resident.append(_mib(server.pid, "Rss"))
            proportional.append(_mib(server.pid, "Pss"))
    seconds, mib = statistics.median(ready), statistics.median(resident)
    _print("exec -> /health/ready", f"{seconds:.2f} s", f"{REACH_READY_S:.0f} s", seconds <= REACH_READY_S)
    pss = statistics.median(proportional)
    print(f"  {len(ready)} starts, {min(ready):.2f} to {max(ready):.2f} s; PSS {pss:.0f} MiB")
    _print("resident memory, idle, one worker", f"{mib:.0f} MiB", f"{REACH_MIB:.0f} MB", _megabytes(mib) <= REACH_MIB)


def _megabytes(mib: float) -> float:
    return mib * 1.048576


def _print(what: str, measured: str, reach: str, reached: bool) -> None:
    print(f"  {what:<36}{measured:>10}   reach {reach}   {'reached' if reached else 'MISSED'}")


def _mib(pid: int, field: str) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc tells no {field}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    quick = parser.parse_args().quick
    print_environment()
    main(quick=quick)
