"""Installations for the acceptance tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.acceptance.installation import Installation, distributed, embedded
from tests.support.postgres import PostgresServer
from tests.support.this_tree import require_this_tree


@pytest.fixture(scope="session", autouse=True)
def command_of_this_tree(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The `helicon` command that tests start with a clean environment is of this checkout."""
    require_this_tree(["helicon"], {"PATH": os.defpath}, tmp_path_factory.getbasetemp())


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
