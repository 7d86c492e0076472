"""A transaction as a context manager: commits at the end of its block, rolls back when the block raises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from helicon_server.domain.errors import Unavailable

from .dialects import Dialect
from .errors import translate
from .session import Session
from .uncancelled import to_the_end

Nouns = TypeVar("Nouns", covariant=True)


class Transaction(Generic[Nouns]):
    """Enter it once. ``nouns`` builds what the block works with."""

    __slots__ = ("_commits", "_dialect", "_engine", "_nouns", "_on_messages", "_session")

    def __init__(
        self,
        engine: AsyncEngine,
        dialect: Dialect,
        nouns: Callable[[Session], Nouns],
        *,
        commits: bool,
        on_messages: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._dialect = dialect
        self._nouns = nouns
        self._commits = commits
        self._on_messages = on_messages
        self._session: Session | None = None

    async def __aenter__(self) -> Nouns:
        try:
            await to_the_end(self._begin())
        except asyncio.CancelledError:
            if self._session is not None:  # it began, and nobody will leave it
                await to_the_end(_let_go(self._session.connection, broken=False))
            raise
        assert self._session is not None
        return self._nouns(self._session)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await to_the_end(self._finish(self._session, error))

    async def _begin(self) -> None:
        connection: AsyncConnection | None = None
        try:
            connection = await self._engine.connect()
            await connection.begin()
        except Exception as error:
            if connection is not None:
                await _let_go(connection, broken=True)
            raised = translate(error, self._dialect)
            if raised is error:
                raise
            raise raised from raised.__cause__
        self._session = Session(connection, self._dialect)

    async def _finish(self, session: Session, error: BaseException | None) -> None:
        if error is not None or session.failure is not None or not self._commits:
            # A block that swallowed an error must not believe that it wrote: PostgreSQL answers COMMIT with ROLLBACK.
            await _let_go(session.connection, broken=session.broken)
            if error is None and session.failure is not None:
                raise session.failure
            return
        failure: Exception | None = None
        try:
            await session.connection.commit()
        except Exception as raised:  # noqa: BLE001 - classified like every other one
            failure = translate(raised, self._dialect)
        if failure is not None:
            await _let_go(session.connection, broken=True)
            if isinstance(failure, Unavailable):
                failure.details = {**failure.details, "phase": "commit"}
            raise failure
        await _let_go(session.connection, broken=False)
        if session.appended:
            self._on_messages()


async def _let_go(connection: AsyncConnection, *, broken: bool) -> None:
    """Rolls back what is open and gives the connection back to its pool; raises nothing.

    A broken one is dropped instead: the server, or the file's rollback, forgets the transaction with it.
    """
    try:
        if broken:
            await connection.invalidate()
        await connection.close()
    except Exception:  # noqa: BLE001 - the block's own error, or its commit, is what counts
        await _drop(connection)


async def _drop(connection: AsyncConnection) -> None:
    try:
        await connection.invalidate()
        await connection.close()
    except Exception:  # noqa: BLE001, S110 - it is gone already
        pass
