"""Serialises the processes that share a backup folder, for as long as one small file takes to write."""

from __future__ import annotations

import fcntl
import time

ATTEMPTS = 500
PAUSE_SECONDS = 0.002
"""Short, for no queue is kept: who looks seldom never finds a lock free that others take one after another."""


class brief_lock:  # noqa: N801 - used like a function; contextlib would cost import time
    """Holds an exclusive lock on an open folder, or goes on without it after about a second.

    The rename alone keeps files whole. The lock only stops an older copy from replacing a newer one at the
    same instant, so a file system without locks, or a stopped process that holds one, must not cost more.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._held = False

    def __enter__(self) -> None:
        for _ in range(ATTEMPTS):
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(PAUSE_SECONDS)
            except OSError:
                return
            else:
                self._held = True
                return

    def __exit__(self, *_: object) -> None:
        if self._held:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
