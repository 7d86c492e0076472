"""Runs seeded histories and prints what is wrong with them.

    python -m tests.faults.history --seed 7 --runs 1

One cluster serves all runs, each with an app of its own; after a run that fails, the next begins on a new cluster.
Prints the seed, the violations and the whole history of each run that fails, and ends with 1 if there was one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.faults.checker import check
from tests.faults.cluster import cluster
from tests.faults.events import History
from tests.faults.plan import Plan, plan
from tests.faults.run import run
from tests.support.postgres import PostgresServer, start_postgres


def describe(drawn: Plan) -> str:
    """The plan of a run in one line."""
    named = ", ".join(f"{fault.kind} on node {fault.node} ({fault.amount:.2f} s)" for fault in drawn.faults)
    return (
        f"seed {drawn.seed}: {drawn.nodes} nodes, {len(drawn.namespaces)} namespaces, {drawn.writers} writers, "
        f"{drawn.raw_watchers} + {drawn.sdk_watchers} {'loyal' if drawn.loyal else 'wandering'} watchers; {named}"
    )


def report(drawn: Plan, history: History) -> str:
    """Everything that is needed to look into a failing run; empty for a good one."""
    violations = check(history)
    if not violations:
        return ""
    return "\n".join(
        [
            f"FAILED {describe(drawn)}",
            *history.lines(),
            *(f"violation of {violation}" for violation in violations),
            f"again: python -m tests.faults.history --seed {drawn.seed} --runs 1",
        ]
    )


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="tests.faults.history", description="Seeded histories under faults.")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first run; the next has the next one")
    parser.add_argument("--runs", type=int, default=1, help="how many runs")
    parser.add_argument("--keep-going", action="store_true", help="go on after a run that failed")
    asked = parser.parse_args()
    postgres = start_postgres()
    seeds = list(range(asked.seed, asked.seed + asked.runs))
    failed: list[int] = []
    done: Counter[str] = Counter()
    begin = time.monotonic()
    try:
        while seeds and (asked.keep_going or not failed):
            failed += _on_one_cluster(postgres, seeds, done)
    finally:
        postgres.remove()
    total = done["runs"]
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(done.items()) if kind not in ("runs", "releases"))
    print(f"{total} runs in {time.monotonic() - begin:.0f} s, {done['releases']} releases; faults: {kinds}")
    print(f"failed seeds: {failed}" if failed else "no violation")
    return 1 if failed else 0


def _on_one_cluster(postgres: PostgresServer, seeds: list[int], done: Counter[str]) -> list[int]:
    """Takes seeds away until one fails or none is left; returns the one that failed."""
    with tempfile.TemporaryDirectory(prefix="helicon-faults-") as folder, cluster(postgres, Path(folder)) as nodes:
        while seeds:
            drawn = plan(seeds.pop(0))
            begin = time.monotonic()
            history = run(nodes, drawn)
            done.update(["runs", *(fault.kind for fault in drawn.faults)])
            done["releases"] += len(history.stored)
            if text := report(drawn, history):
                print(text, flush=True)
                return [drawn.seed]
            print(f"ok {describe(drawn)}; {len(history.stored)} releases, {time.monotonic() - begin:.1f} s", flush=True)
    return []


if __name__ == "__main__":
    sys.exit(main())
