"""Tables of the config group. Every one names its environment: several may share a database.

``*_folded`` columns hold the form under which two names are the same; unique constraints stand on them. Ids come from
sequences that never give a number twice (AUTOINCREMENT on SQLite), also after rows were deleted.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, false

from helicon_server.domain.formats import Format
from helicon_server.domain.model import ItemType, MessageKind, Operation

from .types import Content, Document, Identifier, Instant, Name, Word, metadata

environments = Table(
    "environments",
    metadata,
    Column("name", Name, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    # Defaults of the database stand where a node of an earlier version, which knows no such column, writes rows too.
    Column("incremental", Boolean, nullable=False, server_default=false()),
)

clusters = Table(
    "clusters",
    metadata,
    Column("environment", Name, primary_key=True),
    Column("app", Name, primary_key=True),
    Column("name", Name, primary_key=True),
    Column("name_folded", Name, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    UniqueConstraint("environment", "app", "name_folded"),
)

definitions = Table(
    "definitions",
    metadata,
    Column("environment", Name, primary_key=True),
    Column("app", Name, primary_key=True),
    Column("name_folded", Name, primary_key=True),
    Column("name", Name, nullable=False),
    Column("format", Word(Format), nullable=False),
    Column("public", Boolean, nullable=False),
    Column("comment", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
)

Index(
    "definitions_public_name_key",
    definitions.c.environment,
    definitions.c.name_folded,
    unique=True,
    sqlite_where=definitions.c.public.is_(True),
    postgresql_where=definitions.c.public.is_(True),
)

namespaces = Table(
    "namespaces",
    metadata,
    Column("id", Identifier, primary_key=True, autoincrement=True),
    Column("environment", Name, nullable=False),
    Column("app", Name, nullable=False),
    Column("cluster", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("name_folded", Name, nullable=False),
    Column("format", Word(Format), nullable=False),
    Column("revision", Integer, nullable=False),
    # Not a foreign key: it would be a circle, and a release is written before the namespace points to it.
    Column("release_id", Identifier),
    Column("released_revision", Integer),
    Column("message_id", Identifier),
    Column("updated_at", Instant, nullable=False),
    Column("updated_by", Text, nullable=False),
    Column("inherits", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("environment", "app", "cluster", "name_folded"),
    sqlite_autoincrement=True,
)

items = Table(
    "items",
    metadata,
    Column("id", Identifier, primary_key=True, autoincrement=True),
    Column("namespace_id", Identifier, ForeignKey("namespaces.id"), nullable=False),
    Column("position", Identifier, nullable=False),
    Column("key", Name),
    Column("key_folded", Name),
    Column("type", Word(ItemType), nullable=False),
    Column("comment", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("updated_by", Text, nullable=False),
    Column("raw", Text),
    Column("value", Text, nullable=False),
    # Comment and blank lines have no key; nulls do not collide.
    UniqueConstraint("namespace_id", "key_folded"),
    Index(None, "namespace_id", "position"),
    sqlite_autoincrement=True,
)

releases = Table(
    "releases",
    metadata,
    Column("id", Identifier, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False),
    Column("environment", Name, nullable=False),
    Column("app", Name, nullable=False),
    Column("cluster", Name, nullable=False),
    Column("namespace", Name, nullable=False),
    Column("namespace_id", Identifier, ForeignKey("namespaces.id"), nullable=False),
    Column("operation", Word(Operation), nullable=False),
    Column("title", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("previous_id", Identifier),
    Column("source_id", Identifier),
    Column("draft_revision", Integer, nullable=False),
    Column("content_sha256", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    # Last on purpose: SQLite reads the columns before it without touching the overflow pages of a large content.
    Column("configurations", Content, nullable=False),
    Index(None, "namespace_id", "id"),
    Index(None, "key"),
    sqlite_autoincrement=True,
)

messages = Table(
    "messages",
    metadata,
    Column("id", Identifier, primary_key=True, autoincrement=True),
    Column("kind", Word(MessageKind), nullable=False),
    Column("environment", Name, nullable=False),
    Column("app", Name, nullable=False),
    Column("cluster", Name, nullable=False),
    Column("namespace", Name, nullable=False),
    Column("created_at", Instant, nullable=False),
    sqlite_autoincrement=True,
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("environment", Name, primary_key=True),
    Column("actor", Name, primary_key=True),
    Column("key", Name, primary_key=True),
    Column("request_sha256", Text, nullable=False),
    Column("created_at", Instant, nullable=False, index=True),
    Column("answer", Document, nullable=False),
)
