"""Follows the message table of one config database and keeps the indexes of its environments current.

The hint of the bus is only a hint: the table is read from the last id on after every hint, every few seconds, and
after each outage. New releases are in memory before anybody is woken.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import structlog

from helicon_server.bus.contract import Bus
from helicon_server.delivery.access import OpenSecret
from helicon_server.delivery.changes import gray_releases, read_changes
from helicon_server.delivery.environments import Environments
from helicon_server.delivery.folding import fold
from helicon_server.delivery.hub import Origin
from helicon_server.delivery.index import EnvironmentView
from helicon_server.delivery.looks import Looks
from helicon_server.delivery.parts import Head
from helicon_server.delivery.restore import State, lift, marks_of, origin_of, read_state, was_set_back
from helicon_server.delivery.snapshot.keeper import Restored, SnapshotKeeper
from helicon_server.delivery.store import ReleaseStore, identity
from helicon_server.domain.errors import Unavailable
from helicon_server.domain.model import LiveRelease, Message, MessageKind, Release
from helicon_server.storage.contract import ConfigDatabase, ConfigRead

_BATCH: Final = 500  # messages read at once
_PRELOAD_BYTES: Final = 32 * 1024 * 1024  # contents read with one batch; the rest is read when asked for
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 5.0
# A database that hangs is a database that is away.
_LOAD_DEADLINE_S: Final = 120.0
_READ_DEADLINE_S: Final = 15.0
_BUS_STOP_S: Final = 2.0

_log = structlog.get_logger("helicon.delivery")


def pause_after(failures: int) -> float:
    """Seconds to wait after so many failed rounds in a row: exponential with a ceiling, full jitter."""
    return random.uniform(0, min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(failures, 16)))  # noqa: S311 - no secret


class Follower:
    """Keeps one database's environments in memory. Everything runs in the event loop that called ``start``."""

    def __init__(
        self,
        database: ConfigDatabase,
        bus: Bus,
        store: ReleaseStore,
        *,
        sweep_s: float,
        on_fired: Callable[[Iterable[str], Origin | None], None],
        on_environments: Callable[[], None],
        on_definitions: Callable[[EnvironmentView, frozenset[str] | None], None],
        on_access: Callable[[EnvironmentView, frozenset[str]], None],
        open_secret: OpenSecret,
    ) -> None:
        self.database = database
        self.environments = Environments(self, open_secret, on_definitions=on_definitions, on_access=on_access)
        self.views = self.environments.views
        self.loaded = False
        self.seen_id = 0  # every message up to here is in the views
        self.away_since: datetime | None = None  # the database does not answer since then
        self.away_reason: str | None = None
        self.looked_at: float | None = None  # loop time of the last look at the table that came to its end
        self._bus = bus
        self._store = store
        self._sweep_s = sweep_s
        self._on_fired = on_fired
        self._on_environments = on_environments
        self._on_definitions = on_definitions  # with the folded names of the namespaces, None for all
        self._anchor: Message | None = None  # the message ``seen_id``: gone or another one when the table was set back
        self._set_back = False
        self._noticed = False  # and logged; the way back may take several rounds
        self.restored: Restored | None = None  # served since the start, until the database has answered
        self.keeper: SnapshotKeeper | None = None  # is told of every change
        self._origin: datetime | None = None
        self._careful = False  # the last round met something that cannot be decoded
        self._task: asyncio.Task[None] | None = None
        self._first: asyncio.Future[None] | None = None
        self._looks = Looks()
        self._failures = 0

    # --- life -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begins to follow and returns after the first load.

        Raises Unavailable when that failed; the follower goes on trying in the background nevertheless.
        """
        await self._bus.start(self.hint)
        self._first = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name=f"helicon-follow-{self.database.name}")
        await asyncio.shield(self._first)

    def restore(self, restored: Restored) -> None:
        """Serves what was kept on disk, until the database answers; does nothing when it has answered meanwhile."""
        if self.loaded:
            return
        self._serve(restored)
        self.away_since = restored.confirmed_at  # what is served is as old as that
        _log.warning(
            "delivery.snapshot_served",
            database=self.database.name,
            saved_at=restored.saved_at.isoformat(),
            current_at=restored.confirmed_at.isoformat(),
            seen_id=self.seen_id,
        )

    def head(self) -> Head:
        """What stands above everything that is served."""
        return self.environments.head(self.seen_id, self._anchor, self._origin)

    async def stop(self) -> None:
        """Ends following. Safe to call twice and before ``start``."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        try:
            async with asyncio.timeout(_BUS_STOP_S):
                await self._bus.stop()
        except TimeoutError:
            _log.warning("delivery.bus_stop_slow", database=self.database.name)

    def hint(self) -> None:
        """Says that there may be new messages: look at once, also in the middle of a pause after a failure."""
        self._looks.hint()

    async def catch_up(self, message_id: int, timeout_s: float) -> bool:
        """Returns True when the message is in the views, or a look that began after this call did not find it.

        Returns False after ``timeout_s``: then this node may be behind the client and must not pretend otherwise.
        """
        enough = self._looks.coming
        try:
            async with asyncio.timeout(timeout_s):
                while self.seen_id < message_id and self._looks.good < enough:
                    if self.away_since is None:
                        self._looks.nudge()  # clients must not shorten the pauses that spare a sick database
                    await self._looks.ended()
        except TimeoutError:
            _log.debug("delivery.behind_client", database=self.database.name, seen_id=self.seen_id)
            return False
        return True

    async def look(self, timeout_s: float) -> None:
        """Returns when a look at the table that began after this call has ended, or when it cannot be looked at.

        Whoever calls it meanwhile waits for the same look. Returns after ``timeout_s`` at the latest.
        """
        enough = self._looks.coming
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._looks.good < enough and self.away_since is None:
                    self._looks.nudge()
                    await self._looks.ended()

    # --- rounds -----------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._looks.begin()
            try:
                await self._round()
            except Unavailable as error:
                self._lost(error, str(error.details.get("reason", error.code)))
            except TimeoutError as error:
                self._lost(error, "timeout")
            except Exception as error:  # noqa: BLE001 - a follower that dies would freeze every client for ever
                self._careful = True  # one content that cannot be decoded must not stop all that come behind it
                _log.error("delivery.round_failed", database=self.database.name, error=repr(type(error)), exc_info=True)
                self._lost(error, "internal_error")
            else:
                self._back()
            self._looks.end()
            apart = random.uniform(0.9, 1.1)  # noqa: S311 - no secret; keeps nodes from sweeping in step
            await self._looks.pause(pause_after(self._failures) if self._failures else self._sweep_s * apart)

    async def _round(self) -> None:
        if not self.loaded:
            async with asyncio.timeout(_LOAD_DEADLINE_S):
                await self._load()
        if self.restored is not None:
            async with asyncio.timeout(_LOAD_DEADLINE_S):
                await self._require_the_same_database()
        more = True
        while more:
            async with asyncio.timeout(_READ_DEADLINE_S):
                more = await self._read_on()
            if self._set_back:
                async with asyncio.timeout(_LOAD_DEADLINE_S):
                    await self._recover(self.seen_id)
                self._set_back = False
        self._tell_first(None)

    async def _load(self) -> None:
        async with self.database.read() as tx:
            state = await read_state(tx)
        told = await self._told_before(state)
        if told is not None:
            self._serve(told)  # this very round finds that it was set back, and lifts
            return
        self._take_over(state)
        self.loaded = True
        self._changed()
        self._on_environments()
        self._tell_first(None)

    async def _told_before(self, state: State) -> Restored | None:
        """What this node served when it ran last, if the database was set back since; ids must grow for its clients.

        None also when there is no snapshot, or one of another database: then nothing is known, and nothing lifted.
        """
        kept = None if self.keeper is None else await self.keeper.restore(quiet=True)
        if kept is None or state.origin is None or kept.state.origin != state.origin:
            return None
        if kept.state.newest is not None and kept.state.newest == state.newest:
            return None
        async with self.database.read() as tx:
            return kept if await was_set_back(tx, kept.state) else None

    def _serve(self, restored: Restored) -> None:
        self._take_over(restored.state)
        self.loaded = True
        self.restored = restored
        self._on_environments()

    async def _require_the_same_database(self) -> None:
        """Goes over to another database than the one that the snapshot is of, as a node does that starts.

        Nothing may be lifted there: it was not set back.
        """
        async with self.database.read() as tx:
            if origin_of(await tx.environments.list()) == self._origin:
                return
            state = await read_state(tx)
        _log.error("delivery.snapshot_of_another_database", database=self.database.name)
        fired = self._take_over(state)
        self.restored = None
        self._changed()
        self._on_environments()
        self._on_fired(fired, None)
        for view in self.views.values():
            self._on_definitions(view, None)

    def _changed(self, messages: Sequence[Message] | None = None) -> None:
        """Tells the keeper what these messages changed; everything for None."""
        if self.keeper is None:
            return
        if messages is None:
            self.keeper.changed(at_once=True)
        else:
            # Without its database a node starts with the keys of its last save: that is to be soon.
            keys = any(message.kind is MessageKind.ACCESS_KEY for message in messages)
            self.keeper.changed(self.environments.parts_of(messages), at_once=keys)

    def _take_over(self, state: State) -> set[str]:
        """Puts a whole state in the place of the present one; returns the keys that have a new message."""
        fired = self.environments.take_over(state)
        self.seen_id = state.newest_id
        self._anchor = state.newest
        self._origin = state.origin
        return fired

    async def _read_on(self) -> bool:
        """Takes over the next messages; tells whether there may be more. Sets ``_set_back`` instead if that is so."""
        async with self.database.read() as tx:
            messages = await self._next_messages(tx)
            if not messages:
                return False
            origin = Origin(messages[0].created_at.timestamp(), asyncio.get_running_loop().time())
            changes = await read_changes(tx, messages, self.views.keys())
            contents = await self._contents(tx, changes.releases)
        self._keep(contents)
        fired, appeared = self.environments.take_changes(messages, changes)
        self._anchor = messages[-1]
        self.seen_id = messages[-1].id
        self._changed(messages)
        if appeared:
            self._on_environments()
        # Only now: whoever is woken finds the release here (Apollo client protocol, section 9).
        self._on_fired(fired, origin)
        for environment in {environment for environment, _ in changes.definitions} & self.views.keys():
            names = {fold(m.namespace) for m in messages if m.kind is MessageKind.DEFINITION}
            self._on_definitions(self.views[environment], frozenset(names))
        return len(messages) == _BATCH

    async def _next_messages(self, tx: ConfigRead) -> Sequence[Message]:
        """The messages behind ``seen_id``, with one statement that also tells whether the table was set back.

        A lower newest id would not tell: as many messages may have been published since. The last one read does.
        """
        if self._anchor is None:
            messages = await tx.messages.after(self.seen_id, limit=_BATCH)
            self._set_back = not messages and self.seen_id > 0 and await tx.messages.newest_id() < self.seen_id
            return messages
        messages = await tx.messages.after(self.seen_id - 1, limit=_BATCH + 1)
        self._set_back = not messages or messages[0] != self._anchor
        return () if self._set_back else messages[1:]

    async def _contents(self, tx: ConfigRead, live: Iterable[LiveRelease]) -> Iterable[Release]:
        """Reads what is not in memory of some releases, the newest first and not more than is sensible at once."""
        if self._careful:
            return ()
        wanted: list[int] = []
        total = 0
        for release in sorted(live, key=lambda each: each.message_id, reverse=True)[:_BATCH]:
            if self._store.keeps(release.size) and self._store.content(identity(self, release)) is None:
                total += release.size
                if total > _PRELOAD_BYTES and wanted:
                    break
                wanted.append(release.release_id)
        return (await tx.releases.contents(wanted)).values() if wanted else ()

    def _keep(self, contents: Iterable[Release]) -> None:
        for release in contents:
            self._store.take(self, release)

    # --- a database that was set back -------------------------------------------------------------

    async def _recover(self, told: int) -> None:
        """Goes over to what the database holds now, under ids greater than ``told``.

        Lifts the namespaces that are not what this node served. Safe to repeat when it fails in the middle: nothing
        is served before all of it is in the database.
        """
        async with self.database.read() as tx:
            found = await read_state(tx)
        if not self._noticed:
            self._noticed = True
            _log.warning(
                "delivery.database_restored",
                database=self.database.name,
                told_id=told,
                newest_id=found.newest_id,
            )
        served, present = self.environments.marks(), marks_of(found)
        changed = [
            mark.ref for name, mark in present.items() if (mark.message_id or 0) <= told and mark != served.get(name)
        ]
        gone = [
            mark.ref
            for name, mark in served.items()
            if name not in present and mark.ref.environment in found.environments
        ]
        lifted = await lift(self.database, [*changed, *gone], told)
        async with self.database.read() as tx:
            state = await read_state(tx)
            moved = {fold(str(ref)) for ref in lifted}
            live = {name: each for each in state.live if (name := fold(str(each.ref))) in moved}
            branches = {name: mark.branches for name, mark in marks_of(state).items() if name in moved}
            contents = await self._contents(tx, [*live.values(), *gray_releases(branches, live)])
        self._keep(contents)
        fired = self._take_over(state)
        present = marks_of(state)
        for ref, message_id in lifted.items():
            view = self.views.get(ref.environment)
            mark = present.get(fold(str(ref)))
            if view is not None and (mark is None or mark.message_id is None):
                branches_of = () if mark is None else mark.branches
                fired.add(view.put(ref, None, message_id, branches_of) or view.key_of(ref))
        self._changed()
        self._on_environments()
        self._on_fired(fired, None)
        for view in self.views.values():
            self._on_definitions(view, None)
        self._noticed = False

    # --- outages ----------------------------------------------------------------------------------

    def _lost(self, error: Exception, reason: str) -> None:
        self._failures += 1
        self.away_reason = reason
        if self.away_since is None:
            self.away_since = datetime.now(UTC) if self.restored is None else self.restored.confirmed_at
            _log.warning("delivery.database_lost", database=self.database.name, reason=reason)
        if not isinstance(error, Unavailable):
            message = f"The database {self.database.name!r} could not be loaded."
            error = Unavailable(message, details={"reason": reason})
        self._tell_first(error)

    def _back(self) -> None:
        self._failures = 0
        self._looks.succeed()
        self._careful = False
        self.restored = None
        if self.keeper is not None:
            self.keeper.current()
        self.looked_at = asyncio.get_running_loop().time()
        if self.away_since is not None:
            away_s = (datetime.now(UTC) - self.away_since).total_seconds()
            self.away_since = self.away_reason = None
            _log.info("delivery.database_back", database=self.database.name, away_s=round(away_s, 1))

    def _tell_first(self, error: Unavailable | None) -> None:
        """Tells ``start`` how the first load ended; later calls say nothing."""
        if self._first is None or self._first.done():
            return
        if error is None:
            self._first.set_result(None)
        else:
            self._first.set_exception(error)
