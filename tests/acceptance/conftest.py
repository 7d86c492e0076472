"""Installations for the acceptance tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.installation import Installation, distributed, embedded
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="module", params=["embedded", pytest.param("postgres-two-nodes", marks=pytest.mark.postgres)])
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Runs a test on the embedded database, and again on PostgreSQL with two server processes."""
    folder = tmp_path_factory.mktemp("installation")
    if request.param == "embedded":
        with embedded(folder) as made:
            yield made
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    if not postgres.running:
        postgres.start()  # an earlier test ended it and failed before it could start it again
    url = postgres.create_database()
    with distributed(folder, url) as made:
        yield made
    postgres.drop_database(url)
