"""Looking at errors the way a log would show them."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable

import pytest

from helicon_server.domain.errors import Unavailable
from tests.contract import rows
from tests.contract.database import Database


def shown(error: BaseException) -> str:
    """The whole traceback with causes and contexts, and what the error carries for its reader."""
    return "".join(traceback.format_exception(error)) + repr(getattr(error, "details", ""))


async def reading(database: Database) -> None:
    async with database.read() as tx:
        await tx.namespaces.live()


async def writing(database: Database, app_id: str = "order-service") -> None:
    async with database.write() as tx:
        await tx.apps.insert(rows.app(app_id))


async def reason_of(work: Awaitable[object]) -> object:
    """Awaits what must raise Unavailable and returns its reason."""
    with pytest.raises(Unavailable) as caught:
        await work
    assert caught.value.code == "database_unavailable"
    return caught.value.details["reason"]
