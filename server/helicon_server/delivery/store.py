"""What releases hold, kept in memory within a budget of bytes.

Two kinds of entry share the budget: the configurations of a release, encoded once, and prepared answers made of them.
A hit costs an attribute; when memory runs short the entries that nobody asked for since the last look go first
(second chance). A release that is asked for and not there is read once, however many ask.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson
import structlog

from helicon.protocol.merge import merge_all
from helicon_server.delivery.answers import PACKED_FROM
from helicon_server.delivery.integrity import ContentCorruptError, intact, read_contents
from helicon_server.delivery.outcomes import Answer
from helicon_server.domain.errors import Unavailable
from helicon_server.domain.model import LiveRelease, Release

if TYPE_CHECKING:
    from helicon_server.delivery.follower import Follower

_ENTRY_OVERHEAD: Final = 600  # bytes of the objects around a stored text, roughly
_LARGEST_SHARE: Final = 4  # nothing larger than this part of the budget is kept
_LOADS_AT_ONCE: Final = 4  # reads of releases that may be under way on one database
_CONTENTS_PER_READ: Final = 200
_CONDEMNED_LIMIT: Final = 1_000  # releases that were told of in the log; one that is forgotten is told of again

_log = structlog.get_logger("helicon.delivery")

ReleaseId = tuple["Follower", int, str]
"""A release id counts within its database only, and until that is set back: then it is given again, its key never."""


def identity(follower: Follower, release: LiveRelease) -> ReleaseId:
    """What the content of a live release is kept under."""
    return follower, release.release_id, release.release_key


@dataclass(frozen=True, slots=True)
class Content:
    """The configurations of one release as a JSON object, in their order."""

    encoded: bytes

    @classmethod
    def of(cls, release: Release) -> Content:
        """Encodes a release."""
        return cls(orjson.dumps(dict(release.configurations)))

    def configurations(self) -> dict[str, str]:
        """Decodes again: for merges and text forms, made once and then kept as a prepared answer."""
        decoded: dict[str, str] = orjson.loads(self.encoded)
        return decoded


def merged(contents: Sequence[Content]) -> Content:
    """Lays contents over one another, the winning one first (Apollo client protocol, section 4.3)."""
    if len(contents) == 1:
        return contents[0]
    return Content(orjson.dumps(merge_all([each.configurations() for each in contents])))


class Kept:
    """A prepared answer and whether it is still kept. Requests may hold on to it; ``answer`` turns None on eviction."""

    __slots__ = ("answer", "cost", "large", "packed", "packing", "stored", "used")

    def __init__(self, answer: Answer, cost: int) -> None:
        self.answer: Answer | None = answer
        self.cost = cost
        self.used = True
        self.stored = False  # it is kept for others to find
        self.large = len(answer.body) >= PACKED_FROM  # large enough to be compressed
        self.packed: Answer | None = None  # the same in gzip, once somebody wanted it
        self.packing = False  # it is being made


class _KeptContent:
    __slots__ = ("content", "cost", "used")

    def __init__(self, content: Content, cost: int) -> None:
        self.content = content
        self.cost = cost
        self.used = True


class ReleaseStore:
    """Contents and prepared answers of this node. All calls belong to one event loop."""

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self.used_bytes = 0
        self.load_errors = 0
        self.evictions = 0  # entries that made room for others
        self.loads = 0  # contents read from a database because somebody asked, for tests and metrics
        self.corrupt = 0  # contents that did not fit their hash, for metrics
        self.on_disk: Callable[[ReleaseId], Awaitable[Content | None]] | None = None  # another copy, without database
        self._condemned: set[ReleaseId] = set()
        self._entries: OrderedDict[Hashable, Kept | _KeptContent] = OrderedDict()
        self._loading: dict[ReleaseId, asyncio.Task[Content | None]] = {}
        self._slots: dict[Follower, asyncio.Semaphore] = {}

    # --- contents ---------------------------------------------------------------------------------

    def content(self, release: ReleaseId) -> Content | None:
        """The content of a release when it is in memory."""
        entry = self._entries.get(release)
        if not isinstance(entry, _KeptContent):
            return None
        entry.used = True
        return entry.content

    def put_content(self, release: ReleaseId, content: Content) -> None:
        """Keeps a content, in the place of what nobody asked for lately."""
        self._keep(release, _KeptContent(content, len(content.encoded) + _ENTRY_OVERHEAD))

    def take(self, follower: Follower, release: Release) -> Content | None:
        """Keeps a content that a database gave; None, and an error in the log, when it is not what was published."""
        key = follower, release.head.id, release.head.key
        if not intact(release):
            self._condemn(key)
            return None
        content = Content.of(release)
        self.put_content(key, content)
        return content

    def fits(self, size: int) -> bool:
        """Tells whether a content of this size would be kept without putting another one out."""
        return self.used_bytes + size + _ENTRY_OVERHEAD <= self.budget_bytes and self.keeps(size)

    def keeps(self, size: int) -> bool:
        """Tells whether a content of this size is ever kept."""
        return size + _ENTRY_OVERHEAD <= self.budget_bytes // _LARGEST_SHARE

    async def load(self, follower: Follower, releases: Iterable[LiveRelease]) -> Mapping[ReleaseId, Content]:
        """Reads contents from the database, each once however many ask, and keeps them.

        Returns them too, because the budget may be too small to keep them. Releases that are gone are left out.
        What the database cannot give comes from the disk. Raises Unavailable, and ContentCorruptError.
        """
        wanted = {identity(follower, release) for release in releases}
        found: dict[ReleaseId, Content] = {}
        for release in wanted:
            content = self.content(release)
            if content is None:
                content = await asyncio.shield(self._load_once(release))
            if content is not None:
                found[release] = content
        return found

    async def read(self, follower: Follower, releases: Sequence[LiveRelease]) -> None:
        """Reads many contents into memory, some hundred a statement. Raises Unavailable."""
        for start in range(0, len(releases), _CONTENTS_PER_READ):
            ids = [release.release_id for release in releases[start : start + _CONTENTS_PER_READ]]
            contents, _ = await read_contents(follower.database, ids)  # who asks for the others is told
            for found in contents.values():
                self.take(follower, found)
                await asyncio.sleep(0)  # hashes of many contents must not keep requests waiting

    def _load_once(self, release: ReleaseId) -> asyncio.Task[Content | None]:
        task = self._loading.get(release)
        if task is None:
            task = self._loading[release] = asyncio.create_task(self._load(release), name="helicon-load-release")
            task.add_done_callback(lambda done: self._loaded(release, done))
        return task

    async def _load(self, release: ReleaseId) -> Content | None:
        follower, release_id, release_key = release
        if follower.away_since is not None:
            content = await self._from_disk(release)
            if content is not None:
                return content
        try:
            async with self._slots.setdefault(follower, asyncio.Semaphore(_LOADS_AT_ONCE)):
                self.loads += 1
                contents, unreadable = await read_contents(follower.database, [release_id])
        except Unavailable:
            content = await self._from_disk(release)
            if content is None:
                raise
            return content
        found = contents.get(release_id)
        if release_id in unreadable:
            self._condemn(release)
        elif found is None or found.head.key != release_key:
            return None
        else:
            content = self.take(follower, found)
            if content is not None:
                return content
        content = await self._from_disk(release)
        if content is None:
            raise ContentCorruptError("The stored content of the release is damaged.")
        return content

    async def _from_disk(self, release: ReleaseId) -> Content | None:
        content = None if self.on_disk is None else await self.on_disk(release)
        if content is not None:
            self.put_content(release, content)
        return content

    def _condemn(self, release: ReleaseId) -> None:
        self.corrupt += 1
        if release not in self._condemned:
            if len(self._condemned) >= _CONDEMNED_LIMIT:
                self._condemned.clear()
            self._condemned.add(release)
            follower, release_id, key = release
            name = follower.database.name
            _log.error("delivery.content_corrupt", database=name, release_id=release_id, release_key=key)

    def _loaded(self, release: ReleaseId, task: asyncio.Task[Content | None]) -> None:
        del self._loading[release]
        if not task.cancelled() and task.exception() is not None:
            self.load_errors += 1  # everybody who waited has it; nobody may have waited to the end

    # --- prepared answers -------------------------------------------------------------------------

    def prepared(self, identity: Hashable) -> Kept | None:
        """The prepared answer of this identity when it is in memory."""
        entry = self._entries.get(identity)
        return entry if isinstance(entry, Kept) else None

    def put_prepared(self, identity: Hashable, answer: Answer) -> Kept:
        """Keeps a prepared answer; one that is too large is returned but not kept."""
        kept = Kept(answer, len(answer.body) + _ENTRY_OVERHEAD)
        self._keep(identity, kept)
        return kept

    def put_packed(self, kept: Kept, answer: Answer) -> None:
        """Keeps the compressed form of a prepared answer with it, if that is still kept."""
        if not kept.stored or kept.packed is not None:
            return
        kept.packed = answer
        cost = len(answer.body) + _ENTRY_OVERHEAD
        kept.cost += cost
        self.used_bytes += cost
        self._make_room(kept)

    def resize(self, budget_bytes: int) -> None:
        """Sets the budget anew; what is beyond a smaller one goes at once."""
        self.budget_bytes = budget_bytes
        while self.used_bytes > budget_bytes:
            _, oldest = self._entries.popitem(last=False)
            self.evictions += 1
            self._dropped(oldest)

    # --- the budget -------------------------------------------------------------------------------

    def _keep(self, identity: Hashable, entry: Kept | _KeptContent) -> None:
        old = self._entries.pop(identity, None)
        if old is not None:
            self._dropped(old)
        if entry.cost > self.budget_bytes // _LARGEST_SHARE:
            return
        self._entries[identity] = entry
        self.used_bytes += entry.cost
        if isinstance(entry, Kept):
            entry.stored = True
        self._make_room(entry)

    def _make_room(self, entry: Kept | _KeptContent) -> None:
        while self.used_bytes > self.budget_bytes:
            oldest, candidate = self._entries.popitem(last=False)
            if candidate.used and candidate is not entry:
                candidate.used = False
                self._entries[oldest] = candidate
                continue
            if candidate is entry:
                # Everything else had its second chance already; the newest stays.
                self._entries[oldest] = candidate
                continue
            self.evictions += 1
            self._dropped(candidate)

    def _dropped(self, entry: Kept | _KeptContent) -> None:
        self.used_bytes -= entry.cost
        if isinstance(entry, Kept):
            entry.stored = False
            entry.answer = entry.packed = None
