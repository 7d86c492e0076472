"""Nodes that start while their database is away (architecture, promise 7; faults B1, C1 and C6)."""

from __future__ import annotations

import json
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from helicon.protocol import signature
from tests.integration.delivery.cut_off import (
    DEADLINE_S,
    ask,
    database_of,
    poll_of,
    wait_saved,
    wait_served,
    way_to,
)
from tests.integration.delivery.snapshots import change, file_of
from tests.support.management import Management
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.postgres import database_of as name_of
from tests.support.server import ServerProcess, Servers, run_server_command
from tests.support.wait import wait_until

READ = "/configs/shop/default/application"
SECRET = "secret-of-the-shop-that-no-log-may-show"
QUICK = {"HELICON_SWEEP_S": "1", "HELICON_HEARTBEAT_S": "1"}


def migrated(url: str) -> str:
    assert run_server_command("migrate", "--database-url", url).returncode == 0
    return url


def ready(node: ServerProcess) -> tuple[int, str | None, str | None]:
    """Status, code and source of the readiness."""
    answer = node.request("GET", "/health/ready", token=None)
    body = answer.json()
    (database,) = body.get("databases", [{}])
    return answer.status, body.get("code"), database.get("servedFrom")


@pytest.mark.postgres
def test_node__killed_and_started_without_database__serves_the_same_and_catches_up__c1_b1(
    servers: Servers, postgres: PostgresServer, postgres_url: str
) -> None:
    """What is published meanwhile through another node reaches the polls that this one holds."""
    migrated(postgres_url)
    with way_to(postgres) as way:
        cut_url = postgres_url.replace(f":{postgres.port}/", f":{way.port}/")
        node = servers.start(database_url=cut_url, env=QUICK)
        other = servers.start(database_url=postgres_url, env=QUICK)
        with Management(other.url) as management:
            management.create_app("shop")
            management.create_namespace("shop", "application")
            management.create_namespace("shop", "routes.json")
            first = management.release("shop", "application", "a = 1\nname = Zoë\n")
            routes = management.release("shop", "routes.json", '{"to": ["x"]}')
            targets = [READ, "/configs/shop/default/routes.json", "/configfiles/raw/shop/default/routes.json"]
            wait_served(node, targets[2], b'"x"')
            before = [ask(node, target) for target in targets]
            wait_saved(node, first.release_key, routes.release_key)

            node.kill()
            way.cut()
            node.start()
            assert [ask(node, target) for target in targets] == before
            assert ready(node) == (200, None, "snapshot")
            database = database_of(node)
            assert database["database"] == "DOWN"
            assert database["reason"] in ("refused", "unreachable"), "found by the node, not merely not tried"
            assert database["behindSince"] == database["snapshot"]["currentAt"]
            assert database["snapshot"]["ageSeconds"] >= 0
            refused = node.request("GET", "/api/v1/apps")
            assert (refused.status, refused.json()["code"]) == (503, "database_unavailable")
            assert ask(node, f"{READ}?releaseKey={first.release_key}").status == 304

            seen = {"application": first.notification_id, "routes.json": routes.notification_id}
            with ThreadPoolExecutor(1) as pool:
                held = pool.submit(node.request, "GET", poll_of("shop", seen), token=None, deadline_s=90)
                second = management.release("shop", "application", "a = 2\n")
                knows = quote(json.dumps({"details": {"shop+default+application": second.notification_id}}))
                told = node.request("GET", f"{READ}?messages={knows}", token=None)
                assert (told.status, told.json()["code"]) == (503, "behind"), "never the old as the newest"
                assert not held.done()
                way.mend()
                woken = held.result(DEADLINE_S).json()
            assert [each["namespaceName"] for each in woken] == ["application"]
            assert woken[0]["notificationId"] == second.notification_id
            wait_served(node, READ, second.release_key.encode())
            wait_until(lambda: node.request("GET", "/api/v1/apps").status == 200, DEADLINE_S, "management")
            wait_until(lambda: ready(node) == (200, None, None), DEADLINE_S, "node that says that all is well")
            assert [each["event"] for each in node.logs() if each["level"] == "error"] == []


@pytest.mark.postgres
def test_node__without_database__enforces_access_keys_and_serves_gray__c1(
    servers: Servers, postgres: PostgresServer, postgres_url: str
) -> None:
    migrated(postgres_url)
    with way_to(postgres) as way:
        node = servers.start(database_url=postgres_url.replace(f":{postgres.port}/", f":{way.port}/"), env=QUICK)
        with Management(node.url) as management:
            management.create_app("shop")
            management.create_namespace("shop", "application")
            release = management.release("shop", "application", "a = 1\n")
        namespace = "/api/v1/environments/DEV/apps/shop/clusters/default/namespaces/application"
        rules = [{"client_app": "shop", "ips": ["10.0.0.0/24"]}]
        made = node.request("POST", f"{namespace}/branches", {"rules": rules, "set": {"a": "gray"}})
        assert made.status == 201, made.body
        branch = made.json()
        published = node.request(
            "POST", f"{namespace}/branches/{branch['name']}/publish", {"revision": branch["revision"]}
        )
        assert published.status == 201, published.body
        key = node.request(
            "POST", "/api/v1/environments/DEV/apps/shop/access-keys", {"mode": "filter", "secret": SECRET}
        )
        assert key.status == 201, key.body
        wait_until(lambda: ask(node, READ).status == 401, DEADLINE_S, "node that asks for signatures")

        def signed(target: str) -> tuple[int, bytes]:
            headers = signature.headers("shop", SECRET, int(time.time() * 1000), target)
            answer = node.request("GET", target, token=None, headers=headers)
            return answer.status, answer.body

        targets = [READ, f"{READ}?ip=10.0.0.7", f"{READ}?ip=10.0.1.7"]
        before = [signed(target) for target in targets]
        assert [b'"gray"' in body for _, body in before] == [False, True, False]
        wait_saved(node, release.release_key)
        wait_until(lambda: _keys(node), DEADLINE_S, "saved keys")

        node.kill()
        way.cut()
        node.start()
        assert ready(node) == (200, None, "snapshot")
        assert [ask(node, target).status for target in targets] == [401, 401, 401]
        assert [signed(target) for target in targets] == before
        stored = b"".join(file.read_bytes() for file in file_of(node.data_dir).parent.iterdir())
        assert SECRET.encode() not in stored, "secrets lie sealed in the snapshot"
        assert SECRET not in node.stderr


def _keys(node: ServerProcess) -> bool:
    with closing(sqlite3.connect(file_of(node.data_dir))) as connection:
        bodies = [body for (body,) in connection.execute("SELECT body FROM parts WHERE name LIKE 'app/%'")]
    return any(b'"access_keys":[{' in body for body in bodies)


@pytest.mark.postgres
def test_node__without_database_and_without_snapshot__does_not_start(
    servers: Servers, postgres: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    """Also with the snapshot of another database, or with one that is switched off."""
    migrated(postgres_url)
    node = servers.start(database_url=postgres_url, env=QUICK)
    with Management(node.url) as management:
        management.create_app("shop")
        management.create_namespace("shop", "application")
        wait_saved(node, management.release("shop", "application", "a = 1\n").release_key)
    node.stop()
    away = postgres_url.replace(f":{postgres.port}/", f":{free_port()}/")
    attempts = [
        (away.replace(name_of(away), "billing"), node.folder, QUICK),
        (away, node.folder, {**QUICK, "HELICON_SNAPSHOT": "off"}),
        (away, tmp_path / "new", QUICK),
    ]
    for url, folder, env in attempts:
        refused = servers.start(database_url=url, folder=folder, env=env, wait=False)
        assert refused.wait_exit() == 69
        assert "does not answer" in refused.stderr
    moved = servers.start(database_url=away, folder=node.folder, env=QUICK)  # the same database behind another address
    assert ready(moved) == (200, None, "snapshot")


def test_sqlite__damaged__counts_as_away__c1_c6(servers: Servers) -> None:
    """The embedded database lies beside its snapshot; either may be damaged alone."""
    node = servers.start(env=QUICK)
    with Management(node.url) as management:
        management.create_app("shop")
        management.create_namespace("shop", "application")
        wait_saved(node, management.release("shop", "application", "a = 1\n").release_key)
    before = ask(node, READ)
    node.stop()
    database = node.data_dir / "helicon.db"
    whole = database.read_bytes()
    database.write_bytes(b"no database" * 1000)
    node.start()
    assert ask(node, READ) == before
    assert ready(node) == (200, None, "snapshot")
    assert database_of(node)["reason"] == "corrupt"
    assert node.request("GET", "/api/v1/apps").json()["code"] == "database_unavailable"
    database.write_bytes(whole)  # put back while the node runs
    wait_until(lambda: ready(node) == (200, None, None), DEADLINE_S, "node that has its database again")
    assert node.request("GET", "/api/v1/apps").status == 200


@pytest.mark.parametrize("content", ['{"a":"2"}', "\udcff"], ids=["other", "no UTF-8"])
def test_release__with_a_flipped_bit_in_the_database__is_served_to_nobody__c6(servers: Servers, content: str) -> None:
    """Beside it, everything else is served; another node, or the disk, has the good copy."""
    node = servers.start(env=QUICK)
    with Management(node.url) as management:
        management.create_app("shop")
        management.create_namespace("shop", "application")
        management.create_namespace("shop", "other")
        bad = management.release("shop", "application", "a = 1\n")
        good = management.release("shop", "other", "b = 1\n")
        wait_saved(node, bad.release_key, good.release_key)
    before = ask(node, READ)
    node.stop()
    with closing(sqlite3.connect(node.data_dir / "helicon.db", isolation_level=None)) as connection:
        connection.execute(
            "UPDATE releases SET configurations = CAST(? AS TEXT) WHERE id = ?",
            (content.encode("utf-8", "surrogateescape"), bad.release_id),
        )
    node.start()
    assert ask(node, READ) == before, "the copy on disk is good"
    node.stop()
    change(node.data_dir, f"UPDATE contents SET body = CAST('x' AS BLOB) WHERE release_key = '{bad.release_key}'")
    node.start()
    refused = node.request("GET", READ, token=None)
    assert (refused.status, refused.json()["code"]) == (503, "release_corrupt")
    assert "retry-after" in {name.lower() for name in refused.headers}
    assert ask(node, "/configs/shop/default/other").status == 200
    (alarm, *_) = node.logs("delivery.content_corrupt")[-1:]
    assert alarm["level"] == "error"


def test_workers__without_database__all_serve_the_snapshot(servers: Servers) -> None:
    """One of them writes the file, all read it."""
    node = servers.start("--workers", "2", env=QUICK)
    with Management(node.url) as management:
        management.create_app("shop")
        management.create_namespace("shop", "application")
        wait_saved(node, management.release("shop", "application", "a = 1\n").release_key)
    node.stop()
    (node.data_dir / "helicon.db").write_bytes(b"no database" * 1000)
    node.start()
    for _ in range(20):
        assert ask(node, READ).status == 200
        assert ready(node) == (200, None, "snapshot")
