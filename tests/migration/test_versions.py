"""Programs and databases of different versions (faults, A10): which may work together, and that they do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import alembic.command
import pytest
from sqlalchemy import Connection, text

import helicon_migrations
from helicon_migrations import HEAD, REVISIONS, MigrationFailed, SchemaState, SchemaStatus, migrate, schema_state
from helicon_migrations.revisions import VERSION_TABLE
from helicon_server.domain.names import NamespaceRef
from helicon_server.storage.sql import open_database
from tests.migration import schema

FIRST = REVISIONS[0]
FUTURE = "20991231_far_future"
SCRIPTS = Path(helicon_migrations.__file__).parent / "versions"

# What a program of the first revision writes, column by column.
_AT = "2026-03-01T12:30:45.678901+00:00"
_OLD_ROWS = (
    "INSERT INTO environments (name, position, created_at) VALUES ('{name}', 0, '{at}')",
    (
        "INSERT INTO namespaces (environment, app, cluster, name, name_folded, format, revision, release_id,"
        " released_revision, message_id, updated_at, updated_by)"
        " VALUES ('{name}', 'shop', 'default', 'Redis', 'redis', 'properties', 2, {id}, 2, {id}, '{at}', 'user:alice')"
    ),
    (
        "INSERT INTO releases (key, environment, app, cluster, namespace, namespace_id, operation, title, comment,"
        " draft_revision, content_sha256, size, created_at, created_by, configurations)"
        " VALUES ('k{id}', '{name}', 'shop', 'default', 'Redis', {id}, 'publish', 'One', '', 2, 'sha', 2, '{at}',"
        " 'user:alice', '{{\"a\":\"1\"}}')"
    ),
    (
        "INSERT INTO messages (kind, environment, app, cluster, namespace, created_at)"
        " VALUES ('release', '{name}', 'shop', 'default', 'Redis', '{at}')"
    ),
)


def _write_old_rows(connection: Connection, name: str, id_: int) -> None:
    for statement in _OLD_ROWS:
        connection.exec_driver_sql(statement.format(name=name, id=id_, at=_AT))


async def _say(url: str, revision: str, oldest: str | None) -> None:
    change = text(f"UPDATE {VERSION_TABLE} SET version_num = :revision, oldest_program = :oldest")
    await schema.on(url, lambda connection: connection.execute(change, {"revision": revision, "oldest": oldest}))


@pytest.fixture
def first_url(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a database as the program of the first revision left it."""
    to = alembic.command.upgrade
    with monkeypatch.context() as patch:
        patch.setattr("alembic.command.upgrade", lambda config, _: to(config, FIRST))
        assert migrate(empty_url) == [FIRST]
    return empty_url


async def test_migrate__database_of_the_first_revision__keeps_its_data(first_url: str) -> None:
    assert SchemaState(SchemaStatus.OUTDATED, FIRST) == await schema_state(first_url)
    await schema.on(first_url, lambda connection: _write_old_rows(connection, "DEV", 1))
    assert migrate(first_url) == [*REVISIONS[1:]]
    assert SchemaState(SchemaStatus.CURRENT, HEAD) == await schema_state(first_url)
    await _is_read_whole(first_url, "DEV")


async def test_a10_new_schema__rows_of_a_node_of_the_first_revision__are_taken_and_read(first_url: str) -> None:
    """Nodes of the version before run on while the first new one has migrated the database under them."""
    migrate(first_url)
    await schema.on(first_url, lambda connection: _write_old_rows(connection, "PRO", 1))
    await _is_read_whole(first_url, "PRO")


async def _is_read_whole(url: str, name: str) -> None:
    database = open_database(url, name="main", on_messages=lambda: None)
    try:
        async with database.read() as tx:
            [environment] = await tx.environments.list()
            namespace = await tx.namespaces.get(NamespaceRef(name, "shop", "default", "redis"))
            [live] = await tx.namespaces.live()
            [head] = await tx.releases.history(1, before_id=None, limit=10)
            found = await tx.releases.by_keys(name, ["k1"])
            assert list(await tx.branches.live()) == []
    finally:
        await database.close()
    assert (environment.name, environment.incremental) == (name, False)
    assert namespace is not None
    assert (namespace.ref.namespace, namespace.inherits) == ("Redis", False)
    assert (live.release_id, live.message_id, live.inherits) == (1, 1, False)
    assert (head.id, dict(found["k1"].configurations)) == (1, {"a": "1"})


@pytest.mark.parametrize(
    ("revision", "oldest", "status"),
    [
        (FUTURE, FUTURE, SchemaStatus.NEWER),
        (FUTURE, None, SchemaStatus.NEWER),
        *((FUTURE, known, SchemaStatus.CURRENT) for known in REVISIONS),
        *((old, None, SchemaStatus.OUTDATED) for old in REVISIONS[:-1]),
    ],
)
async def test_a10_state__revision_that_is_not_the_newest__is_told_with_whether_we_may_work_on_it(
    empty_url: str, revision: str, oldest: str | None, status: SchemaStatus
) -> None:
    migrate(empty_url)
    await _say(empty_url, revision, oldest)
    assert SchemaState(status, revision) == await schema_state(empty_url)


@pytest.mark.parametrize("oldest", [None, FUTURE])
async def test_migrate__newer_database__is_refused_and_untouched(empty_url: str, oldest: str | None) -> None:
    migrate(empty_url)
    await _say(empty_url, FUTURE, oldest)
    before = await schema.on(empty_url, schema.catalogue)
    with pytest.raises(MigrationFailed, match=rf"{FUTURE}.*newer version"):
        migrate(empty_url)
    assert before == await schema.on(empty_url, schema.catalogue)
    assert SchemaState(SchemaStatus.NEWER, FUTURE) == await schema_state(empty_url)


async def test_a10_migrate__newer_database_that_we_may_work_on__is_left_as_it_is(empty_url: str) -> None:
    migrate(empty_url)
    await _say(empty_url, FUTURE, HEAD)
    assert migrate(empty_url) == []
    assert SchemaState(SchemaStatus.CURRENT, FUTURE) == await schema_state(empty_url)


async def test_migrate__database__says_which_program_may_work_on_it(empty_url: str) -> None:
    migrate(empty_url)

    def read(connection: Connection) -> Any:
        return connection.execute(text(f"SELECT version_num, oldest_program FROM {VERSION_TABLE}")).all()

    assert [tuple(row) for row in await schema.on(empty_url, read)] == [(HEAD, HEAD)]


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("2*.py"))[1:], ids=lambda path: path.stem)
def test_revision__script_after_the_first__names_the_oldest_program(script: Path) -> None:
    names = [line for line in script.read_text().splitlines() if line.startswith("oldest_program = ")]
    assert [line.split('"')[1] in REVISIONS[: REVISIONS.index(script.stem) + 1] for line in names] == [True]


def test_state__outdated__is_a_known_revision_that_is_not_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("helicon_migrations.state.REVISIONS", ("one", "two"))
    monkeypatch.setattr("helicon_migrations.state.HEAD", "two")
    found = {revision: SchemaState.of(revision).status for revision in (None, "one", "two", "three")}
    assert found == {
        None: SchemaStatus.EMPTY,
        "one": SchemaStatus.OUTDATED,
        "two": SchemaStatus.CURRENT,
        "three": SchemaStatus.NEWER,
    }
