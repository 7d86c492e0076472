"""Publishes a second to distinct namespaces on PostgreSQL, through the management API of real servers.

Run with ``python -m benchmarks.publish_rate``. PostgreSQL keeps what it acknowledges: fsync is on. Every namespace has
a draft of twenty items that differs from its release. First only the publishes are timed, on drafts that were written
before; then a write and a publish one after the other. Once with one worker, once with two.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.callers import Caller, for_each
from benchmarks.database import Database, database, queries
from benchmarks.environment import print_environment
from benchmarks.figures import percentiles
from benchmarks.node import node, text
from benchmarks.processes import processor_s, with_children

REACH = 400.0
CONNECTIONS = 16
_PER_APP = 50
_BASE = "/api/v1/environments/DEV"
_COUNTED = 20  # publishes whose statements are counted


def main(*, quick: bool = False) -> None:
    """Measures and prints both rates for one worker and for two."""
    count = 400 if quick else 2_000
    print(f"publishes to {count:,} namespaces on PostgreSQL with fsync, {CONNECTIONS} connections")
    for workers in (1,) if quick else (1, 2):
        with (
            tempfile.TemporaryDirectory() as folder,
            database() as store,
            node(Path(folder), workers=workers, database_url=store.url) as server,
        ):
            _measure(server.port, server.pid, workers, count, store)


def _measure(port: int, pid: int, workers: int, count: int, store: Database) -> None:
    namespaces = _Namespaces(count)
    for_each(port, 1, -(-count // _PER_APP), namespaces.create_app)
    for_each(port, CONNECTIONS, count, namespaces.create)
    for_each(port, CONNECTIONS, count, namespaces.write)
    pids = with_children(pid)
    used = processor_s(pids)
    seconds, each = for_each(port, CONNECTIONS, count, namespaces.publish)
    used = processor_s(pids) - used
    rate = count / seconds
    print(
        f"  {workers} worker(s)   {rate:>6.0f} publishes/s, {used / count * 1e3:.1f} ms of the server's processor each"
        f"   reach {REACH:.0f}   {'reached' if rate >= REACH else 'MISSED'}"
    )
    print(f"     each takes {percentiles([one * 1000 for one in each])}")
    seconds, _ = for_each(port, CONNECTIONS, count, namespaces.write_and_publish)
    print(f"     {count / seconds:.0f} a second with the write of its draft before each")
    for_each(port, 1, _COUNTED, namespaces.write)
    with store.asked() as statements:
        for_each(port, 1, _COUNTED, namespaces.publish)
    print(
        f"     {queries(statements) / _COUNTED:.1f} queries each, "
        f"{statements.total() / _COUNTED:.1f} statements with those that begin and end transactions"
    )


class _Namespaces:
    """Namespaces over several apps, and the revisions of their drafts."""

    def __init__(self, count: int) -> None:
        self._revisions = [1] * count
        self._values = 0

    async def create_app(self, caller: Caller, number: int) -> None:
        await caller.call("POST", "/api/v1/apps", json.dumps({"app_id": f"publish-{number}"}))

    async def create(self, caller: Caller, number: int) -> None:
        app, name = self._names(number)
        await caller.call("POST", f"{_BASE}/apps/{app}/namespaces", json.dumps({"name": name}))

    async def write(self, caller: Caller, number: int) -> None:
        app, name = self._names(number)
        self._values += 1
        path = f"{_BASE}/apps/{app}/clusters/default/namespaces/{name}/text"
        written = await caller.call("PUT", path, text(self._values), if_match=self._revisions[number])
        self._revisions[number] = written["revision"]

    async def publish(self, caller: Caller, number: int) -> None:
        app, name = self._names(number)
        asked = {"namespaces": [{"app": app, "namespace": name, "revision": self._revisions[number]}]}
        await caller.call("POST", f"{_BASE}/releases", json.dumps(asked))

    async def write_and_publish(self, caller: Caller, number: int) -> None:
        await self.write(caller, number)
        await self.publish(caller, number)

    def _names(self, number: int) -> tuple[str, str]:
        return f"publish-{number // _PER_APP}", f"namespace-{number % _PER_APP}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer namespaces, one worker")
    quick = parser.parse_args().quick
    print_environment()
    main(quick=quick)
