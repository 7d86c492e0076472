"""A real server with one released namespace, as most benchmarks need it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.management import Management
from benchmarks.peers import get

from tests.support.server import BOOTSTRAP_TOKEN, ServerProcess, Servers
from tests.support.wait import wait_until

APP: Final = "bench"
PATH: Final = f"/configs/{APP}/default/application"
_ITEMS = 20
# For servers that a few addresses ask as thousands of clients would from thousands of addresses.
_UNLIMITED: Final = {
    "HELICON_REQUESTS_PER_CLIENT": "1000000",
    "HELICON_REQUESTS_PER_ADDRESS": "1000000",
    "HELICON_POLLS_PER_ADDRESS": "1000000",
    "HELICON_POLLS_PER_CLIENT": "0",
    "HELICON_POLL_MEMORY_MB": "4096",
}


@dataclass(frozen=True, slots=True)
class Node:
    """A server, and the connection that manages it. With several workers ``process`` is their parent."""

    process: ServerProcess
    management: Management

    @property
    def port(self) -> int:
        return self.process.port

    @property
    def pid(self) -> int:
        return self.process.pid

    def publish(self, value: object) -> int:
        """Publishes a value of the key `round` and returns the notification id."""
        return self.management.publish(APP, self.write(value))

    def write(self, value: object) -> int:
        """Writes that value into the draft and returns the draft's revision."""
        return self.management.write(APP, text(value))


def text(value: object) -> str:
    """Twenty items; a value of the first one tells two releases apart."""
    return f"round={value}\n" + "".join(f"service.key.{n}=value number {n}\n" for n in range(1, _ITEMS))


@contextmanager
def node(folder: Path, *, workers: int = 1, database_url: str | None = None) -> Iterator[Node]:
    """Runs a server whose limits for each client and address are out of the way, with one release of `application`."""
    with closing(Servers(folder)) as servers:
        arguments = ["--workers", str(workers)] if workers > 1 else []
        server = servers.start(*arguments, database_url=database_url, env=_UNLIMITED)
        wait_until(lambda: len(server.logs("node.ready")) == workers, 30, "ready workers")
        with closing(Management(server.port, BOOTSTRAP_TOKEN)) as management:
            made = Node(server, management)
            management.create(APP)
            made.publish("ROUND")
            wait_until(lambda: get(server.port, PATH), 10, "released configuration")
            yield made
