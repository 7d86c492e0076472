"""Nodes of two versions on one database (fault A10): the newer one has migrated it, the older one goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from helicon_migrations import HEAD
from helicon_migrations.revisions import VERSION_TABLE
from tests.contract.database import run_sql
from tests.integration.server.commands import CONFIG, helicon_server, refusal
from tests.support.server import ServerProcess, Servers, run_server_command
from tests.support.wait import wait_until

FUTURE = "20991231_far_future"
# What the migration of a later release might add: columns with defaults, a table, an index.
ADDITIONS = (
    "ALTER TABLE namespaces ADD COLUMN of_the_future TEXT NOT NULL DEFAULT 'x'",
    "ALTER TABLE releases ADD COLUMN of_the_future INTEGER",
    "ALTER TABLE messages ADD COLUMN of_the_future TEXT NOT NULL DEFAULT ''",
    "CREATE TABLE of_the_future (id INTEGER PRIMARY KEY)",
    "CREATE INDEX of_the_future_idx ON namespaces (updated_at)",
)
NAMESPACE = "/api/v1/environments/DEV/apps/shop/clusters/default/namespaces/application"
_DEADLINE_S = 30


async def migrate_further(url: str, oldest_program: str) -> None:
    """What a program of a later release does to the database, but for its own use of it."""
    for statement in ADDITIONS:
        await run_sql(url, statement)
    await run_sql(url, f"UPDATE {VERSION_TABLE} SET version_num = '{FUTURE}', oldest_program = '{oldest_program}'")


def publish(node: ServerProcess, value: str) -> None:
    """Publishes a value through a node and waits until that node serves it."""
    revision = node.request("GET", NAMESPACE).headers["etag"].strip('"')
    item = node.request("PUT", NAMESPACE + "/items/k", {"value": value}, headers={"If-Match": revision})
    assert item.status in (200, 201), item.body
    target = {"app": "shop", "namespace": "application", "revision": int(item.headers["etag"].strip('"'))}
    made = node.request("POST", "/api/v1/environments/DEV/releases", {"namespaces": [target]})
    assert made.status == 201, made.body

    def served() -> bool:
        answer = node.request("GET", "/configs/shop/default/application", token=None)
        return answer.status == 200 and answer.json()["configurations"] == {"k": value}

    wait_until(served, _DEADLINE_S, f"the value {value} at {node.url}")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def node(request: pytest.FixtureRequest, servers: Servers) -> ServerProcess:
    """A node of this version with a released namespace."""
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
        assert run_server_command("migrate", "--database-url", url).returncode == 0
    node = servers.start(database_url=url)
    assert node.request("POST", "/api/v1/apps", {"app_id": "shop"}).status == 201
    named = node.request("POST", "/api/v1/environments/DEV/apps/shop/namespaces", {"name": "application"})
    assert named.status == 201
    publish(node, "before")
    return node


def url_of(node: ServerProcess) -> str:
    return node.database_url or f"sqlite+aiosqlite:///{node.data_dir / 'helicon.db'}"


async def test_a10_newer_schema_that_only_adds__node_of_this_version__runs_on_and_starts_again(
    node: ServerProcess,
) -> None:
    await migrate_further(url_of(node), HEAD)
    publish(node, "under a newer schema")
    assert node.stop() == 0
    node.start()
    publish(node, "started on a newer schema")
    arguments = [] if node.database_url is None else ["--database-url", node.database_url]
    for command in (["migrate"], ["migrate", "--check"], ["user", "list"]):
        ended = helicon_server(*command, *arguments, folder=node.folder)
        assert ended.returncode == 0, ended.stderr


async def test_a10_newer_schema_that_takes_away__node_of_this_version__does_not_start(
    node: ServerProcess, tmp_path: Path
) -> None:
    await migrate_further(url_of(node), FUTURE)
    assert node.stop() == 0
    arguments = [] if node.database_url is None else ["--database-url", node.database_url]
    said = refusal(helicon_server("serve", "--port", "0", *arguments, folder=node.folder), CONFIG)
    assert f"has schema {FUTURE}, which is newer than this helicon-server knows" in said
