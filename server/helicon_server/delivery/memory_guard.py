"""Sees that memory runs short before the kernel does.

The kernel ends a process without a word; clients that are told 503 go elsewhere. Near a limit the node holds no more
polls than it did when memory became short, and fewer when it goes on growing; reads go on. Memory that was freed comes
back to the process but not always to the machine, so the number is a ceiling and not a ban: whoever leaves makes room.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from helicon_server.delivery.hub import WatchHub
    from helicon_server.delivery.store import ReleaseStore

_SHORT: Final = 0.90  # of a limit
_WELL: Final = 0.85
_KEPT_POLLS: Final = 0.9  # of those held when memory became short
_KEPT_CONTENT: Final = 0.5
_UNLIMITED: Final = 1 << 50  # bytes; version 1 of control groups writes a number near 2**63 for "none"

_log = structlog.get_logger("helicon.delivery")


@dataclass(frozen=True, slots=True)
class Memory:
    """What is taken of one limit, in bytes."""

    name: str
    used: int
    limit: int

    @property
    def share(self) -> float:
        """1.0 is all of it."""
        return self.used / self.limit


class MemoryGuard:
    """Lowers the ceiling of the hub and the budget of the store while memory is short."""

    def __init__(self, hub: WatchHub, store: ReleaseStore, read: Callable[[], Sequence[Memory]]) -> None:
        self.short = False
        self._hub = hub
        self._store = store
        self._read = read
        self._budget = store.budget_bytes
        self._worst = 0.0

    def look(self) -> None:
        """Reads how much is taken; to be called about once a second, and after some mebibytes of new polls."""
        fullest = max(self._read(), key=lambda each: each.share, default=None)
        if fullest is None:
            return
        share = fullest.share
        if share >= _SHORT and (not self.short or share > self._worst):
            self._worst = share
            self._shed(fullest)
        elif self.short and share < _WELL:
            self.short = False
            self._worst = 0.0
            self._hub.ceiling = self._hub.ceiling_bytes = None
            self._store.resize(self._budget)
            _log.info("delivery.memory_well", limit=fullest.name, used_mb=fullest.used >> 20)

    def _shed(self, memory: Memory) -> None:
        held, ceiling = len(self._hub), self._hub.ceiling
        # Growth while few are held is not theirs: a node that lost its clients must not refuse them for ever.
        if ceiling is None or held >= ceiling * _KEPT_POLLS:
            self._hub.ceiling = int(held * _KEPT_POLLS)
            # Few large polls must not take the places of many small ones.
            self._hub.ceiling_bytes = int(self._hub.taken_bytes * _KEPT_POLLS)
        self._store.resize(int(self._budget * _KEPT_CONTENT))
        if not self.short:
            self.short = True
            _log.warning(
                "delivery.memory_short",
                limit=memory.name,
                used_mb=memory.used >> 20,
                limit_mb=memory.limit >> 20,
                held_polls=held,
            )


class ProcessMemory:
    """Reads what this process takes, and the limits that it has. What the machine does not tell is left out."""

    def __init__(
        self, own_limit_bytes: int | None, proc: Path = Path("/proc/self"), groups: Path | None = None
    ) -> None:
        self.own_limit_bytes = own_limit_bytes
        self._proc = proc
        self._page = os.sysconf("SC_PAGE_SIZE")
        self._group = _Group.find(proc, groups or Path("/sys/fs/cgroup"))
        address_space = resource.getrlimit(resource.RLIMIT_AS)[0]
        self._address_space = None if address_space == resource.RLIM_INFINITY else address_space

    def sizes(self) -> tuple[int, int]:
        """Address space and resident memory in bytes; zeros where the machine does not tell."""
        try:
            pages = (self._proc / "statm").read_text().split()
            return int(pages[0]) * self._page, int(pages[1]) * self._page
        except (OSError, ValueError, IndexError):
            return 0, 0

    def __call__(self) -> Sequence[Memory]:
        """Every limit that there is, with what is taken of it."""
        address_space, resident = self.sizes()
        found = []
        if self.own_limit_bytes:
            found.append(Memory("setting", resident, self.own_limit_bytes))
        if self._address_space:
            found.append(Memory("address_space", address_space, self._address_space))
        if self._group is not None and (of_group := self._group.read()) is not None:
            found.append(of_group)
        return found


@dataclass(frozen=True, slots=True)
class _Group:
    """The files of the control group that limits this process most tightly, of version 2 or 1."""

    limit: int
    used: Path
    statistics: Path

    @classmethod
    def find(cls, proc: Path, groups: Path) -> _Group | None:
        """Looks from the process's own group upwards; a container often sees its own group as the root."""
        try:
            lines = (proc / "cgroup").read_text().splitlines()
        except OSError:
            return None
        found = []
        for line in lines:
            _, controllers, path = line.split(":", 2)
            if not controllers:
                base, limit, used = groups, "memory.max", "memory.current"
            elif "memory" in controllers.split(","):
                base, limit, used = groups / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            else:
                continue
            own = base / path.strip("/")
            for folder in (own, *own.parents):
                if (bytes_ := _number(folder / limit)) is not None and bytes_ < _UNLIMITED:
                    found.append(cls(bytes_, folder / used, folder / "memory.stat"))
                if folder == base:
                    break
        return min(found, key=lambda each: each.limit, default=None)

    def read(self) -> Memory | None:
        """What all processes of the group take, less the pages of files that the kernel can drop."""
        used = _number(self.used)
        if used is None:
            return None
        return Memory("control_group", max(0, used - self._droppable()), self.limit)

    def _droppable(self) -> int:
        try:
            for line in self.statistics.read_text().splitlines():
                name, _, value = line.partition(" ")
                if name in ("inactive_file", "total_inactive_file"):
                    return int(value)
        except (OSError, ValueError):
            pass
        return 0


def _number(file: Path) -> int | None:
    """The number in a file; None for "max", for rubbish, and where there is no file."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None
