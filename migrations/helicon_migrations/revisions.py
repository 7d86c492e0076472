"""The names of all revisions, oldest first, and of the table that records the one a database has.

Kept by hand, so that a server can compare without loading Alembic; a test holds it equal to the scripts.
"""

from __future__ import annotations

REVISIONS: tuple[str, ...] = ("20261120_first_tables", "20261121_delivery_plane")
HEAD: str = REVISIONS[-1]

# Not Alembic's own name for it: a PostgreSQL database may be shared with a program that uses that one.
VERSION_TABLE = "helicon_schema"
