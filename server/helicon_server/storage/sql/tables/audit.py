"""The audit table, in the database of what its rows record (so that one transaction holds both)."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table, Text

from .types import Document, Identifier, Instant, Name, metadata

audit = Table(
    "audit",
    metadata,
    Column("id", Identifier, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("environment", Name, nullable=False),
    Column("app", Name, nullable=False),
    Column("cluster", Name, nullable=False),
    Column("namespace", Name, nullable=False),
    Column("detail", Document, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("peer", Text, nullable=False),
    Index(None, "environment", "id"),
    sqlite_autoincrement=True,
)
