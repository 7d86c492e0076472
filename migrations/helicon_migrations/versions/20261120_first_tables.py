"""Makes the first tables: apps, people and tokens; environments, drafts, releases and messages; the audit.

Column types and names of constraints are written out: this script must do the same in years to come, whatever the
application's own definitions have become by then.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261120_first_tables"
down_revision = None
branch_labels = None
depends_on = None

# Sorted and compared by code point on both databases, whatever the locale.
NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
IDENTIFIER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    _control()
    _config()
    _drafts_and_releases()
    op.create_table(
        "audit",
        sa.Column("id", IDENTIFIER, primary_key=True, autoincrement=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("environment", NAME, nullable=False),
        sa.Column("app", NAME, nullable=False),
        sa.Column("cluster", NAME, nullable=False),
        sa.Column("namespace", NAME, nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("peer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="audit_pk"),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_environment_id_idx", "audit", ["environment", "id"])


def _control() -> None:
    op.create_table(
        "apps",
        sa.Column("app_id", NAME, nullable=False),
        sa.Column("app_id_folded", NAME, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("app_id", name="apps_pk"),
        sa.UniqueConstraint("app_id_folded", name="apps_app_id_folded_key"),
    )
    op.create_table(
        "users",
        sa.Column("name", NAME, nullable=False),
        sa.Column("name_folded", NAME, nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("rights", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="users_pk"),
        sa.UniqueConstraint("name_folded", name="users_name_folded_key"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", IDENTIFIER, primary_key=True, autoincrement=True),
        sa.Column("name", NAME, nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("rights", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("revoked_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="tokens_pk"),
        sa.UniqueConstraint("sha256", name="tokens_sha256_key"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "tokens_live_name_key",
        "tokens",
        ["name"],
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )


def _config() -> None:
    op.create_table(
        "environments",
        sa.Column("name", NAME, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="environments_pk"),
    )
    op.create_table(
        "clusters",
        sa.Column("environment", NAME, nullable=False),
        sa.Column("app", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("name_folded", NAME, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "app", "name", name="clusters_pk"),
        sa.UniqueConstraint("environment", "app", "name_folded", name="clusters_environment_app_name_folded_key"),
    )
    op.create_table(
        "definitions",
        sa.Column("environment", NAME, nullable=False),
        sa.Column("app", NAME, nullable=False),
        sa.Column("name_folded", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "app", "name_folded", name="definitions_pk"),
    )
    op.create_index(
        "definitions_public_name_key",
        "definitions",
        ["environment", "name_folded"],
        unique=True,
        sqlite_where=sa.text("public IS 1"),
        postgresql_where=sa.text("public IS true"),
    )
    op.create_table(
        "messages",
        sa.Column("id", IDENTIFIER, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("environment", NAME, nullable=False),
        sa.Column("app", NAME, nullable=False),
        sa.Column("cluster", NAME, nullable=False),
        sa.Column("namespace", NAME, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="messages_pk"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "idempotency",
        sa.Column("environment", NAME, nullable=False),
        sa.Column("actor", NAME, nullable=False),
        sa.Column("key", NAME, nullable=False),
        sa.Column("request_sha256", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "actor", "key", name="idempotency_pk"),
    )
    op.create_index("idempotency_created_at_idx", "idempotency", ["created_at"])


def _drafts_and_releases() -> None:
    op.create_table(
        "namespaces",
        sa.Column("id", IDENTIFIER, primary_key=True, autoincrement=True),
        sa.Column("environment", NAME, nullable=False),
        sa.Column("app", NAME, nullable=False),
        sa.Column("cluster", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("name_folded", NAME, nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("release_id", IDENTIFIER),
        sa.Column("released_revision", sa.Integer()),
        sa.Column("message_id", IDENTIFIER),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="namespaces_pk"),
        sa.UniqueConstraint(
            "environment", "app", "cluster", "name_folded", name="namespaces_environment_app_cluster_name_folded_key"
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "items",
        sa.Column("id", IDENTIFIER, primary_key=True, autoincrement=True),
        sa.Column("namespace_id", IDENTIFIER, nullable=False),
        sa.Column("position", IDENTIFIER, nullable=False),
        sa.Column("key", NAME),
        sa.Column("key_folded", NAME),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text()),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="items_pk"),
        sa.UniqueConstraint("namespace_id", "key_folded", name="items_namespace_id_key_folded_key"),
        sa.ForeignKeyConstraint(["namespace_id"], ["namespaces.id"], name="items_namespace_id_fk"),
        sqlite_autoincrement=True,
    )
    op.create_index("items_namespace_id_position_idx", "items", ["namespace_id", "position"])
    op.create_table(
        "releases",
        sa.Column("id", IDENTIFIER, primary_key=True, autoincrement=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("environment", NAME, nullable=False),
        sa.Column("app", NAME, nullable=False),
        sa.Column("cluster", NAME, nullable=False),
        sa.Column("namespace", NAME, nullable=False),
        sa.Column("namespace_id", IDENTIFIER, nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("previous_id", IDENTIFIER),
        sa.Column("source_id", IDENTIFIER),
        sa.Column("draft_revision", sa.Integer(), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("configurations", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="releases_pk"),
        sa.ForeignKeyConstraint(["namespace_id"], ["namespaces.id"], name="releases_namespace_id_fk"),
        sqlite_autoincrement=True,
    )
    op.create_index("releases_namespace_id_id_idx", "releases", ["namespace_id", "id"])
