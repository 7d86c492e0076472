"""A day-old copy put back while every node was down (architecture, promise 1; fault C7).

What a node keeps on its disk knows what its clients were told.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.delivery.cut_off import ask, poll_of, wait_saved, wait_served
from tests.support.management import Management
from tests.support.postgres import PostgresServer, database_of
from tests.support.server import ServerProcess, Servers, run_server_command

READ = "/configs/shop/default/application"
QUICK = {"HELICON_SWEEP_S": "1", "HELICON_HEARTBEAT_S": "1"}


def told(node: ServerProcess, namespace: str, known: int) -> int:
    """The id that a client gets which holds ``known``; fails when it is held instead."""
    answer = node.request("GET", poll_of("shop", {namespace: known}), token=None, deadline_s=20)
    assert answer.status == 200
    (entry,) = answer.json()
    found: int = entry["notificationId"]
    return found


def day_old(management: Management) -> None:
    management.create_app("shop")
    management.create_namespace("shop", "application")
    management.create_namespace("shop", "kept")
    management.release("shop", "kept", "k = 1\n")
    management.release("shop", "application", "a = old\n")


def put_back_file(saved: Path, database: Path) -> None:
    """What an operator does with a stopped server: the write-ahead log belongs to the file that goes."""
    for suffix in ("-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(saved, database)


def put_back_by_shell(saved: Path, database: Path) -> None:
    """The command-line shell's ``.restore``."""
    with closing(sqlite3.connect(saved)) as read, closing(sqlite3.connect(database)) as written:
        read.backup(written)


@pytest.mark.parametrize("put_back", [put_back_file, put_back_by_shell], ids=["file", "shell"])
def test_c7_sqlite__put_back_while_down__clients_get_the_old_content_under_greater_ids(
    servers: Servers, tmp_path: Path, put_back: Callable[[Path, Path], None]
) -> None:
    node = servers.start(env=QUICK)
    database, saved = node.data_dir / "helicon.db", tmp_path / "day-old.db"
    with Management(node.url) as management:
        day_old(management)
        kept = told(node, "kept", -1)
        put_back_by_shell(database, saved)
        management.release("shop", "application", "a = new\n")
        management.create_namespace("shop", "late")
        management.release("shop", "late", "l = 1\n")
        last = management.release("shop", "application", "a = newest\n")
    known = last.notification_id
    assert told(node, "application", known - 1) == known
    node.stop()
    put_back(saved, database)

    node.start()

    again = told(node, "application", known)
    assert again > known
    assert b'"old"' in ask(node, READ).body
    assert told(node, "late", known) > known
    assert ask(node, "/configs/shop/default/late").status == 404
    assert told(node, "kept", -1) == kept, "nothing of it changed"
    (noticed,) = node.logs("delivery.database_restored")
    assert noticed["told_id"] >= known
    with Management(node.url) as management:
        following = management.release("shop", "application", "a = next\n")
    assert following.notification_id > again
    assert told(node, "application", again) == following.notification_id

    node.stop()
    node.start()
    assert told(node, "application", known) == following.notification_id
    assert len(node.logs("delivery.database_restored")) == 1, "what was lifted once stays as it is"


@pytest.mark.postgres
def test_c7_postgres__put_back_while_all_nodes_are_down__all_tell_ids_above_what_any_of_them_told(
    servers: Servers, postgres: PostgresServer, postgres_url: str
) -> None:
    """Their snapshots differ: one node went down earlier, the other was killed. Both start at once, with a new one."""
    assert run_server_command("migrate", "--database-url", postgres_url).returncode == 0
    early = servers.start(database_url=postgres_url, env=QUICK)
    late = servers.start(database_url=postgres_url, env=QUICK)
    name = database_of(postgres_url)
    saved = f"{name}_old"
    try:
        with Management(late.url) as management:
            day_old(management)
            early.stop()
            late.stop()  # a database with connections cannot be copied
            postgres.cut_connections(postgres_url)
            postgres.sql(f'CREATE DATABASE "{saved}" TEMPLATE "{name}"')
            early.start()
            late.start()
            management.release("shop", "application", "a = new\n")
            wait_served(early, READ, b'"new"')
            early.stop()
            last = management.release("shop", "application", "a = newest\n")
            kept = management.release("shop", "kept", "k = 2\n")
        wait_saved(late, last.release_key, kept.release_key)
        known = kept.notification_id
        late.kill()
        postgres.drop_database(postgres_url)
        postgres.sql(f'CREATE DATABASE "{name}" TEMPLATE "{saved}"')

        new = servers.start(database_url=postgres_url, env=QUICK, wait=False)
        early.start(wait=False)
        late.start(wait=False)
        for node in (early, late, new):
            node.wait_ready()

        for node in (early, late, new):  # held by the new one until the others have lifted
            assert told(node, "application", known) > known
            assert told(node, "kept", known) > known
            assert b'"old"' in ask(node, READ).body
            assert b'"k":"1"' in ask(node, "/configs/shop/default/kept").body
        first, *others = [told(node, "application", known) for node in (early, late, new)]
        assert others == [first, first]
    finally:
        postgres.sql(f'DROP DATABASE IF EXISTS "{saved}" WITH (FORCE)')


def test_c7_new_installation__in_the_folder_of_an_old_one__begins_with_its_own_ids(servers: Servers) -> None:
    """The snapshot is of another database: nothing was set back."""
    node = servers.start(env=QUICK)
    with Management(node.url) as management:
        day_old(management)
        for value in range(5):
            last = management.release("shop", "application", f"a = {value}\n")
        wait_saved(node, last.release_key)
    node.stop()
    for suffix in ("", "-wal", "-shm"):
        (node.data_dir / f"helicon.db{suffix}").unlink(missing_ok=True)

    node.start()

    with Management(node.url) as management:
        day_old(management)
    assert told(node, "application", 0) <= last.notification_id
    assert b'"old"' in ask(node, READ).body
    assert node.logs("delivery.database_restored") == []
