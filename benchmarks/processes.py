"""What processes cost, read from /proc: processor time and resident memory. Linux only."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def with_children(pid: int) -> list[int]:
    """A process and all that it started, such as the workers of a server."""
    found = [pid]
    for each in found:
        for task in Path(f"/proc/{each}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def processor_s(pids: Iterable[int]) -> float:
    """Seconds of processor time that the processes have used together, in user and kernel mode."""
    return sum(_processor_s(pid) for pid in pids)


def resident_bytes(pids: Iterable[int]) -> int:
    """Resident memory of the processes together; a page that they share counts in each."""
    return sum(_resident_bytes(pid) for pid in pids)


def machine_busy_s() -> float:
    """Seconds of processor time that the whole machine has used for anything but idling, all cores together."""
    user, nice, system, _idle, _wait, irq, soft_irq, steal = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + soft_irq + steal) / _TICKS_PER_S


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc tells no resident memory")
