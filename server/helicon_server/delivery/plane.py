"""The delivery plane of one node: its public face.

    plane = DeliveryPlane(sources=[(config_database, bus), ...], default_environment="DEV", options=DeliveryOptions())
    await plane.start()      # first load of each database
    outcome = plane.decide(method, target, header, peer)
    plane.begin_drain()      # at SIGTERM, before the HTTP server waits for its connections
    await plane.stop()

The plane starts and stops the buses that it is given.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import structlog

from helicon_server.bus.contract import Bus
from helicon_server.delivery.access import AccessGuard, OpenSecret, nothing_opens
from helicon_server.delivery.answers import container_error
from helicon_server.delivery.decision import Decider
from helicon_server.delivery.directory import Directory
from helicon_server.delivery.follower import Follower
from helicon_server.delivery.gaps import Gaps, look_at_all
from helicon_server.delivery.gate import Traffic, gate
from helicon_server.delivery.hub import (
    AppFullError,
    ClientFullError,
    HubFullError,
    MemoryShortError,
    Origin,
    PeerFullError,
    Waiter,
    Wake,
    WatchHub,
)
from helicon_server.delivery.instances import InstanceRecorder
from helicon_server.delivery.integrity import ContentCorruptError
from helicon_server.delivery.limits import RateLimits
from helicon_server.delivery.memory_guard import MemoryGuard, ProcessMemory
from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.outcomes import Answer, CatchUp, Defer, Elsewhere, Load, LoadBases, Look, Park, Resumed
from helicon_server.delivery.polls import compare
from helicon_server.delivery.pulse import Pulse
from helicon_server.delivery.registry import Registry
from helicon_server.delivery.short_way import OnServed
from helicon_server.delivery.snapshot.file import SnapshotFile
from helicon_server.delivery.snapshot.keeper import Restored, SnapshotKeeper
from helicon_server.delivery.snapshot.served import ServedByFollower
from helicon_server.delivery.store import Content, ReleaseId, ReleaseStore, identity
from helicon_server.delivery.waited import NOT_YET, Waited
from helicon_server.delivery.warmup import warm_up
from helicon_server.domain.errors import Unavailable
from helicon_server.storage.contract import ConfigDatabase

_TRIES: Final = 5  # waits for one request; each finds the next release that was published meanwhile
_DRAIN_DEADLINE_S: Final = 5.0
_BEHIND_LIMIT: Final = 5_000  # polls that wait for a database; more are answered sooner, and come back
_BEHIND_SLICE_S: Final = 2.0  # after which such a poll sees that the node is stopping

_log = structlog.get_logger("helicon.delivery")


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """What health answers tell of one database. ``away_since`` is None while it answers."""

    name: str
    loaded: bool
    seen_id: int  # every message up to here is served
    away_since: datetime | None
    reason: str | None
    snapshot: Restored | None = None  # it is served from the disk since the start


@dataclass(frozen=True, slots=True)
class Health:
    """Whether this node should be sent clients. A database that went away after the load does not change it."""

    ready: bool
    code: str | None  # why it is not ready: "not_loaded" or "draining"
    databases: Sequence[DatabaseHealth]


class DeliveryPlane:
    """Serves the environments of one or several config databases from memory."""

    def __init__(
        self,
        sources: Sequence[tuple[ConfigDatabase, Bus]],
        default_environment: str,
        options: DeliveryOptions | None = None,
        *,
        open_secret: OpenSecret = nothing_opens,
        on_served: OnServed | None = None,
        now: Callable[[], float] = time.time,
        registry: Registry | None = None,
        instances: InstanceRecorder | None = None,
        snapshots: Mapping[str, SnapshotFile] | None = None,
    ) -> None:
        """``open_secret`` opens the sealed secrets of access keys; without it, apps with a key get nothing.

        ``on_served`` is told of what instances are served, each instance and answer once in a while, and must be
        quick. ``now`` is the time that signed requests are compared with, in seconds since the epoch. ``registry``
        makes this node known to the others; without it discovery tells of this node alone. ``instances`` writes
        down what is served. ``snapshots`` are the files, by database, from which the plane starts while a database
        is away.
        """
        self.instances = instances
        self._registry = registry
        self.options = options or DeliveryOptions()
        self.store = ReleaseStore(self.options.content_budget_bytes)
        self.hub = WatchHub(
            max_waiters=self.options.max_waiters,
            slice_size=self.options.slice_size,
            hold_s=self.options.hold_s,
            max_bytes=self.options.max_waiters_bytes,
            max_waiters_per_peer=self.options.max_waiters_per_peer,
            max_waiters_per_app=self.options.max_waiters_per_app,
            max_waiters_per_client=self.options.max_waiters_per_client,
        )
        self._directory = Directory(default_environment)
        self._guard = guard = AccessGuard(self.options.access_key_tolerance_s, now)
        self._decider = Decider(self._directory, self.store, self.options, guard, on_served)
        self._followers = [
            Follower(
                database,
                bus,
                self.store,
                sweep_s=self.options.sweep_s,
                on_fired=self._fired,
                on_environments=self._environments_changed,
                on_definitions=self.hub.review,
                on_access=self.hub.release_apps,
                open_secret=open_secret,
            )
            for database, bus in sources
        ]
        self._keepers: dict[Follower, SnapshotKeeper] = {}
        for follower in self._followers:
            file = (snapshots or {}).get(follower.database.name)
            if file is not None:
                keeper = SnapshotKeeper(follower.database.name, file, ServedByFollower(follower, self.store))
                follower.keeper = self._keepers[follower] = keeper
        self.store.on_disk = self._content_on_disk
        self._warm_up: asyncio.Task[None] | None = None
        self._behind = 0  # polls that know more than this node and wait for its database
        self.traffic = Traffic()
        self._limits = RateLimits(self.options.requests_per_client, self.options.requests_per_address)
        self.memory = ProcessMemory(self.options.memory_limit_bytes)
        self.memory_guard = MemoryGuard(self.hub, self.store, self.memory)
        self.hub.look = self.memory_guard.look
        self._gaps = Gaps(lambda: look_at_all(self._followers, self.options.catch_up_s))
        every_second = [self._limits.next_window, self.memory_guard.look, self._decider.short_way.second_passed]
        self.pulse = Pulse(every_second, self._gaps)
        self.decide = gate(self._decider.decide, self.traffic, self._limits, self._gaps, self.options.retry_after_s)

    # --- life -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begins to follow every database and returns after the first load of each, or with its snapshot instead.

        Raises Unavailable when one could not be loaded and has no snapshot. The plane runs on nevertheless and loads
        it later by itself; until then it is not ready. Call ``stop`` if that is not wanted.
        """
        self.pulse.start()
        outcomes = await asyncio.gather(*(follower.start() for follower in self._followers), return_exceptions=True)
        if self.options.warm_up:
            self._warm_up = asyncio.create_task(warm_up(self._followers, self.store), name="helicon-warm-up")
        failed = []
        for follower, outcome in zip(self._followers, outcomes, strict=True):
            if isinstance(outcome, BaseException) and not await self._restored(follower):
                failed.append(outcome)
        databases = [follower.database for follower in self._followers]
        for keeper in self._keepers.values():
            keeper.start()
        if self.instances is not None:
            self.instances.start(databases)
        if self._registry is not None:
            self._registry.start(databases, lambda: self.ready)
        if failed:
            raise failed[0]

    async def _restored(self, follower: Follower) -> bool:
        keeper = self._keepers.get(follower)
        restored = None if keeper is None else await keeper.restore()
        if restored is not None:
            follower.restore(restored)
        return follower.loaded

    def begin_drain(self) -> None:
        """Answers every held poll with 304 and refuses new ones with 503; reads go on. Safe to call twice.

        To be called as soon as the process is told to stop: an HTTP server that waits for its connections would
        otherwise wait for the held polls.
        """
        if not self._decider.polls.draining:
            self._decider.polls.draining = True
            if self._registry is not None:
                self._registry.leave()
            _log.info("delivery.draining", held_polls=len(self.hub))
            self.hub.release_all()

    async def stop(self) -> None:
        """Drains, then stops following. Safe to call twice and after a failed ``start``."""
        self.begin_drain()
        self.pulse.stop()
        try:
            async with asyncio.timeout(_DRAIN_DEADLINE_S):
                await self.hub.empty()
        except TimeoutError:
            _log.warning("delivery.drain_slow", held_polls=len(self.hub))
        warming, self._warm_up = self._warm_up, None
        if warming is not None:
            warming.cancel()
            await asyncio.gather(warming, return_exceptions=True)
        await asyncio.gather(*(follower.stop() for follower in self._followers))
        if self._registry is not None:
            await self._registry.stop()
        if self.instances is not None:
            await self.instances.stop()
        await asyncio.gather(*(keeper.stop() for keeper in self._keepers.values()))
        self._decider.compressor.close()

    # --- requests ---------------------------------------------------------------------------------

    async def resolve(self, defer: Defer) -> Answer | Park:
        """Waits for what a deferred request needs and decides it then. Not for ``Elsewhere``."""
        outcome = await self._resolved(defer)
        if isinstance(outcome, Answer):
            self.traffic.answered(defer.request.target, outcome)
        return outcome

    def park(self, park: Park, wake: Wake) -> Waiter | Answer:
        """Registers a poll, then compares once more; ``wake`` is called once, later, unless an answer is returned."""
        parked = self._parked(park, wake)
        if isinstance(parked, Answer):
            self.traffic.answered(park.path, parked)
        return parked

    async def _resolved(self, defer: Defer) -> Answer | Park:
        request = defer.request
        waited = Waited()
        began = asyncio.get_running_loop().time()
        for _ in range(_TRIES):
            match defer.work:
                case CatchUp(view, message_id, too_late, hold_s):
                    if not await self._caught_up(view.follower, message_id, hold_s):
                        return too_late
                case Look(view):
                    await view.follower.look(self.options.catch_up_s)
                case Load(view, releases):
                    try:
                        found = await self.store.load(view.follower, releases)
                    except Unavailable:
                        return self._unavailable(request.path, "database_unavailable", "The database does not answer.")
                    except ContentCorruptError:
                        return self._unavailable(request.path, "release_corrupt", "The stored release is damaged.")
                    waited.contents.update(found)
                    waited.gone.update(
                        each.release_key for each in releases if identity(view.follower, each) not in found
                    )
                case LoadBases(view, keys):
                    waited.bases = await self._decider.bases.load(view, keys)
                case Resumed():
                    pass  # every wait ends with this one
                case Elsewhere():
                    raise ValueError("discovery and health are answered by the HTTP face")
            await self._gaps.over()  # nearly always at once
            outcome = self._decider.decide_again(request, NOT_YET if isinstance(defer.work, Resumed) else waited)
            if isinstance(outcome, Park):  # no client waits for longer than one hold
                left = outcome.hold_s - (asyncio.get_running_loop().time() - began)
                return replace(outcome, hold_s=max(0.0, left))
            if isinstance(outcome, Answer):
                return outcome
            defer = outcome
        return self._unavailable(request.path, "release_unavailable", "The release could not be read.")

    async def _caught_up(self, follower: Follower, message_id: int, hold_s: float) -> bool:
        """Waits until a node that may be behind its client is not; False when the wait is over.

        While the database is away, a poll that was told by another node is kept here and not in the hub: the first
        look behind the outage would wake it there for what it knows. Answered 304 at once, it would only come back.
        """
        if await follower.catch_up(message_id, self.options.catch_up_s):
            return True
        if self._behind >= _BEHIND_LIMIT or self.hub.ceiling is not None:
            return False
        loop = asyncio.get_running_loop()
        deadline = loop.time() + hold_s - self.options.catch_up_s
        self._behind += 1
        try:
            while (left := deadline - loop.time()) > 0 and not self._decider.polls.draining:
                if await follower.catch_up(message_id, min(left, _BEHIND_SLICE_S)):
                    return True
        finally:
            self._behind -= 1
        return False

    def _parked(self, park: Park, wake: Wake) -> Waiter | Answer:
        if self._decider.polls.draining:
            message = "This server is stopping; ask another one."
            return self._unavailable(park.path, "draining", message)
        try:
            waiter = self.hub.park(park.view, park.watched, wake, park.hold_s, park.peer, park.target, park.header)
        except ClientFullError:
            message = "This server holds as many polls of one client as it may."
            return self._no_room(park.path, "too_many_polls_of_client", message)
        except PeerFullError:
            message = "This server holds as many polls of one address, or as much for them, as it may."
            return self._no_room(park.path, "too_many_polls_of_address", message)
        except AppFullError:
            message = "This server holds as many polls of one app as it may."
            return self._no_room(park.path, "too_many_polls_of_app", message)
        except MemoryShortError:
            message = "This server has little memory left; ask another one."
            return self._unavailable(park.path, "memory_short", message)
        except HubFullError:
            message = "This server holds as many polls as it may; ask another one."
            return self._unavailable(park.path, "too_many_polls", message)
        news = compare(park.view, park.watched, park.known)
        if news is not None:
            self.hub.overtaken(waiter)
            return news
        return waiter

    # --- state ------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Every database's index is loaded, and the node is not stopping."""
        return self._directory.complete and not self._decider.polls.draining

    @property
    def remembered_bytes(self) -> int:
        """What the remembered paths of answers take at most, for tests and metrics."""
        return self._decider.short_way.remembered_bytes

    @property
    def long_way(self) -> int:
        """Decisions that no remembered path answered, for metrics."""
        return self._decider.long_way

    def reads(self) -> dict[str, int]:
        """Reads that were served, 304 among them, by how: the short way, the long way, or behind a wait; for metrics.

        All of them are counted already: only those that took longer are counted once more.
        """
        tallies = self.traffic.tallies
        served = sum(tallies[name].ok + tallies[name].not_modified for name in ("configs", "configfiles"))
        long, waited = self._decider.long_reads, self._decider.waited_reads
        return {"short": served - long - waited, "long": long, "waited": waited}

    @property
    def observed(self) -> Mapping[str, int]:
        """Requests that observer keys found not to be signed, by code, for metrics."""
        return self._guard.observed.counts

    @property
    def compressed(self) -> int:
        """Answers that were sent in gzip, for metrics."""
        return self._decider.compressor.sent

    def answered(self) -> Iterator[tuple[str, str, int]]:
        """(surface, class of the status, how many) of all requests so far, for metrics."""
        polls = self.hub.polls
        later = {"2xx": polls.woken, "304": polls.timed_out + polls.redefined + polls.stopped}
        for surface, tally in self.traffic.tallies.items():
            for status, count in tally.by_class().items():
                yield surface, status, count + (later.get(status, 0) if surface == "notifications" else 0)

    def looked_ago(self) -> Iterator[tuple[str, float]]:
        """(database, seconds since its messages were last read to the end) of every loaded database, for metrics."""
        now = asyncio.get_running_loop().time()
        for follower in self._followers:
            if follower.looked_at is not None:
                yield follower.database.name, now - follower.looked_at

    def addresses(self, environment: str | None, own: str) -> Sequence[str]:
        """Where an environment is served: ``own``, as the client reached this node, and the other nodes that are alive.

        A node that stops is no longer one of them.
        """
        view = self._directory.find(environment)
        others: Sequence[str] = ()
        if self._registry is not None and view is not None:
            others = self._registry.others(view.follower.database.name)
        return others if self._decider.polls.draining else (own, *others)

    def health(self) -> Health:
        """A snapshot for health answers."""
        code = "draining" if self._decider.polls.draining else None if self._directory.complete else "not_loaded"
        databases = [
            DatabaseHealth(
                each.database.name, each.loaded, each.seen_id, each.away_since, each.away_reason, each.restored
            )
            for each in self._followers
        ]
        return Health(code is None, code, databases)

    def snapshot_ages(self) -> Iterator[tuple[str, float]]:
        """(database, seconds) since the snapshot on disk was known to be current; none that was never written."""
        now = datetime.now(UTC)
        for follower, keeper in self._keepers.items():
            if keeper.confirmed_at is not None:
                yield follower.database.name, (now - keeper.confirmed_at).total_seconds()

    @property
    def snapshot_failures(self) -> int:
        """Attempts to write a snapshot that failed, for metrics."""
        return sum(keeper.failures for keeper in self._keepers.values())

    # --- parts ------------------------------------------------------------------------------------

    async def _content_on_disk(self, release: ReleaseId) -> Content | None:
        follower, _, release_key = release
        keeper = self._keepers.get(follower)
        body = None if keeper is None else await keeper.content(release_key)
        return None if body is None else Content(body)

    def _fired(self, keys: Iterable[str], origin: Origin | None = None) -> None:
        self.hub.fire(keys, origin)

    def _environments_changed(self) -> None:
        self._directory.rebuild(self._followers)

    def _unavailable(self, path: bytes, code: str, message: str) -> Answer:
        return self._refusal(503, code, message, path)

    def _no_room(self, path: bytes, code: str, message: str) -> Answer:
        return self._refusal(429, code, message, path)

    def _refusal(self, status: int, code: str, message: str, path: bytes) -> Answer:
        return container_error(status, code, message, path, retry_after_s=self.options.retry_after_s)
