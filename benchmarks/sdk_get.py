"""What a read costs: ``config.get`` of the SDK beside a plain ``dict.get`` of the same key, in turns.

Run with ``python -m benchmarks.sdk_get``. The client has its values from a real server and holds its poll meanwhile,
as in a service. Nanoseconds include the loop around the call, for all rows alike.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import timeit
from contextlib import closing
from pathlib import Path

from benchmarks.environment import print_environment
from benchmarks.management import Management

import helicon
from tests.support.server import BOOTSTRAP_TOKEN, Servers

REACH_NS = 1000.0
APP = "bench"
ITEMS = 200
CALLS = 100_000
STRING_READ = "config.get(key)"

_STATEMENTS = {
    "dict.get(key)": "get(key)",
    STRING_READ: "config.get(key)",
    "config.get(key, default='')": "config.get(key, default='')",
    "config.get(absent, default='')": "config.get('service.absent', default='')",
    "config.get(number, as_=int)": "config.get(number, as_=int)",
    "config.get(key) of a namespace()": "client.namespace().get(key)",
}


def main(*, quick: bool = False) -> None:
    """Measures and prints each read beside a plain look-up."""
    rounds = 5 if quick else 25
    with tempfile.TemporaryDirectory() as folder, closing(Servers(Path(folder))) as servers:
        server = servers.start()
        with closing(Management(server.port, BOOTSTRAP_TOKEN)) as management:
            management.create(APP)
            text = "".join(f"service.key.{number}={number}\n" for number in range(ITEMS))
            management.publish(APP, management.write(APP, text))
        with helicon.Client(meta=server.url, app_id=APP, cache_dir="off") as client:
            times = _in_turns(client, rounds)
    _report(times, rounds)


def _in_turns(client: helicon.Client, rounds: int) -> dict[str, list[float]]:
    config = client.namespace()
    values = config.snapshot().as_dict()
    assert len(values) == ITEMS, f"the client has {len(values)} values"
    names = {"client": client, "config": config, "get": values.get, "key": "service.key.7", "number": "service.key.8"}
    timers = {name: timeit.Timer(statement, globals=names) for name, statement in _STATEMENTS.items()}
    times: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(rounds):
        for name, timer in timers.items():
            times[name].append(timer.timeit(CALLS) / CALLS * 1e9)
    return times


def _report(times: dict[str, list[float]], rounds: int) -> None:
    base = statistics.median(times["dict.get(key)"])
    print(f"one read, {ITEMS} keys, {rounds} rounds of {CALLS:,} calls in turns, nanoseconds")
    print(f"  {'':<34}{'median':>8}{'worst':>8}{'ratio':>8}")
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"  {name:<34}{median:>8.0f}{max(measured):>8.0f}{median / base:>8.1f}")
    reached = statistics.median(times[STRING_READ]) <= REACH_NS
    print(f"  reach {REACH_NS:.0f} ns for {STRING_READ}   {'reached' if reached else 'MISSED'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    arguments = parser.parse_args()
    print_environment()
    main(quick=arguments.quick)
