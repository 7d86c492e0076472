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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from helicon_server.bus.contract import Bus
from helicon_server.delivery.answers import container_error
from helicon_server.delivery.decision import Decider
from helicon_server.delivery.directory import Directory
from helicon_server.delivery.follower import Follower
from helicon_server.delivery.hub import HubFullError, PeerFullError, Waiter, Wake, WatchHub
from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.outcomes import Answer, CatchUp, Defer, Elsewhere, Load, Park
from helicon_server.delivery.polls import compare
from helicon_server.delivery.requests import Request
from helicon_server.delivery.store import Content, ReleaseId, ReleaseStore
from helicon_server.delivery.warmup import warm_up
from helicon_server.domain.errors import Unavailable
from helicon_server.storage.contract import ConfigDatabase

_TRIES: Final = 5  # waits for one request; each finds the next release that was published meanwhile
_DRAIN_DEADLINE_S: Final = 5.0

_log = structlog.get_logger("helicon.delivery")


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """What health answers tell of one database. ``away_since`` is None while it answers."""

    name: str
    loaded: bool
    seen_id: int  # every message up to here is served
    away_since: datetime | None
    reason: str | None


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
    ) -> None:
        self.options = options or DeliveryOptions()
        self.store = ReleaseStore(self.options.content_budget_bytes)
        self.hub = WatchHub(
            max_waiters=self.options.max_waiters,
            slice_size=self.options.slice_size,
            hold_s=self.options.hold_s,
            max_watched=self.options.max_watched,
            max_waiters_per_peer=self.options.max_waiters_per_peer,
        )
        self._directory = Directory(default_environment)
        self._decider = Decider(self._directory, self.store, self.options)
        self._followers = [
            Follower(
                database,
                bus,
                self.store,
                sweep_s=self.options.sweep_s,
                on_fired=self._fired,
                on_environments=self._environments_changed,
                on_definitions=self.hub.review,
            )
            for database, bus in sources
        ]
        self._warm_up: asyncio.Task[None] | None = None
        self.decide = self._decider.decide  # the hit path pays for no second call

    # --- life -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begins to follow every database and returns after the first load of each.

        Raises Unavailable when one could not be loaded. The plane runs on nevertheless and loads it later by itself;
        until then it is not ready. Call ``stop`` if that is not wanted.
        """
        outcomes = await asyncio.gather(*(follower.start() for follower in self._followers), return_exceptions=True)
        if self.options.warm_up:
            self._warm_up = asyncio.create_task(warm_up(self._followers, self.store), name="helicon-warm-up")
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    def begin_drain(self) -> None:
        """Answers every held poll with 304 and refuses new ones with 503; reads go on. Safe to call twice.

        To be called as soon as the process is told to stop: an HTTP server that waits for its connections would
        otherwise wait for the held polls.
        """
        if not self._decider.draining:
            self._decider.draining = True
            _log.info("delivery.draining", held_polls=len(self.hub))
            self.hub.release_all()

    async def stop(self) -> None:
        """Drains, then stops following. Safe to call twice and after a failed ``start``."""
        self.begin_drain()
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

    # --- requests ---------------------------------------------------------------------------------

    async def resolve(self, defer: Defer) -> Answer | Park:
        """Waits for what a deferred request needs and decides it then. Not for ``Elsewhere``."""
        request = defer.request
        contents: dict[ReleaseId, Content] = {}
        for _ in range(_TRIES):
            match defer.work:
                case CatchUp(view, message_id, too_late):
                    if not await view.follower.catch_up(message_id, self.options.catch_up_s):
                        return too_late
                case Load(view, releases):
                    try:
                        contents.update(await self.store.load(view.follower, releases))
                    except Unavailable:
                        return self._unavailable(request, "database_unavailable", "The database does not answer.")
                case Elsewhere():
                    raise ValueError("discovery and health are answered by the HTTP face")
            outcome = self._decider.decide_again(request, contents)
            if not isinstance(outcome, Defer):
                return outcome
            defer = outcome
        return self._unavailable(request, "release_unavailable", "The release could not be read.")

    def park(self, park: Park, wake: Wake) -> Waiter | Answer:
        """Registers a poll, then compares once more; ``wake`` is called once, later, unless an answer is returned."""
        if self._decider.draining:
            return container_error(
                503, "draining", "This server is stopping; ask another one.", b"/notifications/v2", retry_after_s=1
            )
        try:
            waiter = self.hub.park(park.view, park.watched, wake, park.hold_s, park.peer)
        except PeerFullError:
            return container_error(
                429,
                "too_many_polls_of_address",
                "This server holds as many polls of one address, or for as many names, as it may.",
                b"/notifications/v2",
                retry_after_s=self.options.retry_after_s,
            )
        except HubFullError:
            return container_error(
                503,
                "too_many_polls",
                "This server holds as many polls as it may; ask another one.",
                b"/notifications/v2",
                retry_after_s=self.options.retry_after_s,
            )
        news = compare(park.view, park.watched, park.known)
        if news is not None:
            waiter.release()
            return news
        return waiter

    # --- state ------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Every database's index is loaded, and the node is not stopping."""
        return self._directory.complete and not self._decider.draining

    @property
    def remembered_bytes(self) -> int:
        """What the remembered paths of answers take at most, for tests and metrics."""
        return self._decider.hit_bytes

    def health(self) -> Health:
        """A snapshot for health answers."""
        code = "draining" if self._decider.draining else None if self._directory.complete else "not_loaded"
        databases = [
            DatabaseHealth(each.database.name, each.loaded, each.seen_id, each.away_since, each.away_reason)
            for each in self._followers
        ]
        return Health(code is None, code, databases)

    # --- parts ------------------------------------------------------------------------------------

    def _fired(self, keys: Iterable[str]) -> None:
        self.hub.fire(keys)

    def _environments_changed(self) -> None:
        self._directory.rebuild(self._followers)

    def _unavailable(self, request: Request, code: str, message: str) -> Answer:
        return container_error(503, code, message, request.path, retry_after_s=self.options.retry_after_s)
