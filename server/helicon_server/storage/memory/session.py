"""One open memory transaction."""

from __future__ import annotations

from typing import NoReturn

from helicon_server.domain.errors import Conflict

from .state import State


class Session:
    """The tables of a transaction. After its first error nothing more can be done with it, as on PostgreSQL."""

    __slots__ = ("_state", "appended", "failure")

    def __init__(self, state: State) -> None:
        self._state = state
        self.appended = False
        self.failure: Conflict | None = None

    @property
    def state(self) -> State:
        if self.failure is not None:
            raise self.failure
        return self._state

    def refuse(self, code: str, message: str) -> NoReturn:
        self.failure = Conflict(message, code=code)
        raise self.failure
