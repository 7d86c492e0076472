"""Makes room for what delivery needs beside releases: gray branches, access keys, nodes, instances, and two settings.

Adds only: running programs of the revision before go on working, and whatever they write, the defaults complete. None
of them may start any more: they would serve apps without looking at their access keys.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261121_delivery_plane"
down_revision = "20261120_first_tables"
branch_labels = None
depends_on = None
oldest_program = "20261121_delivery_plane"

# Sorted and compared by code point on both databases, whatever the locale.
NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
IDENTIFIER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.add_column("helicon_schema", sa.Column("oldest_program", sa.Text()))
    op.add_column("environments", sa.Column("incremental", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("namespaces", sa.Column("inherits", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("releases_key_idx", "releases", ["key"])
    _branches()
    _access_keys()
    _nodes()
    _instances()


def _branches() -> None:
    op.create_table(
        "branches",
        sa.Column("id", IDENTIFIER, primary_key=True, autoincrement=True),
        sa.Column("environment", NAME, nullable=False),
        sa.Column("app", NAME, nullable=False),
        sa.Column("cluster", NAME, nullable=False),
        sa.Column("namespace", NAME, nullable=False),
        sa.Column("namespace_folded", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.Column("live_changes", sa.Text(), nullable=False),
        sa.Column("release_id", IDENTIFIER),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="branches_pk"),
        sa.UniqueConstraint(
            "environment",
            "app",
            "cluster",
            "namespace_folded",
            "name",
            name="branches_environment_app_cluster_namespace_folded_name_key",
        ),
        sqlite_autoincrement=True,
    )


def _access_keys() -> None:
    op.create_table(
        "access_keys",
        sa.Column("id", IDENTIFIER, primary_key=True, autoincrement=True),
        sa.Column("environment", NAME, nullable=False),
        sa.Column("app", NAME, nullable=False),
        sa.Column("app_folded", NAME, nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="access_keys_pk"),
        sqlite_autoincrement=True,
    )
    op.create_index("access_keys_environment_app_folded_idx", "access_keys", ["environment", "app_folded"])


def _nodes() -> None:
    op.create_table(
        "nodes",
        sa.Column("id", NAME, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("beat_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="nodes_pk"),
    )


def _instances() -> None:
    op.create_table(
        "instances",
        sa.Column("environment", NAME, nullable=False),
        sa.Column("app", NAME, nullable=False),
        sa.Column("cluster", NAME, nullable=False),
        sa.Column("data_center", NAME, nullable=False),
        sa.Column("ip", NAME, nullable=False),
        sa.Column("owner", NAME, nullable=False),
        sa.Column("namespace", NAME, nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("release_cluster", NAME, nullable=False),
        sa.Column("release_key", sa.Text(), nullable=False),
        sa.Column("delivered_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint(
            "environment", "app", "cluster", "data_center", "ip", "owner", "namespace", name="instances_pk"
        ),
    )
    op.create_index("instances_environment_owner_namespace_idx", "instances", ["environment", "owner", "namespace"])
    op.create_index("instances_seen_at_idx", "instances", ["seen_at"])
