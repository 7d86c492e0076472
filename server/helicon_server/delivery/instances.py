"""What is noted of running clients, behind their answers (Apollo client protocol, section 14).

A note costs a look-up; what is new, or has not been stored for a while, waits in a bounded queue and is written in
batches by a task of its own. No request waits for it, and nothing is kept for a database that is away: clients ask
again.

Anybody can send any address, so what one node notes is bounded: an instance beyond the bounds is not recorded until
others were not seen for as long as a record is valid.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import structlog

from helicon_server.delivery.asking import parse_ip
from helicon_server.delivery.folding import fold
from helicon_server.domain.errors import Unavailable
from helicon_server.domain.instance import VALID_FOR, InstanceRelease
from helicon_server.storage.contract import ConfigDatabase

if TYPE_CHECKING:
    from helicon_server.delivery.index import EnvironmentView, Resolution

UNCHANGED_S: Final = 600.0  # an instance that is served the same release is stored again after this
_PENDING_LIMIT: Final = 10_000
# Of what is remembered as stored, and so of what one node leaves in the table while records are valid.
_KNOWN_LIMIT: Final = 200_000
_KNOWN_OF_APP_LIMIT: Final = 50_000
_BATCH: Final = 500
_PERIOD_S: Final = 5.0
_DEADLINE_S: Final = 10.0  # of one batch
_REFUSED_LIMIT: Final = 40  # transactions that one flush spends on looking for records that the database refuses
_FORGET_PERIOD_S: Final = 3600.0
_FORGET_AGAIN_S: Final = 60.0  # after a failure
_FORGET_AT_ONCE: Final = 5_000  # records forgotten in one transaction
_LAST_FLUSH_S: Final = 2.0
_LONGEST_TEXT: Final = 128  # characters of a label that a client names

_Identity = tuple[str, str, str, str, str, str, str]
_log = structlog.get_logger("helicon.delivery")


class InstanceRecorder:
    """Notes of one node. All calls belong to one event loop. ``clock`` is monotonic, in seconds."""

    def __init__(self, period_s: float = _PERIOD_S, clock: Callable[[], float] = time.monotonic) -> None:
        self.dropped = 0  # records that were never written, for metrics
        self.written = 0
        self._period_s = period_s
        self._clock = clock
        self._pending: dict[str, OrderedDict[_Identity, InstanceRelease]] = {}  # by database
        self._count = 0  # of all of them
        self._known: OrderedDict[_Identity, tuple[str, float]] = OrderedDict()  # the longest ago noted first
        self._known_of: Counter[str] = Counter()  # by folded app
        self._databases: Mapping[str, ConfigDatabase] = {}
        self._forget_at: dict[str, float] = {}  # by database
        self._task: asyncio.Task[None] | None = None

    # --- notes ------------------------------------------------------------------------------------

    def on_served(
        self,
        view: EnvironmentView,
        app: str,
        cluster: str,
        data_center: str,
        ip: str,
        label: str,
        resolution: Resolution,
    ) -> None:
        """Notes that an instance was served these releases, or holds them already. Never raises, never waits.

        Of a namespace that inherits, the release that wins is noted: a record names one release of each namespace,
        and the one below would take its place with every request. What sends no address could not be told from others,
        and text that cannot be shown is nobody's: neither is recorded.
        """
        address = parse_ip(ip)
        if address is None or len(label) > _LONGEST_TEXT or not (app + cluster + data_center + label).isprintable():
            return
        ip = str(address)  # one spelling, so that an instance is one
        now = self._clock()
        for release in (resolution.own or resolution.own_default, resolution.public or resolution.public_default):
            if release is None:
                continue
            ref = release.ref
            identity = (view.name, app, cluster, data_center, ip, ref.app, ref.namespace)
            known = self._known.get(identity)
            if known is not None and known[0] == release.release_key and now - known[1] < UNCHANGED_S:
                continue
            if known is None and not self._has_room(app, now):
                self.dropped += 1
                continue
            self._remember(identity, release.release_key, now)
            at = datetime.now(UTC)
            self._put(
                view.follower.database.name,
                identity,
                InstanceRelease(
                    view.name, app, cluster, data_center, ip, label,
                    ref.app, ref.cluster, ref.namespace, release.release_key, at, at,
                ),
            )  # fmt: skip

    def _put(self, database: str, identity: _Identity, record: InstanceRelease) -> None:
        pending = self._pending.setdefault(database, OrderedDict())
        before = len(pending)
        pending[identity] = record
        pending.move_to_end(identity)
        self._count += len(pending) - before
        if self._count > _PENDING_LIMIT:
            longest = max(self._pending.values(), key=len)
            oldest, _ = longest.popitem(last=False)
            self._count -= 1
            self._drop([oldest])

    def _has_room(self, app: str, now: float) -> bool:
        """Tells whether one more of an app may be remembered; records that are not valid any more make room."""
        while self._known:
            oldest, (_, noted_at) = next(iter(self._known.items()))
            if now - noted_at < VALID_FOR.total_seconds():
                break
            self._not_known(oldest)
        return len(self._known) < _KNOWN_LIMIT and self._known_of[fold(app)] < _KNOWN_OF_APP_LIMIT

    def _remember(self, identity: _Identity, release_key: str, now: float) -> None:
        if identity not in self._known:
            self._known_of[fold(identity[1])] += 1
        self._known[identity] = (release_key, now)
        self._known.move_to_end(identity)

    def _not_known(self, identity: _Identity) -> None:
        if self._known.pop(identity, None) is not None:
            app = fold(identity[1])
            self._known_of[app] -= 1
            if not self._known_of[app]:
                del self._known_of[app]

    def _drop(self, identities: Iterable[_Identity]) -> None:
        """Counts what is not written; it is noted again with the next request."""
        for identity in identities:
            self.dropped += 1
            self._not_known(identity)

    # --- writing ----------------------------------------------------------------------------------

    def start(self, databases: Iterable[ConfigDatabase]) -> None:
        """Begins to write behind."""
        self._databases = {database.name: database for database in databases}
        self._task = asyncio.create_task(self._run(), name="helicon-instances")

    async def stop(self) -> None:
        """Writes what is there, in bounded time. Safe to call twice."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        try:
            async with asyncio.timeout(_LAST_FLUSH_S):
                await self.flush()
        except TimeoutError:
            _log.warning("delivery.instances_dropped", records=self._count)

    async def flush(self) -> None:
        """Writes all that waits; what a database does not take is dropped and counted."""
        for name, database in self._databases.items():
            pending = self._pending.get(name)
            refused = [0]
            while pending:
                batch = dict(pending.popitem(last=False) for _ in range(min(_BATCH, len(pending))))
                self._count -= len(batch)
                if not await self._write(database, batch, refused):
                    self._count -= len(pending)
                    self._drop(pending)
                    pending.clear()

    async def forget(self) -> None:
        """Removes the records that are not valid any more, where it is time to, in chunks of a transaction each."""
        for name, database in self._databases.items():
            now = self._clock()
            # The first time some while after the start, so that a crash loop does not write much.
            if now < self._forget_at.setdefault(name, now + _FORGET_PERIOD_S):
                continue
            self._forget_at[name] = now + _FORGET_AGAIN_S  # until it has come to its end
            try:
                more = True
                while more:
                    async with asyncio.timeout(_DEADLINE_S), database.write() as tx:
                        gone = await tx.instances.forget_before(datetime.now(UTC) - VALID_FOR, limit=_FORGET_AT_ONCE)
                    more = gone >= _FORGET_AT_ONCE
            except (Unavailable, TimeoutError) as error:
                _log.debug("delivery.instances_not_forgotten", database=name, error=type(error).__name__)
            else:
                self._forget_at[name] = now + _FORGET_PERIOD_S

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._period_s * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
            try:
                await self.flush()
                await self.forget()
            except Exception as error:  # noqa: BLE001 - one that fails for a reason of its own must not end all others
                _log.error("delivery.instances_failed", error=repr(type(error)), exc_info=True)

    async def _write(
        self, database: ConfigDatabase, batch: Mapping[_Identity, InstanceRelease], refused: list[int]
    ) -> bool:
        """Writes a batch, halved until a record that the database refuses is alone; False when there is no database.

        ``refused`` counts refusals over a whole flush: a database that refuses everything is not asked row by row.
        """
        try:
            async with asyncio.timeout(_DEADLINE_S), database.write() as tx:
                await tx.instances.record(list(batch.values()))
        except (Unavailable, TimeoutError) as error:
            self._drop(batch)
            _log.debug("delivery.instances_dropped", database=database.name, error=type(error).__name__)
            return False
        except Exception as error:  # noqa: BLE001 - whatever refuses one record must not take the others with it
            refused[0] += 1
            if len(batch) > 1 and refused[0] <= _REFUSED_LIMIT:
                records = list(batch.items())
                middle = len(records) // 2
                first, second = dict(records[:middle]), dict(records[middle:])
                if await self._write(database, first, refused):
                    return await self._write(database, second, refused)
                self._drop(second)
                return False
            self._drop(batch)
            _log.warning(
                "delivery.instances_refused", database=database.name, records=len(batch), error=type(error).__name__
            )
            return refused[0] <= _REFUSED_LIMIT
        except BaseException:  # the node stops
            self._drop(batch)
            raise
        self.written += len(batch)
        return True
