"""``helicon-server token``: first aid without the portal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from helicon_server.domain.actors import ALL_RIGHTS, Right
from helicon_server.services import people
from helicon_server.services.context import Caller
from helicon_server.storage.contract import Storage

from . import exits
from .options import DatabaseUrl, DataDir, load, run

commands = typer.Typer(no_args_is_help=True, help="Create, revoke and list management tokens.")


@commands.command("create")
def create(
    name: Annotated[str, typer.Option("--name", help="What the token is for; shown in the audit.")],
    rights: Annotated[str, typer.Option("--rights", help="Comma list of view, edit, publish, manage, or all.")] = "all",
    days: Annotated[int | None, typer.Option("--days", min=1, max=3650, help="Lifetime; unlimited by default.")] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Create a token and print it, alone on standard output; it cannot be read again."""
    granted = _rights(rights)
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None

    async def work(storage: Storage, caller: Caller) -> str:
        async with storage.control.write() as tx:
            _, secret = await people.create_token(tx, caller, people.NewToken(name, granted, expires_at))
        return secret

    print(run(load(data_dir=data_dir, database_url=database_url), work))


@commands.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(help="Name of the token.")],
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """End a token at once."""

    async def work(storage: Storage, caller: Caller) -> None:
        async with storage.control.write() as tx:
            await people.revoke_token(tx, caller, name)

    run(load(data_dir=data_dir, database_url=database_url), work)
    print(f"Revoked token {name}.")


@commands.command("list")
def list_(data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """List tokens; their secrets are nowhere."""

    async def work(storage: Storage, caller: Caller) -> None:
        async with storage.control.read() as tx:
            for token in await people.list_tokens(tx, caller):
                state = (
                    "revoked"
                    if token.revoked_at
                    else f"expires {token.expires_at:%Y-%m-%d}"
                    if token.expires_at
                    else "live"
                )
                print(f"{token.name}\t{token.prefix}…\t{','.join(sorted(token.rights))}\t{state}")

    run(load(data_dir=data_dir, database_url=database_url), work)


def _rights(text: str) -> frozenset[Right]:
    if text == "all":
        return ALL_RIGHTS
    try:
        return frozenset(Right(part.strip()) for part in text.split(","))
    except ValueError:
        exits.stop(exits.CONFIG, f"--rights: {text!r} is not a comma list of {', '.join(Right)}, or all")
