"""The schema of Helicon's databases: what revision one has, and how to bring it to the newest.

There is one line of revisions and every revision makes all tables in every database, whichever group of tables the
database serves. A few empty tables cost nothing; two lines would need two version tables, two heads to compare at each
start, and a plan for the day when an environment moves in or out of the main database.

Importing this package is cheap on purpose: the server asks ``schema_state`` at each start, and only ``migrate`` needs
Alembic.
"""

from __future__ import annotations

from .revisions import HEAD, REVISIONS
from .state import DatabaseUnreachable, SchemaState, SchemaStatus, schema_state
from .upgrade import MigrationFailed, migrate

__all__ = [
    "HEAD",
    "REVISIONS",
    "DatabaseUnreachable",
    "MigrationFailed",
    "SchemaState",
    "SchemaStatus",
    "migrate",
    "schema_state",
]
