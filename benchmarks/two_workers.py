"""`/configs` hits of a server with two workers against one with a single worker.

Run with ``python -m benchmarks.two_workers``. The load generators need processors too: on a machine of two cores they
take them from the second worker, and the ratio of the rates stays below what a machine with free cores would show.
Without four free cores the mark is therefore held to what the processor time of an answer says: two workers that have a
core each make twice as many answers as one, less what an answer costs more with a second worker beside.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.environment import print_environment
from benchmarks.load import Request
from benchmarks.node import PATH, node
from benchmarks.peers import Peer, Round, in_turns, print_rates
from benchmarks.processes import machine_busy_s

REACH = 1.7
GENERATORS = 2
CORES_NEEDED = 2 + GENERATORS
_ONE, _TWO = "one worker", "two workers"


def main(*, quick: bool = False) -> None:
    """Measures and prints both ratios."""
    rounds, seconds = (3, 1.5) if quick else (7, 4.0)
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        with node(folder / "one") as one, node(folder / "two", workers=2) as two:
            cores, others = len(os.sched_getaffinity(0)), _busy_before()
            peers = {_ONE: Peer(one.pid, one.port, Request(PATH)), _TWO: Peer(two.pid, two.port, Request(PATH))}
            print(f"/configs hit, {rounds} interleaved rounds of {seconds:g} s, {GENERATORS} load generators")
            print(f"  {cores} cores, of which other programs kept {others:.2f} busy just before")
            measured = in_turns(peers, rounds, seconds, GENERATORS)
    print_rates(measured)
    ratio = statistics.median(two.rate / one.rate for one, two in _pairs(measured[_ONE], measured[_TWO]))
    by_processor = statistics.median(
        2 * one.processor_us / two.processor_us for one, two in _pairs(measured[_ONE], measured[_TWO])
    )
    free = cores - others >= CORES_NEEDED
    verdict = "reached" if ratio >= REACH else "MISSED"
    print(
        f"  two workers / one: {ratio:.2f} by the clock, {by_processor:.2f} by processor time   reach {REACH:g}   "
        f"{verdict if free else f'cannot be told without {CORES_NEEDED} free cores'}"
    )


def _pairs(ones: Sequence[Round], twos: Sequence[Round]) -> Sequence[tuple[Round, Round]]:
    return list(zip(ones, twos, strict=True))


def _busy_before() -> float:
    """How many cores the machine keeps busy while both servers have nothing to do."""
    began, used = time.monotonic(), machine_busy_s()
    time.sleep(1)
    return (machine_busy_s() - used) / (time.monotonic() - began)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    quick = parser.parse_args().quick
    print_environment()
    main(quick=quick)
