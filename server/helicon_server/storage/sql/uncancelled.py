"""Work that a cancellation must not tear apart."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Awaits ``work`` to its end, also when the caller is cancelled meanwhile; only then lets the cancellation through.

    A driver that is cancelled in the middle of a statement has to throw its connection away, and a commit that was
    sent cannot be taken back. The timeouts of the drivers bound the wait.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError:
                continue
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not report it as lost
        raise
