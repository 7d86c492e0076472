"""What is noted of running clients, through a real node (Apollo client protocol, section 14)."""

from __future__ import annotations

import pytest

from tests.integration.delivery.cut_off import wait_served
from tests.support.management import Management
from tests.support.server import Servers, run_server_command
from tests.support.wait import wait_until

DEADLINE_S = 40
PLACE = "/api/v1/environments/DEV/apps/shop/clusters/default/namespaces/application"


@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_clients__appear_with_what_they_were_served(
    servers: Servers, engine: str, request: pytest.FixtureRequest
) -> None:
    """Also one that holds the newest release already, and is answered 304."""
    url = request.getfixturevalue("postgres_url") if engine == "postgres" else None
    if url is not None:
        assert run_server_command("migrate", "--database-url", url).returncode == 0
    node = servers.start(database_url=url)
    with Management(node.url) as management:
        management.create_app("shop")
        management.create_namespace("shop", "application")
        release = management.release("shop", "application", "a = 1\n")
    read = f"/configs/shop/default/application?releaseKey={release.release_key}"
    wait_served(node, "/configs/shop/default/application?ip=10.0.0.1&label=canary", release.release_key.encode())
    assert node.request("GET", f"{read}&ip=10.0.0.2", token=None).status == 304
    for _ in range(20):
        node.request("GET", f"{read}&ip=10.0.0.1", token=None)

    def seen() -> dict[str, tuple[str, str]]:
        instances = node.request("GET", f"{PLACE}/instances").json()["items"]
        return {each["ip"]: (each["release_key"], each["app"]) for each in instances}

    wait_until(lambda: {"10.0.0.1", "10.0.0.2"} <= seen().keys(), DEADLINE_S, "both instances")
    assert seen()["10.0.0.1"] == seen()["10.0.0.2"] == (release.release_key, "shop")
