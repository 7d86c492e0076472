"""What a database says about its own schema, in a form that two databases can be compared by."""

from __future__ import annotations

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from helicon_migrations.revisions import VERSION_TABLE
from helicon_server.storage.sql.tables import metadata

# The databases' own words: collations, partial indexes and the like escape the inspector.
_SQLITE = f"SELECT type, name, tbl_name, sql FROM sqlite_master WHERE tbl_name <> '{VERSION_TABLE}' ORDER BY 1, 2"
_POSTGRES = f"""
SELECT 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), coalesce(o.collname, ''),
       a.attnotnull::text, coalesce(pg_get_expr(d.adbin, d.adrelid), ''), a.attidentity::text
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_collation o ON o.oid = a.attcollation LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE n.nspname = 'public' AND c.relkind = 'r' AND a.attnum > 0 AND c.relname <> '{VERSION_TABLE}'
UNION ALL
SELECT 'constraint', c.relname, k.conname, pg_get_constraintdef(k.oid), '', '', '', ''
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'public' AND c.relname <> '{VERSION_TABLE}'
UNION ALL
SELECT 'index', tablename, indexname, indexdef, '', '', '', ''
  FROM pg_indexes WHERE schemaname = 'public' AND tablename <> '{VERSION_TABLE}'
ORDER BY 1, 2, 3
"""


async def on(url: str, work: Any) -> Any:
    """Runs ``work`` with a plain connection to either kind of database and commits."""
    if url.startswith("sqlite"):
        engine = create_engine(url.replace("+aiosqlite", ""), poolclass=NullPool)
        with engine.begin() as connection:
            return work(connection)
    async_engine = create_async_engine(url, poolclass=NullPool)
    async with async_engine.begin() as async_connection:
        return await async_connection.run_sync(work)


def make_all(connection: Connection) -> None:
    """Makes the tables as the application defines them."""
    metadata.create_all(connection)


def differences(connection: Connection) -> list[Any]:
    """What Alembic would change to get from the database to the application's tables."""
    options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def catalogue(connection: Connection) -> list[tuple[Any, ...]]:
    """The schema in the database's own words."""
    query = _SQLITE if connection.dialect.name == "sqlite" else _POSTGRES
    rows = [tuple(row) for row in connection.execute(text(query))]
    return [tuple(_parts(cell) for cell in row) for row in rows]


def reflected(connection: Connection) -> dict[str, Any]:
    """The schema as SQLAlchemy's inspector reads it."""
    inspector = inspect(connection)
    return {
        table: {
            "columns": [{**column, "type": repr(column["type"])} for column in inspector.get_columns(table)],
            "primary key": inspector.get_pk_constraint(table),
            "unique": sorted(inspector.get_unique_constraints(table), key=str),
            "indexes": sorted(map(_index, inspector.get_indexes(table))),
            "foreign keys": inspector.get_foreign_keys(table),
        }
        for table in inspector.get_table_names()
        if table != VERSION_TABLE
    }


def _index(index: Any) -> str:
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return str({**index, "dialect_options": options})


def _parts(cell: Any) -> Any:
    """A CREATE TABLE as its columns and constraints, sorted.

    Their order and the line breaks between them say nothing: a column that came later stands behind the constraints.
    """
    if not isinstance(cell, str) or not cell.startswith("CREATE TABLE"):
        return cell
    head, _, body = " ".join(cell.split()).partition("(")
    parts, depth = [""], 0
    for character in body.rpartition(")")[0]:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return head.strip(), *sorted(part.strip() for part in parts)
