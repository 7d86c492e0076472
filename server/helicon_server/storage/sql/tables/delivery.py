"""Tables of what the delivery plane needs beside releases: gray branches, access keys, nodes, instances."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text, UniqueConstraint

from helicon_server.domain.access_key import AccessKeyMode

from .types import Document, Identifier, Instant, Name, Word, metadata

branches = Table(
    "branches",
    metadata,
    Column("id", Identifier, primary_key=True, autoincrement=True),
    Column("environment", Name, nullable=False),
    Column("app", Name, nullable=False),
    Column("cluster", Name, nullable=False),
    Column("namespace", Name, nullable=False),
    Column("namespace_folded", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("title", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("rules", Document, nullable=False),
    Column("changes", Document, nullable=False),  # what it lays over its namespace, and what it leaves out
    Column("live_changes", Document, nullable=False),  # the same, as its release was made of
    Column("release_id", Identifier),
    Column("revision", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("updated_by", Text, nullable=False),
    UniqueConstraint("environment", "app", "cluster", "namespace_folded", "name"),
    sqlite_autoincrement=True,
)

access_keys = Table(
    "access_keys",
    metadata,
    Column("id", Identifier, primary_key=True, autoincrement=True),
    Column("environment", Name, nullable=False),
    Column("app", Name, nullable=False),
    Column("app_folded", Name, nullable=False),
    Column("uid", Text, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("mode", Word(AccessKeyMode), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Index(None, "environment", "app_folded"),
    sqlite_autoincrement=True,
)

nodes = Table(
    "nodes",
    metadata,
    Column("id", Name, primary_key=True),
    Column("url", Text, nullable=False),
    Column("roles", Text, nullable=False),  # a blank between two
    Column("version", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("beat_at", Instant, nullable=False),
)

instances = Table(
    "instances",
    metadata,
    Column("environment", Name, primary_key=True),
    Column("app", Name, primary_key=True),
    Column("cluster", Name, primary_key=True),
    Column("data_center", Name, primary_key=True),
    Column("ip", Name, primary_key=True),
    Column("owner", Name, primary_key=True),
    Column("namespace", Name, primary_key=True),
    Column("label", Text, nullable=False),
    Column("release_cluster", Name, nullable=False),
    Column("release_key", Text, nullable=False),
    Column("delivered_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Index(None, "environment", "owner", "namespace"),
    Index(None, "seen_at"),  # to forget in chunks; a row is renewed every ten minutes at most
)
