"""Waiting for a condition with a deadline: what tests do instead of sleeping for luck."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

POLL_INTERVAL_S = 0.02


class DeadlinePassedError(AssertionError):
    """The condition did not become true in time; the message says which one."""


def wait_until(condition: Callable[[], T], deadline_s: float, what: str) -> T:
    """Calls `condition` until it answers something truthy and returns that answer.

    Raises DeadlinePassedError, naming `what`, after `deadline_s` seconds. An exception of the condition
    is the caller's fault and passes through.
    """
    end = time.monotonic() + deadline_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() >= end:
            raise DeadlinePassedError(f"after {deadline_s} s there is still no {what}; last answer: {answer!r}")
        time.sleep(POLL_INTERVAL_S)


@overload
async def wait_until_async(condition: Callable[[], Awaitable[T]], deadline_s: float, what: str) -> T: ...
@overload
async def wait_until_async(condition: Callable[[], T], deadline_s: float, what: str) -> T: ...
async def wait_until_async(condition: Callable[[], Any], deadline_s: float, what: str) -> Any:
    """Is `wait_until` for a running event loop; the condition may be a plain or an async function."""
    end = time.monotonic() + deadline_s
    while True:
        result = condition()
        answer = await result if inspect.isawaitable(result) else result
        if answer:
            return answer
        if time.monotonic() >= end:
            raise DeadlinePassedError(f"after {deadline_s} s there is still no {what}; last answer: {answer!r}")
        await asyncio.sleep(POLL_INTERVAL_S)
