"""A database in memory: both groups, one writer at a time, readers on the last committed state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from helicon_server.storage.contract import ConfigDatabase, ControlDatabase

from .config import MemoryClusters, MemoryDefinitions, MemoryEnvironments, MemoryItems, MemoryNamespaces
from .control import MemoryApps, MemoryAudit, MemoryTokens, MemoryUsers
from .delivery import MemoryAccessKeys, MemoryBranches, MemoryInstances, MemoryNodes
from .releases import MemoryIdempotency, MemoryMessages, MemoryReleases
from .session import Session
from .state import State


class MemoryTransaction:
    """Every noun. A reader gets a copy to work on, so what it writes against its type is lost."""

    def __init__(self, session: Session) -> None:
        self.apps = MemoryApps(session)
        self.users = MemoryUsers(session)
        self.tokens = MemoryTokens(session)
        self.audit = MemoryAudit(session)
        self.environments = MemoryEnvironments(session)
        self.clusters = MemoryClusters(session)
        self.definitions = MemoryDefinitions(session)
        self.namespaces = MemoryNamespaces(session)
        self.items = MemoryItems(session)
        self.releases = MemoryReleases(session)
        self.messages = MemoryMessages(session)
        self.idempotency = MemoryIdempotency(session)
        self.branches = MemoryBranches(session)
        self.access_keys = MemoryAccessKeys(session)
        self.nodes = MemoryNodes(session)
        self.instances = MemoryInstances(session)


def _nobody() -> None:
    """Hears of no messages."""


class MemoryDatabase:
    """A ControlDatabase and a ConfigDatabase that live as long as the object."""

    def __init__(self, name: str = "main", on_messages: Callable[[], None] = _nobody) -> None:
        self._name = name
        self._on_messages = on_messages
        self._committed = State()
        self._writer = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._name

    @asynccontextmanager
    async def read(self) -> AsyncIterator[MemoryTransaction]:
        yield MemoryTransaction(Session(self._committed.copy()))

    peek = read

    @asynccontextmanager
    async def write(self) -> AsyncIterator[MemoryTransaction]:
        async with self._writer:
            state = self._committed.copy()
            session = Session(state)
            yield MemoryTransaction(session)
            if session.failure is not None:
                raise session.failure
            self._committed = state
        if session.appended:
            self._on_messages()

    async def close(self) -> None:
        """Nothing to give back."""


if TYPE_CHECKING:

    def _keeps_the_contract(database: MemoryDatabase) -> tuple[ControlDatabase, ConfigDatabase]:
        return database, database
