"""What a node costs before anybody asks it: from exec to ready on an existing embedded database, and idle memory.

Run with ``python -m benchmarks.server_start``. Linux only: memory is read from /proc.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from tests.support.server import Servers

REACH_READY_S = 2.0
REACH_MIB = 130.0
SETTLE_S = 3.0


def main(*, quick: bool = False) -> bool:
    """Measures, prints, and tells whether both marks are reached."""
    ready, memory = [], []
    with tempfile.TemporaryDirectory() as folder, closing(Servers(Path(folder))) as servers:
        server = servers.start()  # makes the database
        for _ in range(3 if quick else 9):
            server.stop()
            began = time.monotonic()
            server.start()
            ready.append(time.monotonic() - began)
            time.sleep(SETTLE_S)
            memory.append(_resident_mib(server.pid))
    seconds, mib = statistics.median(ready), statistics.median(memory)
    _print("exec -> /health/ready", f"{seconds:.2f} s", f"{REACH_READY_S:.0f} s", seconds <= REACH_READY_S)
    _print("resident memory, idle, one worker", f"{mib:.0f} MiB", f"{REACH_MIB:.0f} MB", _megabytes(mib) <= REACH_MIB)
    return seconds <= REACH_READY_S and _megabytes(mib) <= REACH_MIB


def _megabytes(mib: float) -> float:
    return mib * 1.048576


def _print(what: str, measured: str, reach: str, reached: bool) -> None:
    print(f"  {what:<36}{measured:>10}   reach {reach}   {'reached' if reached else 'MISSED'}")


def _resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc tells no VmRSS")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    sys.exit(0 if main(quick=parser.parse_args().quick) else 1)
