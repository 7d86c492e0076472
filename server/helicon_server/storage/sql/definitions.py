"""Namespace definitions in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, insert, select

from helicon_server.domain.model import NamespaceDefinition

from .errors import conflict
from .session import Session
from .tables import definitions

_COLUMNS = (
    definitions.c.environment,
    definitions.c.app,
    definitions.c.name,
    definitions.c.format,
    definitions.c.public,
    definitions.c.comment,
    definitions.c.created_at,
    definitions.c.created_by,
)
_ALL = select(*_COLUMNS)
_OF_APP = _ALL.where(definitions.c.environment == bindparam("environment"), definitions.c.app == bindparam("app"))
_GET = _OF_APP.where(definitions.c.name_folded == bindparam("folded"))
_LIST = _OF_APP.order_by(definitions.c.name)
_PUBLIC = _ALL.where(
    definitions.c.environment == bindparam("environment"),
    definitions.c.name_folded == bindparam("folded"),
    definitions.c.public.is_(True),
)


class SqlDefinitionReader:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, environment: str, app: str, name: str) -> NamespaceDefinition | None:
        row = await self._session.row(_GET, {"environment": environment, "app": app, "folded": name.casefold()})
        return None if row is None else NamespaceDefinition(*row)

    async def get_public(self, environment: str, name: str) -> NamespaceDefinition | None:
        row = await self._session.row(_PUBLIC, {"environment": environment, "folded": name.casefold()})
        return None if row is None else NamespaceDefinition(*row)

    async def list(self, environment: str, app: str) -> Sequence[NamespaceDefinition]:
        rows = await self._session.rows(_LIST, {"environment": environment, "app": app})
        return [NamespaceDefinition(*row) for row in rows]

    async def all(self) -> Sequence[NamespaceDefinition]:
        return [NamespaceDefinition(*row) for row in await self._session.rows(_ALL)]


class SqlDefinitionWriter(SqlDefinitionReader):
    async def insert(self, definition: NamespaceDefinition) -> None:
        # A second public definition of the same app violates both rules, and the databases would not agree on which
        # of them to name. The constraints remain for those who come at the same time.
        if await self.get(definition.environment, definition.app, definition.name) is not None:
            self._session.refuse(conflict("definitions_pk"))
        await self._session.change(
            insert(definitions),
            {
                "environment": definition.environment,
                "app": definition.app,
                "name": definition.name,
                "name_folded": definition.name.casefold(),
                "format": definition.format,
                "public": definition.public,
                "comment": definition.comment,
                "created_at": definition.created_at,
                "created_by": definition.created_by,
            },
        )
