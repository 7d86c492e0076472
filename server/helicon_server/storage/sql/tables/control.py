"""Tables of the control group: apps and those who may manage them."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table, Text, UniqueConstraint

from helicon_server.domain.actors import Right

from .types import Identifier, Instant, Name, Words, metadata

apps = Table(
    "apps",
    metadata,
    Column("app_id", Name, primary_key=True),
    Column("app_id_folded", Name, nullable=False),
    Column("name", Text, nullable=False),
    Column("department", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    UniqueConstraint("app_id_folded"),
)

users = Table(
    "users",
    metadata,
    Column("name", Name, primary_key=True),
    Column("name_folded", Name, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("rights", Words(Right), nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("name_folded"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Identifier, primary_key=True, autoincrement=True),
    Column("name", Name, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("rights", Words(Right), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    UniqueConstraint("sha256"),
    sqlite_autoincrement=True,
)

# A revoked token gives its name free.
_unrevoked = tokens.c.revoked_at.is_(None)
Index("tokens_live_name_key", tokens.c.name, unique=True, sqlite_where=_unrevoked, postgresql_where=_unrevoked)
