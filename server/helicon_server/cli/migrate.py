"""``helicon-server migrate``."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from helicon_migrations import DatabaseUnreachable, MigrationFailed, SchemaStatus
from helicon_migrations import migrate as bring_up
from helicon_server import app

from . import exits
from .options import DatabaseUrl, DataDir, load


def migrate(
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 when a database is behind.")] = False,
) -> None:
    """Bring every database of the settings to the schema of this version."""
    configured = load(data_dir=data_dir, database_url=database_url)
    try:
        states = asyncio.run(app.schema_states(configured))
        for name, state in states.items():
            if state.status is SchemaStatus.NEWER:
                exits.stop(exits.CONFIG, f"{name}: schema {state.revision} is newer than this version knows.")
        behind = [name for name, state in states.items() if state.status is not SchemaStatus.CURRENT]
        if check:
            print(f"behind: {', '.join(behind)}" if behind else "current")
            raise SystemExit(1 if behind else 0)
        app.prepare_data_dir(configured)
        for name, url in app.database_urls(configured).items():
            applied = bring_up(url)
            print(f"{name}: {'applied ' + ', '.join(applied) if applied else 'current'}")
    except DatabaseUnreachable as error:
        exits.stop(exits.UNAVAILABLE, f"{error}. Check the address, and that the database is up.")
    except OSError as error:
        exits.stop(exits.CANNOT_CREATE, f"The database cannot be read: {error.strerror or error}: {error.filename}.")
    except (MigrationFailed, app.DataDirUnusable) as error:
        exits.stop(exits.CANNOT_CREATE, str(error))
