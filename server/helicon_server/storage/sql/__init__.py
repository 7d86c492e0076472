"""Storage in SQLite and PostgreSQL, on SQLAlchemy Core."""

from __future__ import annotations

from .engine import SqlDatabase, open_database
from .errors import reason_of

__all__ = ["SqlDatabase", "open_database", "reason_of"]
