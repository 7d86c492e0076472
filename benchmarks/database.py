"""A PostgreSQL of a benchmark's own, which tells what it was asked."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.postgres import PostgresServer, database_of, start_postgres
from tests.support.server import run_server_command

_PREFIX = "asked of"
_ASKED = re.compile(rf"{_PREFIX} (\S+) LOG:  (?:statement|execute [^:]*): (.*)")
_CONTROL = re.compile(r"(BEGIN|START TRANSACTION|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|;$)", re.IGNORECASE)
_RELOAD_S = 1.0  # until every session has seen a changed setting


class Database:
    """An empty, migrated database."""

    def __init__(self, server: PostgresServer, url: str) -> None:
        self._server = server
        self.url = url

    @contextmanager
    def asked(self) -> Iterator[Counter[str]]:
        """Counts, by their text, the statements of all sessions within the block. Logging them takes time."""
        statements: Counter[str] = Counter()
        self._set("log_line_prefix", f"{_PREFIX} %d ")
        self._set("log_statement", "all")
        begin = self._server.log.stat().st_size
        yield statements
        self._set("log_statement", "none")
        with self._server.log.open("rb") as log:
            log.seek(begin)
            lines = log.read().decode(errors="replace").splitlines()
        for line in lines:
            found = _ASKED.match(line)
            if found is not None and found[1] == database_of(self.url):
                statements[found[2].strip()] += 1

    def _set(self, name: str, value: str) -> None:
        self._server.sql(f"ALTER SYSTEM SET {name} = '{value}'")
        self._server.sql("SELECT pg_reload_conf()")
        time.sleep(_RELOAD_S)


def queries(statements: Counter[str]) -> int:
    """How many there were, without those that only begin and end transactions."""
    return sum(count for text, count in statements.items() if not _CONTROL.match(text))


@contextmanager
def database() -> Iterator[Database]:
    """Runs a PostgreSQL that keeps what it acknowledges (fsync is on), with one database that is migrated."""
    server = start_postgres(durable=True)
    try:
        url = server.create_database("bench")
        migrated = run_server_command("migrate", "--database-url", url)
        if migrated.returncode != 0:
            raise RuntimeError(f"the schema could not be made: {migrated.stderr[-2000:]}")
        yield Database(server, url)
    finally:
        server.remove()
