"""A poll that the fast shell holds: what the connection, uvicorn and the hub each need to know of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from helicon_server.delivery.hub import Waiter
from helicon_server.delivery.outcomes import Answer


class _NobodyWaits:
    """The event of a task that does not exist."""

    __slots__ = ()

    def set(self) -> None:
        """Wakes nobody."""


class HeldPoll:
    """Stands in the place of uvicorn's cycle, so that later requests of the connection queue up behind it.

    ``answered`` is called once, with this and the answer, by the hub.
    """

    __slots__ = ("_answered", "disconnected", "head_only", "keep_alive", "response_complete", "waiter")
    message_event: ClassVar = _NobodyWaits()  # set by uvicorn when the client goes away

    def __init__(self, answered: Callable[[HeldPoll, Answer], None], head_only: bool, keep_alive: bool) -> None:
        self._answered = answered
        self.disconnected = False
        self.head_only = head_only
        self.keep_alive = keep_alive  # uvicorn clears it when the server stops
        self.response_complete = False
        self.waiter: Waiter | None = None

    def wake(self, answer: Answer) -> None:
        """Hands over the answer."""
        self.response_complete = True
        self._answered(self, answer)
