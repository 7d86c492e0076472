"""A poll that the fast shell holds: what the connection, uvicorn and the hub each need to know of it."""

from __future__ import annotations

from typing import ClassVar, Protocol

from helicon_server.delivery.hub import Waiter
from helicon_server.delivery.outcomes import Answer


class _NobodyWaits:
    """The event of a task that does not exist."""

    __slots__ = ()

    def set(self) -> None:
        """Wakes nobody."""


class Holder(Protocol):
    """The connection that asked."""

    def answer_held(self, held: HeldPoll, answer: Answer) -> None:
        """Called once, by the hub."""


class HeldPoll:
    """Stands in the place of uvicorn's cycle, so that later requests of the connection queue up behind it."""

    __slots__ = ("_holder", "disconnected", "head_only", "keep_alive", "response_complete", "waiter")
    message_event: ClassVar = _NobodyWaits()  # set by uvicorn when the client goes away

    def __init__(self, holder: Holder, head_only: bool, keep_alive: bool) -> None:
        self._holder = holder
        self.disconnected = False
        self.head_only = head_only
        self.keep_alive = keep_alive  # uvicorn clears it when the server stops
        self.response_complete = False
        self.waiter: Waiter | None = None

    def abandon(self) -> None:
        """Forgets the poll without an answer; its client went away."""
        waiter, self.waiter = self.waiter, None
        if waiter is not None:
            waiter.release()

    def wake(self, answer: Answer) -> None:
        """Hands over the answer."""
        self.response_complete = True
        self.waiter = None  # it knows us; two that know each other wait for the collector
        self._holder.answer_held(self, answer)
