"""Several nodes on one PostgreSQL database: LISTEN on a connection of our own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
import structlog

from .contract import Bus
from .hints import Hints

log = structlog.get_logger("helicon.bus")

CHANNEL = "helicon_messages"  # ``storage.sql`` notifies here, in the transaction that appends
CONNECT_TIMEOUT_S = 5.0
PING_INTERVAL_S = 30.0  # a connection that a firewall dropped says nothing; only a question finds out
PING_TIMEOUT_S = 5.0
BACKOFF_FIRST_S = 0.2
BACKOFF_CEILING_S = 10.0
CLOSE_TIMEOUT_S = 0.5

_FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class PostgresBus:
    """Hints on every notice and after every connect: what was said while nobody listened is lost."""

    def __init__(self, url: str) -> None:
        """Takes the same URL as the storage; raises ValueError, without the URL, for one that names no server."""
        self._arguments = _connect_arguments(url)
        self._hints = Hints()
        self._task: asyncio.Task[None] | None = None

    async def start(self, on_hint: Callable[[], None]) -> None:
        self._hints.open(on_hint)
        self._task = asyncio.create_task(self._listen_for_ever(), name="helicon-bus-postgres")

    def hint(self) -> None:
        self._hints.give()

    async def stop(self) -> None:
        self._hints.close()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _listen_for_ever(self) -> None:
        attempt = 0
        while True:
            connected = False
            try:
                connection = await asyncpg.connect(**self._arguments)
                try:
                    lost = asyncio.Event()
                    connection.add_termination_listener(lambda _, lost=lost: lost.set())
                    await connection.add_listener(CHANNEL, lambda *_: self._hints.give())
                    connected = True
                    log.info("bus.connected", kind="postgres")
                    self._hints.give()
                    while not await _set_within(lost, PING_INTERVAL_S):
                        await connection.execute("SELECT 1", timeout=PING_TIMEOUT_S)
                        attempt = 0  # only now: a server that takes connections and drops them is not well
                    reason = "closed by the server"
                finally:
                    await _close(connection)
            except _FAILURES as error:
                reason = getattr(error, "sqlstate", None) or type(error).__name__
            if connected or attempt == 0:
                log.warning("bus.lost", kind="postgres", reason=reason)
            attempt += 1
            ceiling_s = min(BACKOFF_CEILING_S, BACKOFF_FIRST_S * 2.0 ** min(attempt, 10))
            # Full jitter: after a failover the nodes come back spread out, not together.
            await asyncio.sleep(random.uniform(0, ceiling_s))  # noqa: S311 - not a secret


async def _set_within(event: asyncio.Event, timeout_s: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), timeout_s)
    except TimeoutError:
        return False
    return True


async def _close(connection: asyncpg.Connection[Any]) -> None:
    try:
        await connection.close(timeout=CLOSE_TIMEOUT_S)
    except (*_FAILURES, asyncio.CancelledError):
        connection.terminate()


def _connect_arguments(url: str) -> dict[str, Any]:
    """asyncpg's arguments of an SQLAlchemy URL; parsed here, because asyncpg's complaints repeat parts of it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts = None
    if parts is None or parts.scheme != "postgresql+asyncpg":
        raise ValueError("the URL must begin with postgresql+asyncpg:// and name a host, a port and a database")
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    return {
        "host": query.get("host") or parts.hostname,
        "port": port,
        "user": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "database": unquote(parts.path.lstrip("/")) or None,
        "ssl": query.get("ssl") or query.get("sslmode"),
        "timeout": CONNECT_TIMEOUT_S,
        "command_timeout": PING_TIMEOUT_S,
        "server_settings": {"application_name": "helicon-bus"},
    }


if TYPE_CHECKING:

    def _keeps_the_contract(bus: PostgresBus) -> Bus:
        return bus
