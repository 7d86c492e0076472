"""A client that read a release from one node, and asks another one that has not heard of it (decision 0020)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.integration.delivery.cut_off import DEADLINE_S, ask, wait_served, way_to
from tests.support.management import Management, Published
from tests.support.postgres import PostgresServer
from tests.support.server import Servers, run_server_command
from tests.support.wait import wait_until

pytestmark = pytest.mark.postgres

READ = "/configs/shop/default/application"
MADE_UP = "99991231235959-0123456789abcdef"


def test_release_learned_by_a_read__asked_of_a_node_that_heard_no_notice__does_not_go_back(
    servers: Servers, postgres: PostgresServer, postgres_url: str
) -> None:
    """No poll has told the client of an id; the notices to the second node are lost, and no sweep is due."""
    assert run_server_command("migrate", "--database-url", postgres_url).returncode == 0
    with way_to(postgres) as way:
        node = servers.start(database_url=postgres_url)
        deaf_url = postgres_url.replace(f":{postgres.port}/", f":{way.port}/")
        behind = servers.start(database_url=deaf_url, env={"HELICON_SWEEP_S": "60"})
        with Management(node.url) as management:
            management.create_app("shop")
            management.create_namespace("shop", "application")
            old = management.release("shop", "application", "a = old\n")
            wait_served(behind, READ, b'"old"')
            way.deaf = True
            wait_until(lambda: _second() > old.release_key[:14], DEADLINE_S, "another second")
            new = management.release("shop", "application", "a = new\n")
        wait_served(node, READ, b'"new"')
        assert b'"old"' in ask(behind, READ).body, "it is behind"
        assert b'"old"' in ask(behind, _holding(old, "0")).body, "and an older key does not make it look"

        assert ask(behind, f"{READ}?releaseKey={new.release_key}").status == 304

        assert b'"new"' in ask(behind, READ).body
        assert b'"new"' in ask(behind, f"{READ}?releaseKey={MADE_UP}").body
        way.cut()
        assert b'"new"' in ask(behind, f"{READ}?releaseKey={MADE_UP}").body, "without the database it answers as well"


def _second() -> str:
    return f"{datetime.now(UTC):%Y%m%d%H%M%S}"


def _holding(release: Published, end: str) -> str:
    """A read that holds another release of the same second."""
    return f"{READ}?releaseKey={release.release_key[:-1]}{end if release.release_key[-1] != end else 'f'}"
