"""An installation under test: a node to publish on, a node that clients know, and one database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.management import Management
from tests.support.server import ServerProcess, Servers, run_server_command


@dataclass(frozen=True, slots=True)
class Installation:
    """On PostgreSQL the two nodes are two processes; the embedded database has one that is both."""

    published_on: ServerProcess
    read_from: ServerProcess

    @property
    def meta(self) -> str:
        """The only address that clients of the test are told."""
        return self.read_from.url

    @property
    def nodes(self) -> list[ServerProcess]:
        return list({node.port: node for node in (self.published_on, self.read_from)}.values())

    def management(self) -> Management:
        return Management(self.published_on.url)

    @contextmanager
    def killed(self) -> Iterator[None]:
        """Kills every node with SIGKILL; starts them again, on the same data, when the test has seen enough."""
        for node in self.nodes:
            node.kill()
        try:
            yield
        finally:
            for node in self.nodes:
                node.start()


@contextmanager
def embedded(folder: Path) -> Iterator[Installation]:
    """One process on the embedded database."""
    with closing(Servers(folder)) as servers:
        node = servers.start()
        yield Installation(node, node)


@contextmanager
def distributed(folder: Path, database_url: str) -> Iterator[Installation]:
    """Two processes on one PostgreSQL database."""
    migrated = run_server_command("migrate", "--database-url", database_url)
    assert migrated.returncode == 0, migrated.stderr
    with closing(Servers(folder)) as servers:
        yield Installation(servers.start(database_url=database_url), servers.start(database_url=database_url))
