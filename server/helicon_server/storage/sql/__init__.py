"""Storage in SQLite and PostgreSQL, on SQLAlchemy Core."""

from __future__ import annotations

from .engine import SqlDatabase, open_database

__all__ = ["SqlDatabase", "open_database"]
