"""Keeps the snapshot of one database: written behind what the node serves, read when the database is away.

A save takes the parts that changed since the last one, some in each turn of the loop, and those that change meanwhile
once more; the last of them with the head in one turn. So what is saved is what was served at one moment.

Nothing here is on the path of a request or of a release. What fails on the disk is a warning and a number; the node
goes on, and tries again.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Final, Protocol, TypeVar

import structlog

from helicon_server.delivery.parts import Head, Part, PartName
from helicon_server.delivery.restore import State
from helicon_server.delivery.snapshot.book import Book, Plan, Wanted
from helicon_server.delivery.snapshot.encoding import StateUnreadableError, decode, encode
from helicon_server.delivery.snapshot.file import ABSENT, SavedContent, SnapshotFile, SnapshotUnusableError
from helicon_server.domain.errors import Unavailable

_SHORTEST_PAUSE_S: Final = 1.0  # between two saves: a burst of releases is saved a few times, not each by each
_SHARE: Final = 10.0  # of the time at most goes into saving
_CONFIRM_S: Final = 60.0
_RETRY_S: Final = 15.0  # after a failure
_LAST_SAVE_S: Final = 2.0
_PARTS_AT_ONCE: Final = 500  # in one turn of the loop; about a millisecond
_CHUNK_COUNT: Final = 200
_CHUNK_BYTES: Final = 4 * 1024 * 1024

T = TypeVar("T")
_MISSED_TOLD: Final = 1000  # damaged contents that the log tells of, before the database is back
_log = structlog.get_logger("helicon.delivery")


class Served(Protocol):
    """What the keeper asks of the node: what it serves of one database."""

    def head(self) -> Head:
        """What stands above the parts, of this moment."""
        ...

    def part_names(self) -> Iterator[PartName]:
        """All parts that there are. Quick: it is asked within one turn of the loop."""
        ...

    def part(self, name: PartName) -> Part | None:
        """One part of this moment, None when there is none of this name any more."""
        ...

    async def contents(self, wanted: Sequence[Wanted]) -> Mapping[str, bytes]:
        """Encoded contents by release key, from memory or from the database; those without a good copy are left out.

        Raises Unavailable.
        """
        ...


@dataclass(frozen=True, slots=True)
class Restored:
    """A state from the disk. ``confirmed_at`` is when the database last held nothing newer."""

    state: State
    saved_at: datetime
    confirmed_at: datetime


class SnapshotKeeper:
    """Belongs to one event loop; the file is touched in a thread of its own."""

    def __init__(self, name: str, file: SnapshotFile, served: Served) -> None:
        self.confirmed_at: datetime | None = None  # the file holds what the database held then
        self.failures = 0  # saves that failed, for metrics
        self._name = name
        self._file = file
        self._served = served
        self._missed: set[str] = set()  # contents that a restored state names and the file does not give
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"helicon-snapshot-{name}")
        self._book: Book | None = None  # what is in the file; None until it is open to write
        self._saved: bytes | None = None  # the head
        self._dirty = asyncio.Event()
        self._at_once = asyncio.Event()
        self._everything = True  # has changed, or may have; else
        self._changed: set[PartName] = set()
        self._current_at: datetime | None = None
        self._failing = False
        self._task: asyncio.Task[None] | None = None

    # --- reading ----------------------------------------------------------------------------------

    async def restore(self, *, quiet: bool = False) -> Restored | None:
        """The state that was saved last; None, with the reason in the log, when there is none to be used.

        ``quiet`` says nothing of a file that is not there, as before a node's first start.
        """
        try:
            saved = await self._in_thread(self._file.load)
            state = await self._in_thread(partial(decode, saved.head, saved.parts))
        except SnapshotUnusableError as error:
            if not (quiet and error.reason == ABSENT):
                _log.warning("delivery.snapshot_ignored", database=self._name, reason=error.reason)
            return None
        except OSError as error:  # of the folder; SQLite has errors of its own
            detail = type(error).__name__
            _log.warning("delivery.snapshot_ignored", database=self._name, reason="unreadable", detail=detail)
            return None
        except StateUnreadableError as error:
            _log.warning("delivery.snapshot_ignored", database=self._name, reason="unreadable", detail=str(error))
            return None
        self.confirmed_at = saved.confirmed_at
        return Restored(state, saved.saved_at, saved.confirmed_at)

    async def content(self, release_key: str) -> bytes | None:
        """The encoded content of a release; None when the file has no good copy."""
        body = await self._in_thread(partial(self._file.content, release_key))
        if body is None and self._book is not None:
            if release_key in self._book.contents:
                self._tell_corrupt(release_key)
                self._book.contents.discard(release_key)  # written anew with the next save
                self.changed()
        elif body is None and release_key not in self._missed and len(self._missed) < _MISSED_TOLD:
            self._missed.add(release_key)  # every live release is in a file that nobody damaged
            self._tell_corrupt(release_key)
        return body

    def _tell_corrupt(self, release_key: str) -> None:
        _log.error("delivery.content_corrupt", database=self._name, release_key=release_key, where="snapshot")

    # --- writing ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begins to save behind every change."""
        self._task = asyncio.create_task(self._run(), name=f"helicon-snapshot-{self._name}")

    async def stop(self) -> None:
        """Saves once more if need be, in bounded time, and gives the file back. Safe to call twice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if self._dirty.is_set():
                try:
                    async with asyncio.timeout(_LAST_SAVE_S):
                        await self._save()
                except (TimeoutError, Unavailable, sqlite3.Error, OSError) as error:
                    _log.warning("delivery.snapshot_failed", database=self._name, error=type(error).__name__)
            await self._in_thread(self._file.close)
        self._thread.shutdown(wait=False)

    def changed(self, parts: Iterable[PartName] | None = None, *, at_once: bool = False) -> None:
        """Says that something else is served now: these parts, or anything for None, or only the head for no part.

        ``at_once`` for what a node that is killed must not start without, such as access keys.
        """
        if parts is None:
            self._everything = True
            self._changed.clear()
        elif not self._everything:
            self._changed.update(parts)
        self._dirty.set()
        if at_once:
            self._at_once.set()

    def current(self) -> None:
        """Says that the database holds nothing newer than what is served."""
        self._current_at = datetime.now(UTC)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout(_CONFIRM_S):
                    await self._dirty.wait()
            except TimeoutError:
                pass
            begun = loop.time()
            try:
                await self._save() if self._dirty.is_set() else await self._confirm()
            except Unavailable:  # a content is missing; the older state stays, for it is whole
                self._dirty.set()
                pause = _RETRY_S
            except (sqlite3.Error, OSError) as error:
                self._failed(error)
                pause = _RETRY_S
            except Exception as error:  # noqa: BLE001 - a keeper that dies would leave an old snapshot for ever
                _log.error("delivery.snapshot_failed", database=self._name, error=repr(type(error)), exc_info=True)
                self._failed(None)
                pause = _RETRY_S
            else:
                self._works()
                pause = max(_SHORTEST_PAUSE_S, _SHARE * (loop.time() - begun))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._at_once.wait()

    async def _save(self) -> None:
        self._at_once.clear()
        if not await self._own():
            return
        assert self._book is not None, "the file is ours"
        book = self._book
        self._dirty.clear()
        current_at = self._current_at or datetime.now(UTC)
        taken: dict[PartName, Part | None] = {}
        full: bool | None = None  # not known yet
        try:
            full = await self._take(taken)
            head = encode(self._served.head())  # in the turn of the loop that took the last part
            plan = await self._in_thread(partial(book.plan, taken, full=full))
            for chunk in _chunks(plan.wanted):
                found = await self._served.contents(chunk)
                await self._in_thread(partial(self._add, book, found))
            if head != self._saved or plan.put or plan.gone or plan.forget:
                await self._in_thread(partial(self._carry_out, book, head, plan, current_at))
                self._saved = head
            else:
                await self._in_thread(partial(self._file.confirm, current_at))
        except BaseException:  # also when the node stops: what was not saved is saved with the next attempt
            self.changed(taken if full is False else None)
            raise
        self.confirmed_at = current_at

    async def _take(self, taken: dict[PartName, Part | None]) -> bool:
        """Takes what changed, some in each turn of the loop, until nothing is left; tells whether it is everything."""
        full = False
        left: Iterator[PartName] = iter(())
        while True:
            if self._everything:
                taken.clear()
                left = self._served.part_names()
                full, self._everything = True, False
            some = list(islice(left, _PARTS_AT_ONCE))
            while self._changed and len(some) < _PARTS_AT_ONCE:
                some.append(self._changed.pop())
            if not some:
                return full
            for name in some:
                taken[name] = self._served.part(name)
            await asyncio.sleep(0)

    def _add(self, book: Book, found: Mapping[str, bytes]) -> None:
        self._file.add([SavedContent(key, body) for key, body in found.items()])
        book.added(found)

    def _carry_out(self, book: Book, head: bytes, plan: Plan, at: datetime) -> None:
        self._file.save(head, plan, at)
        book.saved(plan)

    async def _confirm(self) -> None:
        at = self._current_at
        if at is None or self._saved is None or at == self.confirmed_at or not await self._own():
            return
        await self._in_thread(partial(self._file.confirm, at))
        self.confirmed_at = at

    async def _own(self) -> bool:
        """Opens the file to write unless another process has it. After a failure it is looked through anew."""
        if not await self._in_thread(self._file.own):
            return False
        if self._book is None:
            self._book = await self._in_thread(self._file.prepare)
            self._saved = None
            self.changed()
        return True

    def _failed(self, error: Exception | None) -> None:
        self.failures += 1
        self._book = self._saved = None
        self.changed()
        if not self._failing and error is not None:
            self._failing = True
            _log.warning("delivery.snapshot_failed", database=self._name, error=type(error).__name__, detail=str(error))

    def _works(self) -> None:
        if self._failing:
            self._failing = False
            _log.info("delivery.snapshot_works_again", database=self._name)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _chunks(wanted: Sequence[Wanted]) -> Iterable[list[Wanted]]:
    chunk: list[Wanted] = []
    size = 0
    for each in wanted:
        if chunk and (len(chunk) == _CHUNK_COUNT or size + each.size > _CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(each)
        size += each.size
    if chunk:
        yield chunk
