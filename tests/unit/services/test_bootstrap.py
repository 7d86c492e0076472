"""The first start, and later ones with other settings."""

from __future__ import annotations

import pytest

from helicon_server.domain.actors import SYSTEM
from helicon_server.domain.errors import Conflict
from helicon_server.services.bootstrap import FirstStart, bootstrap
from helicon_server.services.context import Caller
from helicon_server.services.environments import list_environments
from helicon_server.services.namespaces import NewNamespace, create_namespace
from helicon_server.storage.contract import Storage
from helicon_server.storage.memory import MemoryDatabase

FIRST = FirstStart(["DEV", "PRO"], "password-of-the-first", None)


def database(name: str) -> MemoryDatabase:
    return MemoryDatabase(name=name, on_messages=lambda: None)


async def _close() -> None:
    return None


def storage(main: MemoryDatabase, **dedicated: MemoryDatabase) -> Storage:
    return Storage(main, main, dedicated, _close)


async def test_environment__with_a_database_of_its_own__is_made_and_listed_there_once() -> None:
    """A name that stayed behind in the main database is not shown a second time."""
    main, own = database("main"), database("PRO")
    await bootstrap(storage(main), FIRST)
    both = storage(main, PRO=own)
    await bootstrap(both, FIRST)
    listed = await list_environments(both, Caller.local(SYSTEM))
    assert [environment.name for environment in listed] == ["DEV", "PRO"]
    async with own.read() as tx:
        assert [environment.name for environment in await tx.environments.list()] == ["PRO"]


async def test_environment__whose_configuration_lies_in_the_main_database__gets_no_other_one() -> None:
    """Its clients would be served from an empty database, without a word."""
    main, own = database("main"), database("PRO")
    await bootstrap(storage(main), FIRST)
    async with main.write() as tx:
        await create_namespace(tx, Caller.local(SYSTEM), "PRO", "shop", NewNamespace("application"))
    with pytest.raises(Conflict) as refused:
        await bootstrap(storage(main, PRO=own), FIRST)
    assert refused.value.code == "environment_in_main_database"
    assert "PRO" in refused.value.message
    async with own.read() as tx:
        assert await tx.environments.list() == []
