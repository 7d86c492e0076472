"""One run: writers, watchers and faults over a cluster, and the history that they leave."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial

import httpx

from tests.faults import faults
from tests.faults.cluster import Cluster
from tests.faults.events import Event, History, Made, Settled, Stored
from tests.faults.gray import LABEL, branch_off
from tests.faults.plan import ENDURED, FaultPlan, Kind, Plan
from tests.faults.watchers import RawWatcher, SdkWatcher
from tests.faults.writers import Writer, number_of
from tests.support.management import Management

SETTLE_S = 40.0  # the SDK's longest pause between attempts, and then some
LOOK_S = 0.05


def run(cluster: Cluster, plan: Plan) -> History:
    """Carries a plan out on a cluster that is well, and leaves it well."""
    app = f"run-{plan.seed}-{time.time_ns():x}"
    with Management(cluster.nodes[0].url) as management:
        management.create_app(app)
        for namespace in plan.namespaces:
            management.create_namespace(app, namespace)
        replaced = branch_off(cluster, management, app) if plan.gray else None
    try:
        return asyncio.run(_Run(cluster, plan, app, replaced).go())
    finally:
        cluster.heal()


@dataclass(slots=True)
class _Run:
    cluster: Cluster
    plan: Plan
    app: str
    replaced_id: int | None  # of a message in whose place the branch's came before anybody looked
    history: History = field(default_factory=History)
    writers: list[Writer] = field(default_factory=list)
    watchers: list[RawWatcher | SdkWatcher] = field(default_factory=list)

    async def go(self) -> History:
        async with AsyncExitStack() as stack:
            # Loopback only: never through a proxy that the machine may have.
            http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, verify=False))
            await self._join(stack, http)
            await self._part("before the fault", 1)
            await self._disturbed()
            await self._part("after the fault", 1)
        self.history.stored = await asyncio.to_thread(self._stored)
        return self.history

    def _record(self, event: Event) -> None:
        self.history.events.append(event)

    async def _join(self, stack: AsyncExitStack, http: httpx.AsyncClient) -> None:
        plan = self.plan
        urls = [node.url for node in self.cluster.nodes[: plan.nodes]]
        for number in range(plan.writers):
            name = f"w{number}"
            self.writers.append(Writer(name, self.app, plan.namespaces, urls, plan.rng(name), http, self._record))
        for number in range(plan.raw_watchers):
            name = f"raw{number}"
            raw = RawWatcher(
                name,
                self.app,
                plan.namespaces,
                urls,
                plan.rng(name),
                http,
                self._record,
                loyal=plan.loyal,
                label=self._label(number),
            )
            self.watchers.append(raw)
            following = asyncio.create_task(raw.follow(), name=name)
            stack.push_async_callback(_end, following)
        for number in range(plan.sdk_watchers):
            name = f"sdk{number}"
            sdk = await asyncio.to_thread(
                partial(SdkWatcher, label=self._label(number)),
                name,
                self.app,
                plan.namespaces,
                urls,
                plan.rng(name),
                self._record,
            )
            self.watchers.append(sdk)
            stack.push_async_callback(asyncio.to_thread, sdk.close)

    def _label(self, number: int) -> str | None:
        """Of a watcher: the first of each kind has one."""
        return LABEL if self.plan.gray and number % 2 == 0 else None

    async def _disturbed(self) -> None:
        passing = [fault for fault in self.plan.faults if fault.kind not in ENDURED]
        async with AsyncExitStack() as stack:
            for fault in self.plan.faults:
                if fault.kind in ENDURED:
                    await stack.enter_async_context(faults.enduring(self.cluster, fault, self._record))
                if fault.kind is Kind.BEHIND:
                    for writer in self.writers:
                        writer.avoided.add(fault.node)
            striking = asyncio.create_task(self._strike(passing))
            await self._part("during the fault", self.plan.publishes, striking)
            await striking
        for writer in self.writers:
            writer.avoided.clear()

    async def _strike(self, passing: list[FaultPlan]) -> None:
        for fault in passing:
            await faults.strike(self.cluster, fault, self._record)

    async def _part(self, name: str, publishes: int, striking: asyncio.Task[None] | None = None) -> None:
        """All writers at once, and then a look at every watcher when it holds what is live, or never will."""
        enough = striking.done if striking is not None else lambda: True
        await asyncio.gather(*(writer.publish_some(publishes, enough) for writer in self.writers))
        live = await asyncio.to_thread(self._live)
        end = time.monotonic() + SETTLE_S
        while True:
            held = {watcher.name: dict(watcher.held) for watcher in self.watchers}
            if all(each.items() >= live.items() for each in held.values()) or time.monotonic() > end:
                break
            await asyncio.sleep(LOOK_S)
        self._record(Settled(name, live, held))

    def _live(self) -> dict[str, str]:
        live = {stored.made.namespace: stored.number for stored in self._stored()}
        return {namespace: live[namespace] for namespace in self.plan.namespaces if namespace in live}

    def _stored(self) -> list[Stored]:
        """What the database holds. The transaction that wrote a release wrote its message: both name it (``xmin``).

        Releases of a branch are left out: each is made with one of its namespace, and has that one's number. Only the
        first was made alone, and its message stands for the one that it replaced.
        """
        rows = json.loads(
            self.cluster.sql(
                "SELECT coalesce(json_agg(r ORDER BY r.id), '[]') FROM (SELECT id, key, namespace, configurations,"
                f" xmin::text AS made_in FROM releases WHERE app = '{self.app}' AND cluster = 'default') r"
            )
        )
        messages = json.loads(
            self.cluster.sql(
                "SELECT coalesce(json_agg(m ORDER BY m.id), '[]') FROM (SELECT id, namespace, xmin::text AS made_in"
                f" FROM messages WHERE app = '{self.app}' AND kind = 'release') m"
            )
        )
        ids = {(message["namespace"], message["made_in"]): message["id"] for message in messages}
        assert len(ids) == len(messages), f"a transaction wrote two messages of a namespace of {self.app}"
        alone = set(ids) - {(row["namespace"], row["made_in"]) for row in rows}
        assert len(alone) == (self.replaced_id is not None), f"messages without a release of {self.app}: {alone}"
        stored = []
        for row in rows:
            id_ = ids[row["namespace"], row["made_in"]]
            if id_ == self.replaced_id:
                id_ = ids[alone.pop()]
            made = Made(row["namespace"], row["id"], id_, row["key"])
            stored.append(Stored(number_of(row["namespace"], _mapping(row["configurations"])), made))
        return stored


def _mapping(stored: dict[str, str] | str) -> dict[str, str]:
    found: dict[str, str] = json.loads(stored) if isinstance(stored, str) else stored
    return found


async def _end(task: asyncio.Task[None]) -> None:
    if task.done():
        task.result()  # a watcher that failed fails the run
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
