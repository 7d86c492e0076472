"""One suite, a real server process, two databases: everything here runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.api.client import Api, Place
from tests.support.server import Servers, run_server_command

BACKENDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(scope="package", params=BACKENDS)
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The API of one node that all tests of this folder share; each works on apps of its own."""
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").create_database()
        migrated = run_server_command("migrate", "--database-url", url)
        assert migrated.returncode == 0, migrated.stderr
    nodes = Servers(tmp_path_factory.mktemp(f"api-{request.param}"))
    api = Api(nodes.start(database_url=url, env={"HELICON_HEARTBEAT_S": "1"}))
    yield api
    api.http.close()
    nodes.close()


@pytest.fixture
def place(api: Api) -> Place:
    """A properties namespace of an app of its own, with one released entry and one draft edit on top."""
    place = api.place(text="kept = 1\n")
    assert place.publish().status_code == 201
    place.write("kept = 1\ndrafted = 2\n")
    return place
