"""What the kernel knows of a node's processes."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def workers_of(pid: int) -> list[int]:
    """The pids of the worker processes of a node, oldest first; helpers of the interpreter are none."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"spawn_main" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return sorted(found)


def sockets_of(pid: int) -> int:
    """How many sockets a process holds open."""
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            links.append(str(entry.readlink()))
    return sum(link.startswith("socket:") for link in links)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill(pid: int) -> None:
    """Ends one process as a crash would."""
    os.kill(pid, signal.SIGKILL)
