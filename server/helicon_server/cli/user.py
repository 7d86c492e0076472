"""``helicon-server user``: first aid without the portal."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from helicon_server.auth.passwords import new_password
from helicon_server.services import people
from helicon_server.services.context import Caller
from helicon_server.storage.contract import Storage

from .options import DatabaseUrl, DataDir, load, run

commands = typer.Typer(no_args_is_help=True, help="Create users, set passwords, list.")

Name = Annotated[str, typer.Argument(help="Name of the user.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input; a random one otherwise.")
]


def _password(from_stdin: bool) -> tuple[str, str]:
    """A password, and what to say of it."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n"), ""
    password = new_password()
    return password, f"\nPassword, shown once: {password}"


@commands.command("create")
def create(
    name: Name, from_stdin: FromStdin = False, data_dir: DataDir = None, database_url: DatabaseUrl = None
) -> None:
    """Create a user with all rights."""
    password, said = _password(from_stdin)

    async def work(storage: Storage, caller: Caller) -> None:
        async with storage.control.write() as tx:
            await people.create_user(tx, caller, name, password)

    run(load(data_dir=data_dir, database_url=database_url), work)
    print(f"Created user {name}.{said}")


@commands.command("set-password")
def set_password(
    name: Name, from_stdin: FromStdin = False, data_dir: DataDir = None, database_url: DatabaseUrl = None
) -> None:
    """Replace the password of a user."""
    password, said = _password(from_stdin)

    async def work(storage: Storage, caller: Caller) -> None:
        async with storage.control.write() as tx:
            await people.set_password(tx, caller, name, password)

    run(load(data_dir=data_dir, database_url=database_url), work)
    print(f"Set the password of {name}.{said}")


@commands.command("list")
def list_(data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """List users."""

    async def work(storage: Storage, caller: Caller) -> None:
        async with storage.control.read() as tx:
            for user in await people.list_users(tx, caller):
                print(f"{user.name}\tcreated {user.created_at:%Y-%m-%d %H:%M}Z")

    run(load(data_dir=data_dir, database_url=database_url), work)
