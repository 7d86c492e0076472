"""The server processes that acceptance tests rely on: started, stopped, killed, and started again as they were."""

from __future__ import annotations

import os
import signal

import pytest

from tests.support.postgres import PASSWORD
from tests.support.server import BOOTSTRAP_PASSWORD, BOOTSTRAP_TOKEN, MASTER_KEY, Servers, run_server_command

APP = {"app_id": "order-service", "name": "Orders", "department": "shop", "owner": "ana"}


def test_server__stopped__ends_in_peace_and_starts_again_with_its_data(servers: Servers) -> None:
    node = servers.start()
    assert node.request("POST", "/api/v1/apps", APP).status == 201

    assert node.stop() == 0
    assert not node.running
    node.start()

    assert node.request("GET", "/api/v1/apps/order-service").json()["app_id"] == "order-service"


def test_server__killed__starts_again_with_what_was_acknowledged(servers: Servers) -> None:
    node = servers.start()
    assert node.request("POST", "/api/v1/apps", APP).status == 201

    node.kill()
    node.start()

    assert node.request("GET", "/api/v1/apps/order-service").status == 200


def test_server__interrupted__ends_in_peace(servers: Servers) -> None:
    """Ctrl-C on `make run` is no error, so that make prints none."""
    node = servers.start()

    os.kill(node.pid, signal.SIGINT)

    assert node.wait_exit() == 0


def test_server__does_not_start__fails_at_once_with_its_log(servers: Servers) -> None:
    """A test that waits for a server that is dead learns why, without waiting for the deadline."""
    with pytest.raises(AssertionError, match="HELICON_VALUE_LIMIT"):
        servers.start(env={"HELICON_VALUE_LIMIT": "many"})


def test_server__logs__are_json_and_hold_no_secret(servers: Servers) -> None:
    node = servers.start()
    node.request("GET", "/api/v1/apps")
    node.request("GET", "/api/v1/apps", token="wrong-" + BOOTSTRAP_TOKEN)
    node.stop()

    assert node.logs("node.ready")
    assert len(node.logs()) == len(node.stderr.splitlines())
    for secret in (BOOTSTRAP_TOKEN, BOOTSTRAP_PASSWORD, MASTER_KEY):
        assert secret not in node.stderr + node.stdout


@pytest.mark.postgres
def test_server__two_nodes_on_postgres__see_the_same_data(servers: Servers, postgres_url: str) -> None:
    migrated = run_server_command("migrate", "--database-url", postgres_url)
    assert migrated.returncode == 0, migrated.stderr
    first = servers.start(database_url=postgres_url)
    second = servers.start(database_url=postgres_url)

    assert first.request("POST", "/api/v1/apps", APP).status == 201

    assert second.request("GET", "/api/v1/apps/order-service").status == 200


@pytest.mark.postgres
def test_server__postgres_password__is_in_no_log(postgres_url: str) -> None:
    """Also when the server refuses to start, which is when people paste logs."""
    refused = run_server_command("serve", "--port", "0", "--database-url", postgres_url)

    assert refused.returncode != 0
    assert "helicon-server migrate" in refused.stderr
    assert PASSWORD not in refused.stderr + refused.stdout
