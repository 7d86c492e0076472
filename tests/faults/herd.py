"""A herd: hundreds of clients on raw connections in one event loop, as simple as a client of the protocol can be.

Each polls, reads what it is told of with ``messages`` and ``releaseKey``, and polls again; when a node fails it, it
waits for a moment, drawn at random, and asks another one. What each saw, in its order, is kept for the test to judge.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.support.ports import LOOPBACK
from tests.support.server import ServerProcess

APP = "shop"
NAMESPACE = "application"
LONGEST_PAUSE_S = 1.0
ANSWER_TIMEOUT_S = 90.0  # as the Java client reads a poll


@dataclass(slots=True)
class Answered:
    """One answer off the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a refusal."""
        return str(self.json().get("code", ""))


class Connection:
    """One raw connection to a node."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int, source: str | None = None) -> Connection:
        local = (source, 0) if source else None
        return cls(*await asyncio.open_connection(LOOPBACK, port, local_addr=local, limit=4 * 1024 * 1024))

    async def ask(self, target: str) -> None:
        self.writer.write(f"GET {target} HTTP/1.1\r\nHost: node\r\n\r\n".encode())
        await self.writer.drain()

    async def answer(self) -> Answered:
        """Raises ConnectionError or IncompleteReadError when there will be none."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Answered(int(first.split(" ")[1]), headers, body)

    async def get(self, target: str) -> Answered:
        await self.ask(target)
        return await asyncio.wait_for(self.answer(), ANSWER_TIMEOUT_S)

    def close(self) -> None:
        """Ends it without a word to wait for, as a process that ends does."""
        self.writer.transport.abort()


def poll_target(known: int, *, app: str = APP, namespace: str = NAMESPACE, ip: str = "10.0.0.1") -> str:
    """The target of a long poll of one namespace."""
    asked = quote(json.dumps([{"namespaceName": namespace, "notificationId": known}]))
    return f"/notifications/v2?appId={app}&cluster=default&ip={ip}&notifications={asked}"


def read_target(*, app: str = APP, namespace: str = NAMESPACE, ip: str = "10.0.0.1", **more: str) -> str:
    """The target of a read."""
    query = "".join(f"&{name}={quote(value)}" for name, value in more.items())
    return f"/configs/{app}/default/{namespace}?ip={ip}{query}"


class Connections:
    """Opens connections for one test and ends them all after it."""

    def __init__(self) -> None:
        self._opened: list[Connection] = []

    async def open(self, node: ServerProcess, source: str | None = None, *, through: int | None = None) -> Connection:
        """Connects to a node, or to the port of a relay in front of it."""
        self._opened.append(await Connection.open(through or node.port, source))
        return self._opened[-1]

    async def close(self) -> None:
        for each in self._opened:
            each.close()
        self._opened.clear()
        await asyncio.sleep(0.01)  # for the sockets to be closed


@dataclass(slots=True)
class Member:
    """One client of a herd."""

    ports: Sequence[int]
    ip: str
    rng: random.Random
    namespace: str = NAMESPACE
    node: int = 0
    known: int = -1
    key: str = ""
    values: list[str] = field(default_factory=list)  # of the item ``n``, in the order in which they were read
    statuses: Counter[int] = field(default_factory=Counter)
    lost: int = 0  # connections that ended without an answer

    async def follow(self) -> None:
        """Follows until it is cancelled."""
        self.node = self.rng.randrange(len(self.ports))
        while True:
            connection = None
            try:
                connection = await Connection.open(self.ports[self.node])
                while await self._round(connection):
                    pass
            except (OSError, asyncio.IncompleteReadError):
                self.lost += 1
            finally:
                if connection is not None:
                    connection.close()
            await asyncio.sleep(self.rng.uniform(0, LONGEST_PAUSE_S))
            self.node = (self.node + 1) % len(self.ports)

    async def _round(self, connection: Connection) -> bool:
        """One poll and what follows from it; tells whether this node may be asked again."""
        answer = await connection.get(poll_target(self.known, namespace=self.namespace, ip=self.ip))
        self.statuses[answer.status] += 1
        if answer.status == 304:
            return True
        if answer.status != 200:
            return False
        (entry,) = answer.json()
        messages = json.dumps({"details": entry["messages"]["details"]}, separators=(",", ":"))
        target = read_target(namespace=self.namespace, ip=self.ip, messages=messages, releaseKey=self.key)
        read = await connection.get(target)
        self.statuses[read.status] += 1
        if read.status == 200:
            body = read.json()
            self.key = body["releaseKey"]
            self.values.append(body["configurations"]["n"])
        elif read.status not in (304, 404):
            return False  # it is told again, for it has not taken over the id
        self.known = entry["notificationId"]
        return True


@dataclass(slots=True)
class Herd:
    """All of them."""

    members: list[Member]

    def holding(self, value: str) -> int:
        """How many hold this value now."""
        return sum(member.values[-1:] == [value] for member in self.members)

    def all_hold(self, value: str) -> bool:
        return self.holding(value) == len(self.members)

    @property
    def statuses(self) -> Counter[int]:
        total: Counter[int] = Counter()
        for member in self.members:
            total += member.statuses
        return total


@asynccontextmanager
async def herd(ports: Sequence[int], size: int, *, namespace: str = NAMESPACE) -> AsyncIterator[Herd]:
    """Clients that follow while the block runs. One that fails in a way that no client may fails the test."""
    members = [
        Member(ports, f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", random.Random(number), namespace)
        for number in range(1, size + 1)
    ]
    tasks = [asyncio.create_task(member.follow()) for member in members]
    try:
        yield Herd(members)
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # for the sockets to be closed
        for ended in outcomes:
            if isinstance(ended, Exception):
                raise ended


def never_back(values: Sequence[str]) -> bool:
    """Whether numbers grew from one to the next."""
    numbers = [int(value) for value in values]
    return all(earlier < later for earlier, later in itertools.pairwise(numbers))


def gone_is_fine() -> suppress:
    """Passes over a connection that the other side ended."""
    return suppress(OSError, asyncio.IncompleteReadError)
