"""Runs of the migrations: together, interrupted, refused, and against databases that are not there."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from helicon_migrations import (
    HEAD,
    REVISIONS,
    DatabaseUnreachable,
    MigrationFailed,
    SchemaState,
    SchemaStatus,
    migrate,
    schema_state,
    upgrade,
)
from tests.migration import schema
from tests.support import ports
from tests.support.postgres import PASSWORD, PostgresServer

_RUNNER = "import sys; from helicon_migrations import migrate; print(*migrate(sys.argv[1]))"


async def test_migrate__two_processes_at_once__one_does_the_work(empty_url: str) -> None:
    runners = [
        subprocess.Popen(
            [sys.executable, "-c", _RUNNER, empty_url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    answers = [runner.communicate(timeout=120) for runner in runners]
    assert [err for _, err in answers] == [""] * 3
    assert sorted([" ".join(REVISIONS), "", ""]) == sorted(out.strip() for out, _ in answers)
    assert SchemaState(SchemaStatus.CURRENT, HEAD) == await schema_state(empty_url)


async def test_migrate__another_runner_holds_the_lock__gives_up_with_a_word(
    empty_url: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(upgrade, "RUNNER_TIMEOUT_S", 1)
    if empty_url.startswith("sqlite"):
        with (
            upgrade._only_runner(Path(empty_url.removeprefix("sqlite+aiosqlite:///"))),
            pytest.raises(MigrationFailed, match="another process"),
        ):
            migrate(empty_url)
    else:
        holds = f"SELECT pg_advisory_lock{upgrade._RUNNER_LOCK}"

        def migrate_meanwhile(connection: Connection) -> None:
            connection.execute(text(holds))
            with pytest.raises(MigrationFailed, match="lock timeout"):
                migrate(empty_url)

        await schema.on(empty_url, migrate_meanwhile)
    assert [*REVISIONS] == migrate(empty_url)


async def test_migrate__step_fails__leaves_nothing_of_it_and_goes_on_later(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last table of the revision exists already, so that it fails after it has made all others."""
    await schema.on(empty_url, lambda connection: connection.execute(text("CREATE TABLE audit (mine int)")))
    with pytest.raises(MigrationFailed, match="audit"):
        migrate(empty_url)
    assert SchemaState(SchemaStatus.EMPTY, None) == await schema_state(empty_url)
    assert [*await schema.on(empty_url, schema.reflected)] == ["audit"]
    await schema.on(empty_url, lambda connection: connection.execute(text("DROP TABLE audit")))
    assert [*REVISIONS] == migrate(empty_url)


def test_migrate__sqlite_file__is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """It holds password hashes."""
    before = os.umask(0)
    try:
        migrate(f"sqlite+aiosqlite:///{tmp_path / 'helicon.db'}")
    finally:
        os.umask(before)
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}


async def test_state__sqlite_file_missing__makes_none(tmp_path: Path) -> None:
    await schema_state(f"sqlite+aiosqlite:///{tmp_path / 'helicon.db'}")
    assert list(tmp_path.iterdir()) == []


async def _state(url: str) -> None:
    await schema_state(url)


async def _migrate(url: str) -> None:
    await asyncio.to_thread(migrate, url)


both_calls = pytest.mark.parametrize("call", [_state, _migrate])


@both_calls
async def test_sqlite__file_is_no_database__is_said_with_its_path(tmp_path: Path, call: Callable[[str], Any]) -> None:
    path = tmp_path / "helicon.db"
    path.write_text("this is not a database, " * 100)
    with pytest.raises((DatabaseUnreachable, MigrationFailed), match=r"helicon\.db.*not a database"):
        await call(f"sqlite+aiosqlite:///{path}")


async def test_migrate__folder_missing__is_said_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnreachable, match=r"gone/helicon\.db.*No such file"):
        await _migrate(f"sqlite+aiosqlite:///{tmp_path / 'gone' / 'helicon.db'}")


@both_calls
@pytest.mark.parametrize(
    "url", ["mysql://u:hush@h/d", "postgresql", "sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:", "hush"]
)
async def test_url__that_names_no_database__is_refused_without_repeating_it(
    url: str, call: Callable[[str], Any]
) -> None:
    with pytest.raises(ValueError, match="URL must") as caught:
        await call(url)
    assert "hush" not in str(caught.value)


@both_calls
async def test_postgres__refuses_connections__is_said_without_the_password(call: Callable[[str], Any]) -> None:
    port = ports.free_port()
    with pytest.raises(DatabaseUnreachable) as caught:
        await call(f"postgresql+asyncpg://helicon:hush@127.0.0.1:{port}/helicon")
    assert f"127.0.0.1:{port}, database helicon" in str(caught.value)
    assert "hush" not in str(caught.value)


@both_calls
@pytest.mark.postgres
async def test_postgres__wrong_password_or_no_such_database__is_said_without_the_password(
    postgres: PostgresServer, call: Callable[[str], Any]
) -> None:
    for url in (postgres.url("postgres").replace(PASSWORD, "hush"), postgres.url("missing")):
        with pytest.raises(DatabaseUnreachable) as caught:
            await call(url)
        assert "does not answer" in str(caught.value)
        assert "hush" not in str(caught.value)
        assert PASSWORD not in str(caught.value)


def test_migrate__package_copied_elsewhere__needs_nothing_beside_it(tmp_path: Path) -> None:
    """As a wheel unpacks it: no checkout, no alembic.ini; and a folder name that alembic.ini could not hold."""
    elsewhere = tmp_path / "site %(here)s packages"
    shutil.copytree(Path(upgrade.__file__).parent, elsewhere / "helicon_migrations")
    result = subprocess.run(
        [sys.executable, "-c", _RUNNER, f"sqlite+aiosqlite:///{tmp_path / 'helicon.db'}"],
        env={"PYTHONPATH": str(elsewhere), "PATH": os.defpath},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == [*REVISIONS]


def test_import__of_the_package__loads_neither_alembic_nor_sqlalchemy() -> None:
    """The server asks for the state at each start; its start-up time and memory count."""
    code = "import sys, helicon_migrations; print({'alembic', 'sqlalchemy', 'asyncpg'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


async def test_state__while_a_writer_has_the_file__answers(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'helicon.db'}"
    migrate(url)
    writer = sqlite3.connect(tmp_path / "helicon.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    try:
        assert SchemaState(SchemaStatus.CURRENT, HEAD) == await schema_state(url)
    finally:
        writer.close()
