"""The ``helicon-server`` command: one file for each subcommand."""

from __future__ import annotations

import typer

from . import migrate, serve, token, user, version

application = typer.Typer(
    name="helicon-server",
    help="Helicon, a configuration center that every Apollo client understands.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # tracebacks with local variables would show secrets
)
application.command("serve")(serve.serve)
application.command("migrate")(migrate.migrate)
application.add_typer(user.commands, name="user")
application.add_typer(token.commands, name="token")
application.command("version")(version.version)


def main() -> None:
    """Entry point of the console script."""
    application()
