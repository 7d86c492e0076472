"""Alembic's environment: runs revisions on the connection that ``upgrade`` hands over. Not for the alembic command."""

from __future__ import annotations

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy import text

from helicon_migrations.revisions import VERSION_TABLE


def run() -> None:
    applied: list[str] = context.config.attributes["applied"]

    def applies(ctx: MigrationContext, step: MigrationInfo, heads: object, run_args: object) -> None:
        script = context.script.get_revision(str(step.up_revision_id))
        oldest = getattr(script.module, "oldest_program", None)
        if oldest is not None:  # all scripts but the first say it, in their own transaction
            assert ctx.connection is not None
            says = text(f"UPDATE {VERSION_TABLE} SET oldest_program = :oldest")  # noqa: S608 - a constant name
            ctx.connection.execute(says, {"oldest": oldest})
        applied.append(str(step.up_revision_id))

    context.configure(
        connection=context.config.attributes["connection"],
        version_table=VERSION_TABLE,
        # A revision is there as a whole or not at all, also on SQLite, where `upgrade` says BEGIN itself.
        transactional_ddl=True,
        transaction_per_migration=True,
        on_version_apply=applies,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
