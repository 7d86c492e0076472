"""What the noun classes work with: statements in, rows out, domain errors instead of driver errors."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncConnection

from helicon_server.domain.errors import HeliconError, Unavailable

from .dialects import Dialect
from .errors import translate
from .uncancelled import to_the_end

Parameters = Mapping[str, Any]
Record = tuple[Any, ...]  # the columns of a row in the order of the statement


class Session:
    """One open transaction. After its first error nothing more can be done with it: every call raises that error."""

    __slots__ = ("appended", "broken", "connection", "dialect", "failure")

    def __init__(self, connection: AsyncConnection, dialect: Dialect) -> None:
        self.connection = connection
        self.dialect = dialect
        self.failure: Exception | None = None
        self.broken = False  # the connection is lost, or may be
        self.appended = False  # messages; the database calls ``on_messages`` after the commit

    async def rows(self, statement: Executable, parameters: Parameters | None = None) -> Sequence[Record]:
        return (await self._execute(statement, parameters))[0]

    async def row(self, statement: Executable, parameters: Parameters | None = None) -> Record | None:
        rows = await self.rows(statement, parameters)
        return rows[0] if rows else None

    async def value(self, statement: Executable, parameters: Parameters | None = None) -> Any:
        rows = await self.rows(statement, parameters)
        return rows[0][0] if rows else None

    async def change(self, statement: Executable, parameters: Parameters | Sequence[Parameters] | None = None) -> int:
        """Runs a statement that returns no rows, for one or many sets of parameters; returns the rows touched.

        Many sets travel as one batch; the count is meaningless for them.
        """
        return (await self._execute(statement, parameters))[1]

    async def returned(self, statement: Executable, many: Sequence[Parameters]) -> Sequence[Record]:
        """Runs an INSERT ... RETURNING for many sets of parameters as one statement."""
        return (await self._execute(statement, many))[0]

    def refuse(self, failure: HeliconError) -> NoReturn:
        """Ends the transaction with an error that we found before the database did."""
        self.failure = failure
        raise failure

    async def _execute(
        self, statement: Executable, parameters: Parameters | Sequence[Parameters] | None
    ) -> tuple[Sequence[Record], int]:
        if self.failure is not None:
            raise self.failure
        failure: Exception
        try:
            result = await to_the_end(self.connection.execute(statement, parameters))
        except Exception as error:  # noqa: BLE001 - classified in one place; foreign errors come back unchanged
            failure = translate(error, self.dialect)
        except asyncio.CancelledError:
            # Should the block go on regardless: whether the statement took effect, nobody has seen.
            self.failure = Unavailable("The request was given up.", details={"reason": "cancelled"})
            raise
        else:
            return (result.all(), -1) if result.returns_rows else ((), result.rowcount)
        # Outside the handler, so that a driver error whose text holds values is not kept as the context.
        self.failure = failure
        self.broken = isinstance(failure, Unavailable)
        raise failure
