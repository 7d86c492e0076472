"""Database URLs: to what a driver takes, and to what a person may read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import URL


def parse(url: str) -> URL:
    """Parses a URL of either kind; raises ValueError, without the URL, for any other."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the latter for a port that is no number, and repeats it
        parsed = None
    if parsed is None or parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ValueError("a database URL must begin with sqlite+aiosqlite:/// or postgresql+asyncpg://")
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ValueError("an SQLite URL must name a file")
    return parsed


def sqlite_path(url: URL) -> Path | None:
    """The file of an SQLite URL, None for PostgreSQL."""
    return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None


def asyncpg_url(url: URL) -> URL:
    """The URL for SQLAlchemy's asyncpg dialect, which knows libpq's ``sslmode`` as ``ssl``."""
    mode = url.query.get("sslmode")
    named = url.set(drivername="postgresql+asyncpg")
    return named if mode is None else named.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})


def described(url: URL) -> str:
    """What messages call the database: its kind and place, never its user or password."""
    if (path := sqlite_path(url)) is not None:
        return f"the SQLite file {path}"
    return f"PostgreSQL at {url.host or 'localhost'}:{url.port or 5432}, database {url.database}"
