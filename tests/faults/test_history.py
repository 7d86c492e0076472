"""Ten seeded histories over real nodes, a real database and real faults; `make faults` runs two hundred."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.cluster import Cluster, cluster
from tests.faults.history import report
from tests.faults.plan import Kind, plan
from tests.faults.run import run
from tests.support.postgres import PostgresServer

SEEDS = range(10)


@pytest.fixture(scope="module")
def nodes(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three nodes for all ten runs."""
    if not postgres.running:
        postgres.start()  # an earlier test ended it and failed before it could start it again
    with cluster(postgres, tmp_path_factory.mktemp("faults")) as started:
        yield started


@pytest.mark.postgres
@pytest.mark.parametrize("seed", SEEDS)
def test_history__under_faults__is_ordered_whole_and_never_goes_back(nodes: Cluster, seed: int) -> None:
    """Promises 1 to 6; faults A1, A3, A4, A5, A6, B1, C2, C10 and D3 of one kind or another."""
    drawn = plan(seed)

    history = run(nodes, drawn)

    assert not (failed := report(drawn, history)), failed


def test_plan__same_seed__is_the_same_and_ten_seeds_have_every_fault() -> None:
    assert plan(7) == plan(7)
    assert plan(7) != plan(8)
    assert {fault.kind for seed in SEEDS for fault in plan(seed).faults} == set(Kind)
