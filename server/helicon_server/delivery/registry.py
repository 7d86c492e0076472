"""Which nodes are alive: each writes a heartbeat, and reads those of the others with the same rhythm.

The list is for discovery alone. Nothing that serves clients depends on it: while the database is away the last list
stays, and a heartbeat that fails is tried again with the next one (docs/decisions/0017-registry-of-nodes.md).
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from helicon_server.domain.errors import HeliconError
from helicon_server.domain.node import Node
from helicon_server.storage.contract import ConfigDatabase, NodeReader

ALIVE_BEATS: Final = 3  # a node that missed as many is gone
_NODES_LIMIT: Final = 500  # told to one client
_DEADLINE_S: Final = 10.0
_LEAVE_S: Final = 2.0

_log = structlog.get_logger("helicon.delivery")


class Registry:
    """The heartbeat of one node in each of its databases, and who else is alive there."""

    def __init__(self, url: str, roles: Iterable[str], version: str, *, beat_s: float) -> None:
        """``url`` is what clients reach this node under, without a trailing slash."""
        now = datetime.now(UTC)
        self.url = url
        self._node = Node(uuid.uuid4().hex, url, tuple(sorted(roles)), version, now, now)
        self._beat_s = beat_s
        self._alive: dict[str, Sequence[str]] = {}  # by database
        self._failing: set[str] = set()
        self._beaten: set[str] = set()
        self._databases: Mapping[str, ConfigDatabase] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._leaving: asyncio.Task[None] | None = None

    def others(self, database: str) -> Sequence[str]:
        """The addresses of the other nodes that serve clients from this database, each once, the oldest node first."""
        return self._alive.get(database, ())

    # --- life -------------------------------------------------------------------------------------

    def start(self, databases: Iterable[ConfigDatabase], ready: Callable[[], bool]) -> None:
        """Begins to look who is alive at once, and to beat after one interval in which the node was ready.

        A node that dies soon after each start is never told to anybody (fault A7).
        """
        self._databases = {database.name: database for database in databases}
        self._tasks = [
            asyncio.create_task(self._run(database, ready), name=f"helicon-registry-{name}")
            for name, database in self._databases.items()
        ]

    def leave(self) -> None:
        """Takes this node out of the lists, behind the call: it is going to stop. Safe to call twice."""
        if self._leaving is None and self._tasks:
            self._leaving = asyncio.create_task(self._leave(), name="helicon-registry-leave")

    async def stop(self) -> None:
        """Leaves, in bounded time. Safe to call twice and before ``start``."""
        self.leave()
        if self._leaving is not None:
            await asyncio.gather(self._leaving, return_exceptions=True)

    async def _leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(self._remove(self._databases[name]) for name in self._beaten))

    async def _remove(self, database: ConfigDatabase) -> None:
        try:
            async with asyncio.timeout(_LEAVE_S), database.write() as tx:
                await tx.nodes.remove(self._node.id)
        except (HeliconError, TimeoutError) as error:  # it is taken out after some missed heartbeats then
            _log.info("registry.leave_failed", database=database.name, error=type(error).__name__)

    # --- rounds -----------------------------------------------------------------------------------

    async def _run(self, database: ConfigDatabase, ready: Callable[[], bool]) -> None:
        beating = False  # not before the node has been ready for a whole interval
        while True:
            try:
                async with asyncio.timeout(_DEADLINE_S):
                    await (self._beat(database) if beating else self._look(database))
                self._succeeded(database.name)
            except (HeliconError, TimeoutError) as error:
                self._failed(database.name, error)
            except Exception as error:  # noqa: BLE001 - without a heartbeat the node would vanish from discovery
                _log.error("registry.failed", database=database.name, error=repr(type(error)), exc_info=True)
                self._failing.add(database.name)
            was_ready = ready()
            await asyncio.sleep(self._beat_s * random.uniform(0.95, 1.05))  # noqa: S311 - no secret; not in step
            beating = beating or (was_ready and ready())

    async def _beat(self, database: ConfigDatabase) -> None:
        async with database.write() as tx:
            await tx.nodes.beat(self._node)
            # After an outage the others have not beaten yet: the old list is the better one for one more interval.
            found = None if database.name in self._failing else await self._list(tx.nodes)
        self._beaten.add(database.name)
        if found is not None:
            self._take(database.name, found)

    async def _look(self, database: ConfigDatabase) -> None:
        async with database.read() as tx:
            found = await self._list(tx.nodes)
        self._take(database.name, found)

    async def _list(self, nodes: NodeReader) -> Sequence[Node]:
        return await nodes.list(beaten_within_s=ALIVE_BEATS * self._beat_s)

    def _take(self, database: str, nodes: Sequence[Node]) -> None:
        urls = (node.url.rstrip("/") for node in nodes if "delivery" in node.roles)
        others = tuple(dict.fromkeys(url for url in urls if url != self.url))[:_NODES_LIMIT]
        if others != self._alive.get(database, ()):
            _log.info("registry.nodes", database=database, others=len(others))
        self._alive[database] = others

    def _failed(self, database: str, error: Exception) -> None:
        if database not in self._failing:
            self._failing.add(database)
            _log.warning("registry.failed", database=database, error=type(error).__name__)

    def _succeeded(self, database: str) -> None:
        self._failing.discard(database)
