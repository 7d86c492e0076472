"""Real nodes on one real PostgreSQL, each with a relay to the database, kept for many runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.faults.plan import NODES
from tests.faults.relay import DatabaseRelay
from tests.support.postgres import PostgresServer, database_of
from tests.support.server import ServerProcess, Servers, run_server_command

HOLD_S = 1.5
SWEEP_S = 1.0
_LISTENER = "helicon-bus"  # how the listening connections name themselves to the database


class Cluster:
    """The nodes, and what can be done to them. All calls may block."""

    def __init__(self, postgres: PostgresServer, url: str, nodes: list[ServerProcess], relays: list[DatabaseRelay]):
        self.nodes = nodes
        self.relays = relays
        self._postgres = postgres
        self.url = url  # of the database, past every relay

    def stop(self, node: int) -> None:
        """Pauses a node in the middle of whatever it does."""
        os.killpg(self.nodes[node].pid, signal.SIGSTOP)

    def go_on(self, node: int) -> None:
        os.killpg(self.nodes[node].pid, signal.SIGCONT)

    def cut_connections(self) -> None:
        self._postgres.cut_connections(self.url)

    def end_listeners(self) -> None:
        self.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{_LISTENER}'")

    def heal(self) -> None:
        """Ends every fault that there may be and returns when every node serves."""
        for relay in self.relays:
            relay.heal()
        for number, node in enumerate(self.nodes):
            if node.running:
                self.go_on(number)
            else:
                node.start(wait=False)
        for node in self.nodes:
            node.wait_ready()

    def sql(self, statement: str) -> str:
        """Asks the database itself, past every relay."""
        return self._postgres.sql(statement, database_of(self.url))


@contextmanager
def cluster(
    postgres: PostgresServer, folder: Path, count: int = NODES, settings: Mapping[str, str] | None = None
) -> Iterator[Cluster]:
    """Starts the nodes on a fresh database, with settings of their own if given; all is gone afterwards."""
    url = postgres.create_database("faults")
    migrated = run_server_command("migrate", "--database-url", url)
    assert migrated.returncode == 0, migrated.stderr
    servers = Servers(folder)
    relays: list[DatabaseRelay] = []
    env = {"HELICON_LONG_POLL_S": str(HOLD_S), "HELICON_SWEEP_S": str(SWEEP_S), "HELICON_DRAIN_S": "3"}
    env.update(settings or {})
    try:
        nodes = []
        for _ in range(count):
            relay = DatabaseRelay(postgres.port)
            relay.start()
            relays.append(relay)
            through = url.replace(f":{urlsplit(url).port}/", f":{relay.port}/")
            nodes.append(servers.start(database_url=through, env=env, wait=False))
            nodes[0].wait_ready()  # the first one makes the environments and the token
        for node in nodes:
            node.wait_ready()
        yield Cluster(postgres, url, nodes, relays)
    finally:
        servers.close()
        for relay in relays:
            relay.stop()
        postgres.drop_database(url)
