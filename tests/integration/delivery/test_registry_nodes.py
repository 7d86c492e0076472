"""Nodes that find one another (architecture, section 2; fault A7)."""

from __future__ import annotations

import pytest

from tests.integration.delivery.cut_off import wait_served
from tests.support.management import Management
from tests.support.server import ServerProcess, Servers, run_server_command
from tests.support.wait import wait_until

DEADLINE_S = 40
QUICK = {"HELICON_HEARTBEAT_S": "0.5"}


def listed(node: ServerProcess, prefix: str = "") -> list[str]:
    """The addresses that a client is told, in their order."""
    entries = node.request("GET", f"{prefix}/services/config?appId=shop&ip=10.0.0.1", token=None).json()
    instances = [entry["instanceId"] for entry in entries]
    assert len(set(instances)) == len(instances)
    return [entry["homepageUrl"] for entry in entries]


@pytest.fixture
def url(postgres_url: str) -> str:
    """A database that two nodes can share."""
    assert run_server_command("migrate", "--database-url", postgres_url).returncode == 0
    return postgres_url


@pytest.mark.postgres
def test_nodes__are_told_to_clients_of_each_own_one_first(servers: Servers, url: str) -> None:
    one = servers.start(database_url=url, env=QUICK)
    two = servers.start("--workers", "2", database_url=url, env=QUICK)
    wait_until(lambda: len(listed(one)) == 2, DEADLINE_S, "the second node in the first's list")
    wait_until(lambda: len(listed(two)) == 2, DEADLINE_S, "the first node in the second's list")
    assert listed(one) == [f"{one.url}/", f"{two.url}/"]
    for _ in range(10):  # whichever worker answers
        assert listed(two) in ([f"{two.url}/", f"{one.url}/"], [f"{two.url}/"])
    assert listed(one, "/envs/pro") == [f"{one.url}/envs/PRO/", f"{two.url}/envs/PRO/"]

    assert two.stop() == 0
    wait_until(lambda: listed(one) == [f"{one.url}/"], DEADLINE_S, "a list without the node that stopped")


@pytest.mark.postgres
def test_node__killed__leaves_the_list_and_comes_back(servers: Servers, url: str) -> None:
    """Clients are not sent to a dead node for ever."""
    one = servers.start(database_url=url, env=QUICK)
    two = servers.start(database_url=url, env={**QUICK, "HELICON_NODE_URL": "http://node-two.example:1234/helicon/"})
    told = "http://node-two.example:1234/helicon/"
    wait_until(lambda: told in listed(one), DEADLINE_S, "the second node, as it wants to be called")
    two.kill()
    wait_until(lambda: told not in listed(one), DEADLINE_S, "a list without the node that was killed")
    rows = one.request("GET", "/api/v1/nodes").json()["items"]
    assert {row["url"]: row["alive"] for row in rows} == {one.url: True, told.rstrip("/"): False}
    two.start()
    wait_until(lambda: told in listed(one), DEADLINE_S, "the node that is back")


@pytest.mark.postgres
def test_node__that_crash_loops__is_told_to_nobody__a7(servers: Servers, url: str) -> None:
    """It is listed after it has been ready for one interval; the others go on meanwhile."""
    one = servers.start(database_url=url, env=QUICK)
    loops = servers.start(database_url=url, env={"HELICON_HEARTBEAT_S": "60"})
    with Management(one.url) as management:
        management.create_app("shop")
        management.create_namespace("shop", "application")
        for number in range(3):
            release = management.release("shop", "application", f"a = {number}\n")
            wait_served(one, "/configs/shop/default/application", release.release_key.encode())
            loops.kill()
            assert listed(one) == [f"{one.url}/"]
            loops.start()
    assert listed(loops)[0] == f"{loops.url}/", "whoever reached it is told of it"


@pytest.mark.postgres
def test_public_address__is_told_alone(servers: Servers, url: str) -> None:
    """A load balancer in front of all nodes."""
    one = servers.start(database_url=url, env={**QUICK, "HELICON_PUBLIC_URL": "https://config.example/x"})
    two = servers.start(database_url=url, env=QUICK)
    wait_until(lambda: len(listed(two)) == 2, DEADLINE_S, "both nodes in the second's list")
    assert listed(one) == ["https://config.example/x/"]
    assert listed(one, "/envs/PRO") == ["https://config.example/x/envs/PRO/"]
