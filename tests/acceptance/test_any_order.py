"""Everything works in whatever order it happens: clients first, servers later, releases, rollbacks, restarts.

Each test begins with an empty installation of its own and uses SDK processes, as services do.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.sdk_process import RECOVERY_DEADLINE_S, SdkProcess
from tests.support.management import Management, Published
from tests.support.ports import LOOPBACK, free_port
from tests.support.server import ServerProcess, Servers
from tests.support.wait import wait_until

APP = "order-service"
DELIVERY_DEADLINE_S = 30


@pytest.fixture
def node(servers: Servers) -> ServerProcess:
    return servers.start()


@pytest.fixture
def management(node: ServerProcess) -> Iterator[Management]:
    with Management(node.url) as client:
        yield client


def test_client__started_before_the_server_exists__becomes_whole_when_it_starts(
    servers: Servers, tmp_path: Path
) -> None:
    """It has no backup either, so it begins with nothing at all."""
    port = free_port()
    with SdkProcess(f"http://{LOOPBACK}:{port}", APP, ["application"], tmp_path / "cache") as service:
        assert service.status()["source"] == "none"
        assert service.get("application", "timeout") is None

        node = servers.start(port=port)
        with Management(node.url) as management:
            _create(management)
            management.release(APP, "application", "timeout=250\n")
        change = service.await_change("application", "timeout", "250", RECOVERY_DEADLINE_S)

        assert change["old"] is None
        assert service.get("application", "timeout") == "250"
        assert service.status()["source"] == "server"


def test_client__started_while_the_server_is_away__becomes_whole_when_it_returns(
    node: ServerProcess, management: Management, tmp_path: Path
) -> None:
    """Nothing is published after the return: what there was must come by itself."""
    _create(management)
    management.release(APP, "application", "timeout=250\n")
    node.kill()
    with SdkProcess(node.url, APP, ["application"], tmp_path / "cache") as service:
        assert service.status()["source"] == "none"
        node.start()
        service.await_change("application", "timeout", "250", RECOVERY_DEADLINE_S)
        assert service.status()["source"] == "server"


def test_waiting_client__of_a_namespace_never_released__is_woken_by_its_first_release(
    node: ServerProcess, management: Management, tmp_path: Path
) -> None:
    """Apollo client protocol, section 7.2: held, because nothing was ever released."""
    _create(management)
    with SdkProcess(node.url, APP, ["application", "routes.json"], tmp_path / "cache") as service:
        # Neither is there: one is a draft only, the other does not even exist.
        wait_until(lambda: _connection(service) == "connected", DELIVERY_DEADLINE_S, "connected client")
        assert service.status()["source"] == "none"

        management.release(APP, "application", "timeout=250\n")
        service.await_change("application", "timeout", "250")

        management.create_namespace(APP, "routes.json")
        management.release(APP, "routes.json", '{"root": "/v1"}')
        service.await_change("routes.json", "content", '{"root": "/v1"}')
        assert service.status()["source"] == "server"


def test_rollback__reaches_the_client__with_a_release_key_of_its_own(
    node: ServerProcess, management: Management, tmp_path: Path
) -> None:
    """A client that holds the old release's key already must still take it for new."""
    _create(management)
    first = management.release(APP, "application", "timeout=250\n")
    second = management.release(APP, "application", "timeout=500\n")
    with SdkProcess(node.url, APP, ["application"], tmp_path / "cache") as service:
        assert service.get("application", "timeout") == "500"
        rolled_back = management.rollback(APP, "application", to=first.release_id, live=second.release_id)
        change = service.await_change("application", "timeout", "250")

    assert change["old"] == "500"
    assert (change["old_release_key"], change["new_release_key"]) == (second.release_key, rolled_back.release_key)
    assert len({first.release_key, second.release_key, rolled_back.release_key}) == 3
    _require_growing([first, second, rolled_back])


def test_client__of_one_environment__sees_that_environment_alone(
    node: ServerProcess, management: Management, tmp_path: Path
) -> None:
    """The prefix of the meta server address chooses; without one it is the default environment, here DEV."""
    with Management(node.url, environment="PRO") as production:
        _create(management)
        production.create_namespace(APP, "application")
        management.release(APP, "application", "timeout=250\nonly.dev=yes\n")
        production.release(APP, "application", "timeout=9000\n")
        with (
            SdkProcess(node.url, APP, ["application"], tmp_path / "dev") as in_dev,
            SdkProcess(f"{node.url}/envs/PRO", APP, ["application"], tmp_path / "pro") as in_pro,
        ):
            assert in_dev.values("application") == {"timeout": "250", "only.dev": "yes"}
            assert in_pro.values("application") == {"timeout": "9000"}

            management.release(APP, "application", "timeout=251\n")
            in_dev.await_change("application", "timeout", "251")
            # Published later: had DEV's release woken this client, it would have been heard of by now.
            production.release(APP, "application", "timeout=9001\n")
            in_pro.await_change("application", "timeout", "9001")
            # And the other way round.
            management.release(APP, "application", "timeout=252\n")
            in_dev.await_change("application", "timeout", "252")

            assert [change["new"] for change in in_pro.changes] == ["9001"]
            assert [change["new"] for change in in_dev.changes if change["key"] == "timeout"] == ["251", "252"]
            assert in_pro.values("application") == {"timeout": "9001"}


def test_backup__of_one_environment__is_not_used_in_another(
    node: ServerProcess, management: Management, tmp_path: Path
) -> None:
    """Both environments share the cache folder of the machine."""
    _create(management)
    management.release(APP, "application", "timeout=250\n")
    with SdkProcess(node.url, APP, ["application"], tmp_path / "cache") as in_dev:
        assert in_dev.get("application", "timeout") == "250"
    node.kill()
    with SdkProcess(f"{node.url}/envs/PRO", APP, ["application"], tmp_path / "cache") as in_pro:
        assert in_pro.status()["source"] == "none"
        assert in_pro.values("application") == {}
    with SdkProcess(node.url, APP, ["application"], tmp_path / "cache") as in_dev:
        assert in_dev.status()["source"] == "backup"
        assert in_dev.values("application") == {"timeout": "250"}


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_server__restarted_on_the_same_data__keeps_counting_and_its_clients_go_on(
    node: ServerProcess, management: Management, tmp_path: Path, ending: str
) -> None:
    """Whether it ended in good order or with SIGKILL: what it acknowledged is there, and ids only grow."""
    _create(management)
    before = management.release(APP, "application", "timeout=250\n")
    with SdkProcess(node.url, APP, ["application"], tmp_path / "cache") as service:
        wait_until(lambda: _connection(service) == "connected", DELIVERY_DEADLINE_S, "connected client")
        unseen = management.release(APP, "application", "timeout=500\n")
        getattr(node, ending)()
        node.start()
        service.await_change("application", "timeout", "500", RECOVERY_DEADLINE_S)

        after = management.release(APP, "application", "timeout=750\n")
        service.await_change("application", "timeout", "750", RECOVERY_DEADLINE_S)
        assert [change["new"] for change in service.changes] == ["500", "750"]
    _require_growing([before, unseen, after])


def _create(management: Management) -> None:
    management.create_app(APP)
    management.create_namespace(APP, "application")


def _connection(service: SdkProcess) -> str:
    connection: str = service.status()["connection"]
    return connection


def _require_growing(releases: list[Published]) -> None:
    """Ids of releases and notifications grow, each on its own (protocol, section 19, point 8)."""
    for ids in ([one.release_id for one in releases], [one.notification_id for one in releases]):
        assert ids == sorted(set(ids))
