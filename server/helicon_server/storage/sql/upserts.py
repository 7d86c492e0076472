"""INSERT ... ON CONFLICT DO UPDATE, which both databases have and SQLAlchemy writes for each by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.base import ReadOnlyColumnCollection

New = ReadOnlyColumnCollection[str, Any]  # the columns of the row that was to be inserted


def upsert(
    table: Table,
    change: Callable[[New], Mapping[str, ColumnElement[Any]]],
    *,
    where: Callable[[New], ColumnElement[bool]],
) -> Mapping[str, Executable]:
    """Statements by the name of the dialect: they insert a row, or ``change`` the one of the same primary key.

    The stored row stays as it is unless ``where`` holds.
    """
    key = [column.name for column in table.primary_key.columns]
    for_sqlite = sqlite.insert(table)
    for_postgres = postgresql.insert(table)
    return {
        "sqlite": for_sqlite.on_conflict_do_update(
            index_elements=key, set_=dict(change(for_sqlite.excluded)), where=where(for_sqlite.excluded)
        ),
        "postgresql": for_postgres.on_conflict_do_update(
            index_elements=key, set_=dict(change(for_postgres.excluded)), where=where(for_postgres.excluded)
        ),
    }
