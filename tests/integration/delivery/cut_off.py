"""A node whose way to its database can be cut, while another node keeps its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.faults.relay import DatabaseRelay
from tests.integration.delivery.snapshots import saved
from tests.support.postgres import PostgresServer
from tests.support.server import ServerProcess
from tests.support.wait import wait_until

DEADLINE_S = 40


class Way(DatabaseRelay):
    """The network between a node and PostgreSQL: open, or cut so that every connection is refused."""

    def __init__(self, target_port: int) -> None:
        super().__init__(target_port)
        self._cut = False

    def cut(self) -> None:
        self._cut = True
        asyncio.run_coroutine_threadsafe(self._end_all(), self._loop).result(10)

    def mend(self) -> None:
        self._cut = False

    async def _end_all(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            writer.close()
            return
        await super()._connected(reader, writer)


@contextmanager
def way_to(postgres: PostgresServer) -> Iterator[Way]:
    way = Way(postgres.port)
    way.start()
    try:
        yield way
    finally:
        way.stop()


@dataclass(frozen=True, slots=True)
class Answered:
    """What a client sees of an answer, less what tells the time."""

    status: int
    headers: dict[str, str]
    body: bytes


def ask(node: ServerProcess, target: str) -> Answered:
    answer = node.request("GET", target, token=None)
    headers = {name.lower(): value for name, value in answer.headers.items() if name.lower() != "date"}
    return Answered(answer.status, headers, answer.body)


def poll_of(app: str, seen: dict[str, int]) -> str:
    """The target of a long poll."""
    entries = json.dumps([{"namespaceName": name, "notificationId": known} for name, known in seen.items()])
    return f"/notifications/v2?appId={app}&cluster=default&notifications={quote(entries)}"


def health(node: ServerProcess) -> dict[str, Any]:
    body: dict[str, Any] = node.request("GET", "/health", token=None).json()
    return body


def database_of(node: ServerProcess) -> dict[str, Any]:
    database: dict[str, Any] = health(node)["databases"][0]
    return database


def wait_served(node: ServerProcess, target: str, text: bytes) -> None:
    wait_until(lambda: text in ask(node, target).body, DEADLINE_S, f"{text!r} at {target}")


def wait_saved(node: ServerProcess, *release_keys: str) -> None:
    """Returns when the snapshot of a node holds these releases."""
    wait_until(lambda: set(release_keys) <= saved(node.data_dir), DEADLINE_S, "releases in the snapshot")
