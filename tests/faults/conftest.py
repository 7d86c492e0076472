"""Two nodes on one PostgreSQL for the tests of single faults, and what they publish."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.faults.cluster import Cluster, cluster
from tests.faults.herd import APP, NAMESPACE, Connections
from tests.support.management import Management
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="module")
def shared_pair(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two nodes with a published namespace."""
    if not postgres.running:
        postgres.start()  # an earlier test ended it and failed before it could start it again
    with cluster(postgres, tmp_path_factory.mktemp("pair"), 2) as started:
        with Management(started.nodes[0].url) as management:
            management.create_app(APP)
            management.create_namespace(APP, NAMESPACE)
            management.release(APP, NAMESPACE, "n = 0\n")
        yield started


@pytest.fixture
def pair(shared_pair: Cluster) -> Iterator[Cluster]:
    """The two nodes, well before and after the test."""
    shared_pair.heal()
    yield shared_pair
    shared_pair.heal()


@pytest.fixture
async def connections() -> AsyncIterator[Connections]:
    """Opens raw connections; whatever the test leaves open is ended."""
    opened = Connections()
    yield opened
    await opened.close()
