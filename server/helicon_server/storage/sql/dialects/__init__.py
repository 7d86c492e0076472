"""What differs between the databases: how to connect, what their errors mean, how notices are sent."""

from __future__ import annotations

from .contract import Dialect, Engines, Trouble
from .postgres import PostgresDialect
from .sqlite import SqliteDialect

__all__ = ["Dialect", "Engines", "PostgresDialect", "SqliteDialect", "Trouble", "dialect_of"]


def dialect_of(url: str) -> Dialect:
    """Returns the dialect that an address names; raises ValueError, without the address, for another one."""
    scheme = url.partition(":")[0]
    if scheme == "sqlite+aiosqlite":
        return SqliteDialect()
    if scheme == "postgresql+asyncpg":
        return PostgresDialect()
    raise ValueError("a database URL must begin with sqlite+aiosqlite:/// or postgresql+asyncpg://")
