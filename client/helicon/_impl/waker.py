"""Lets one thread sleep until something is readable, a time has come, or another thread calls."""

from __future__ import annotations

import contextlib
import math
import os
import select
from typing import Protocol


class Readable(Protocol):
    """Anything with a file descriptor."""

    def fileno(self) -> int: ...


class Waker:
    """A pipe that can be waited for. Calls before the wait are not lost."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def call(self) -> None:
        """Ends the current or the next wait. May be called from any thread, also after `close`."""
        # A full pipe holds a call already; a closed one has nobody to wake.
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._write, b"!")

    def wait(self, seconds: float, readable: Readable | None = None) -> None:
        """Sleeps until the time is over, a call came or the object is readable, whichever is first."""
        # Not a selector: one of those costs four system calls more, each time and just when there is news.
        poller = select.poll()
        poller.register(self._read, select.POLLIN)
        if readable is not None:
            poller.register(readable, select.POLLIN)
        ready = poller.poll(math.ceil(max(0.0, seconds) * 1000))
        if any(descriptor == self._read for descriptor, _ in ready):
            with contextlib.suppress(BlockingIOError):
                os.read(self._read, 4096)

    def close(self) -> None:
        """Gives the descriptors back. Only the waiting thread may call it."""
        read, write, self._read, self._write = self._read, self._write, -1, -1
        if read >= 0:
            os.close(read)
            os.close(write)
