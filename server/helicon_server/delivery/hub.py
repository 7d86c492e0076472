"""The watch hub: who is held, for which keys, and how they are let go.

Held polls are answered in slices, with a turn of the event loop between two, so that a fan-out to ten thousand never
freezes the process. A poll owns no task, no timer and no connection here: one small object, registered under each of
its keys and in the bucket of its deadline.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeVar

import structlog

from helicon_server.delivery.answers import NOT_MODIFIED
from helicon_server.delivery.folding import fold
from helicon_server.delivery.histogram import SECONDS, Histogram
from helicon_server.delivery.limits import NAMELESS, NAMELESS_SHARE, Named, named
from helicon_server.delivery.outcomes import Answer
from helicon_server.delivery.polls import Watched, pushed

if TYPE_CHECKING:
    from helicon_server.delivery.index import EnvironmentView
    from helicon_server.delivery.requests import HeaderOf

_LONGEST_TICK_S: Final = 1.0
_TICKS_PER_HOLD: Final = 64  # a hold ends at most a 64th too late
_POLL_BYTES: Final = 1_000  # of a held poll beside what it watches
_LOOK_EVERY: Final = 4 * 1024 * 1024  # bytes of new polls after which memory is looked at
_KEYS_OF_A_POLL: Final = 50  # letting a poll go of so many more keys takes as long as one more poll

Wake = Callable[[Answer], None]
K = TypeVar("K")
V = TypeVar("V")
_log = structlog.get_logger("helicon.delivery")


class HubFullError(Exception):
    """The node holds as many polls as it may, or polls of as many bytes."""


class PeerFullError(Exception):
    """One address has as many polls held as it may, or of as many bytes."""


class ClientFullError(Exception):
    """One client of an address has as many polls held as it may."""


class AppFullError(Exception):
    """The clients of one app have as many polls held as they may."""


class MemoryShortError(Exception):
    """The process has little memory left and holds no more polls than it did then."""


class PollCounts:
    """What became of polls, since the start. Every one that was parked is in one of the others or still held."""

    __slots__ = ("abandoned", "overtaken", "parked", "redefined", "stopped", "timed_out", "woken")

    def __init__(self) -> None:
        self.parked = 0
        self.woken = 0  # answered with news
        self.timed_out = 0  # answered with 304 after their time
        self.redefined = 0  # answered with 304 because they would watch other keys now
        self.stopped = 0  # answered with 304 because the node stops
        self.overtaken = 0  # answered at once: the news came while they were parked
        self.abandoned = 0  # their client went away

    def finished(self) -> dict[str, int]:
        """How many are held no more, by the reason."""
        return {
            "woken": self.woken,
            "timed_out": self.timed_out,
            "redefined": self.redefined,
            "stopped": self.stopped,
            "overtaken": self.overtaken,
            "abandoned": self.abandoned,
        }


@dataclass(frozen=True, slots=True)
class Origin:
    """When what fired came to be, in seconds."""

    committed_at: float  # since the epoch, by the clock of the node that published: just before the commit
    read_at: float  # as loop.time()


class _Share:
    """What one peer address takes of the hub."""

    __slots__ = ("bytes_", "peer", "polls")

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.polls = 0
        self.bytes_ = 0


class Waiter:
    """One held poll. ``release()`` lets it go without an answer, at once and as often as one likes."""

    __slots__ = ("_bucket", "_client", "_cost", "_hub", "_keys", "_share", "view", "wake", "watched")

    def __init__(self, hub: WatchHub, view: EnvironmentView, watched: tuple[Watched, ...], wake: Wake) -> None:
        self._hub: WatchHub | None = hub  # None once answered or released
        self._bucket = 0
        self._client: tuple[str, Named] | None = None  # None while its address has few
        self._share: _Share | None = None
        if len(watched) == 1:
            self._keys = watched[0].keys
            self._cost = watched[0].cost + _POLL_BYTES
        else:
            self._keys = tuple({key for each in watched for key in each.keys})
            self._cost = sum([each.cost for each in watched]) + _POLL_BYTES
        self.view = view
        self.watched = watched
        self.wake = wake

    def release(self) -> None:
        """Forgets the poll, because its client went away or was answered otherwise."""
        hub = self._hub
        if hub is not None:
            hub.polls.abandoned += 1
            hub._remove(self)


class WatchHub:
    """The registry of held polls of this node. All calls belong to one event loop."""

    def __init__(
        self,
        *,
        max_waiters: int,
        slice_size: int,
        hold_s: float,
        max_bytes: int = 256 * 1024 * 1024,
        max_waiters_per_peer: int = 10_000,
        max_waiters_per_app: int = 20_000,
        max_waiters_per_client: int = 0,
    ) -> None:
        self.slices = 0  # answered so far, for tests and metrics
        self.polls = PollCounts()
        self.committed_to_sent = Histogram(SECONDS)  # of every poll that was woken
        self.read_to_sent = Histogram(SECONDS)
        self.woken_bytes = 0  # bodies of the answers
        self.ceiling: int | None = None  # of held polls while memory is short
        self.ceiling_bytes: int | None = None  # of what they take
        self.look: Callable[[], object] | None = None  # looks at memory now, and may lower the ceilings
        self.taken_bytes = 0  # by all polls together: shared texts are counted for each of them
        self._not_looked_at = 0  # bytes that were parked since the last look
        self._max_waiters = max_waiters
        self._max_bytes = max_bytes
        self._max_waiters_per_peer = max_waiters_per_peer
        self._max_waiters_per_app = max_waiters_per_app
        self._max_waiters_per_client = max_waiters_per_client or max_waiters
        self._per_client: dict[tuple[str, Named], int] = {}  # only polls that came when their address had many
        self._per_app: dict[str, int] = {}  # held polls by folded app id
        self._stopping = False
        self._shares: dict[str, _Share] = {}
        self._slice_size = slice_size
        self._tick_s = min(_LONGEST_TICK_S, hold_s / _TICKS_PER_HOLD)
        self._count = 0
        self._by_key: dict[str, Waiter | set[Waiter]] = {}  # a set takes more memory than all else of a key
        self._by_deadline: dict[int, set[Waiter]] = {}
        self._letting_go: deque[_LettingGo] = deque()
        self._slice_scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._next_tick = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return self._count

    @property
    def watched_keys(self) -> int:
        """How many different keys somebody waits for."""
        return len(self._by_key)

    def park(
        self,
        view: EnvironmentView,
        watched: tuple[Watched, ...],
        wake: Wake,
        hold_s: float,
        peer: str = "",
        target: bytes = b"",
        header: HeaderOf | None = None,
    ) -> Waiter:
        """Registers a poll. ``wake`` is called once with its answer, later and never from within this call.

        What a poll costs is bytes. Raises HubFullError at the bound of held polls or of their bytes, PeerFullError
        at the bound of polls of this peer address, or when it would take more than half of all bytes, ClientFullError
        at the bound of polls of one of its clients, AppFullError at the bound of polls of the app, MemoryShortError
        while memory is short.

        As long as an address has no more polls than one client may, nobody asks which client it is, and those polls
        are counted for none: a client may hold twice its share.
        """
        if self._count >= self._max_waiters:
            raise HubFullError
        app = fold(watched[0].asked[0])
        of_app = self._per_app.get(app, 0)
        if of_app >= self._max_waiters_per_app:
            raise AppFullError
        waiter = Waiter(self, view, watched, wake)
        cost = waiter._cost
        self._not_looked_at += cost
        if self._not_looked_at >= _LOOK_EVERY:
            self._not_looked_at = 0
            if self.look is not None:
                self.look()
        if self.ceiling is not None and self._beyond_ceilings(cost):
            raise MemoryShortError
        share = self._shares.get(peer) or _Share(peer)
        if share.polls >= self._max_waiters_per_peer or share.bytes_ + cost > self._max_bytes // 2:
            raise PeerFullError
        if self.taken_bytes + cost > self._max_bytes:
            raise HubFullError
        if share.polls >= self._max_waiters_per_client and header is not None:
            self._count_client(waiter, (peer, named(target, header)))
        self.taken_bytes += cost
        self._per_app[app] = of_app + 1
        share.polls += 1
        share.bytes_ += cost
        waiter._share = self._shares[peer] = share
        for key in waiter._keys:
            present = self._by_key.get(key)
            if present is None:
                self._by_key[key] = waiter
            elif isinstance(present, Waiter):
                self._by_key[key] = {present, waiter}
            else:
                present.add(waiter)
        waiter._bucket = tick = self._tick_at(hold_s)
        bucket = self._by_deadline.get(tick)
        if bucket is None:
            self._by_deadline[tick] = {waiter}
        else:
            bucket.add(waiter)
        if not self._count:
            self._idle.clear()
        self._count += 1
        self.polls.parked += 1
        if self._timer is None:
            self._arm()
        return waiter

    def _count_client(self, waiter: Waiter, client: tuple[str, Named]) -> None:
        held = self._per_client.get(client, 0)
        if held >= self._max_waiters_per_client * (1 if client[1] != NAMELESS else NAMELESS_SHARE):
            raise ClientFullError
        self._per_client[client] = held + 1
        waiter._client = client

    def _beyond_ceilings(self, cost: int) -> bool:
        if self.ceiling is not None and self._count >= self.ceiling:
            return True
        return self.ceiling_bytes is not None and self.taken_bytes + cost > self.ceiling_bytes

    def overtaken(self, waiter: Waiter) -> None:
        """Forgets a poll that was just parked and is answered at once, because its news came meanwhile."""
        self.polls.overtaken += 1
        self._remove(waiter)

    def fire(self, keys: Iterable[str], origin: Origin | None = None) -> None:
        """Answers every poll that waits for one of the keys; the index must hold the new releases already."""
        fired = frozenset(keys)
        found = [
            (waiters,) if isinstance(waiters, Waiter) else waiters
            for key in fired
            if (waiters := self._by_key.pop(key, None)) is not None
        ]
        if found:
            self._let_go(_Fired(fired, origin), chain.from_iterable(found))

    def review(self, view: EnvironmentView, names: frozenset[str] | None) -> None:
        """Answers the polls of an environment with 304 that would watch other keys now: their clients ask again.

        ``names`` are the folded names of the namespaces whose definitions changed, None for all. Looks at every poll
        of the environment, in slices.
        """
        held = [waiter for bucket in self._by_deadline.values() for waiter in bucket if waiter.view is view]
        self._let_go(None, iter(held), lambda waiter: view.outdated(waiter.watched, names))

    def release_apps(self, view: EnvironmentView, apps: frozenset[str]) -> None:
        """Answers the polls of some apps of an environment, folded, with 304: they may be refused when they ask again.

        Looks at every poll of the environment, in slices.
        """
        held = [waiter for bucket in self._by_deadline.values() for waiter in bucket if waiter.view is view]
        self._let_go(None, iter(held), lambda waiter: fold(waiter.watched[0].asked[0]) in apps)

    def release_all(self) -> None:
        """Answers every held poll with 304, in slices: the node stops."""
        self._stopping = True
        self._by_key.clear()
        found = list(self._by_deadline.values())
        self._by_deadline.clear()
        self._let_go(None, chain.from_iterable(found))

    async def empty(self) -> None:
        """Returns when no poll is held."""
        await self._idle.wait()

    # --- letting go -------------------------------------------------------------------------------

    def _let_go(
        self, fired: _Fired | None, waiters: Iterator[Waiter], only: Callable[[Waiter], bool] | None = None
    ) -> None:
        self._letting_go.append((fired, waiters, only))
        if not self._slice_scheduled:
            self._slice_scheduled = True
            asyncio.get_running_loop().call_soon(self._slice)

    def _slice(self) -> None:
        # Nothing changes the index within a slice, so equal polls get one encoded answer.
        self.slices += 1
        encoded: dict[tuple[Watched, ...], Answer] = {}
        room = self._slice_size
        woken = 0  # by what is in front
        while room > 0 and self._letting_go:
            fired, waiters, only = self._letting_go[0]
            waiter = next(waiters, None)
            if waiter is None:
                self._letting_go.popleft()
                encoded.clear()
                self._sent(fired, woken)
                woken = 0
                continue
            if waiter._hub is None:
                continue
            room -= 1 + len(waiter._keys) // _KEYS_OF_A_POLL
            if only is not None and not only(waiter):
                continue
            self._remove(waiter)
            if fired is not None:
                woken += 1
            elif only is not None:
                self.polls.redefined += 1
            elif self._stopping:
                self.polls.stopped += 1
            else:
                self.polls.timed_out += 1
            self._answer(waiter, fired, encoded)
        if woken:
            self._sent(self._letting_go[0][0], woken)
        if self._letting_go:
            asyncio.get_running_loop().call_soon(self._slice)
        else:
            self._slice_scheduled = False

    def _sent(self, fired: _Fired | None, count: int) -> None:
        """Counts polls whose answer the transport has; once a slice, for clocks and sums cost as much as a wake."""
        if fired is None or not count:
            return
        self.polls.woken += count
        if fired.origin is not None:
            self.committed_to_sent.add(time.time() - fired.origin.committed_at, count)
            self.read_to_sent.add(asyncio.get_running_loop().time() - fired.origin.read_at, count)

    def _answer(self, waiter: Waiter, fired: _Fired | None, encoded: dict[tuple[Watched, ...], Answer]) -> None:
        if fired is None:
            answer = NOT_MODIFIED
        else:
            found = encoded.get(waiter.watched)
            if found is None:
                found = encoded[waiter.watched] = pushed(waiter.view, waiter.watched, fired.keys)
            answer = found
            self.woken_bytes += len(answer.body)
        try:
            waiter.wake(answer)
        except Exception as error:  # noqa: BLE001 - one broken connection must not keep the others waiting
            _log.error("delivery.wake_failed", error=type(error).__name__)

    def _remove(self, waiter: Waiter) -> None:
        waiter._hub = None
        for key in waiter._keys:
            present = self._by_key.get(key)
            if present is waiter:
                del self._by_key[key]
            elif isinstance(present, set):
                _discard(self._by_key, key, present, waiter)
        bucket = self._by_deadline.get(waiter._bucket)
        if bucket is not None:
            _discard(self._by_deadline, waiter._bucket, bucket, waiter)
        self._give_back(waiter)
        self._count -= 1
        if self._count == 0:
            self._idle.set()

    def _give_back(self, waiter: Waiter) -> None:
        cost = waiter._cost
        self.taken_bytes -= cost
        share = waiter._share
        assert share is not None, "a registered poll has its share"
        share.polls -= 1
        share.bytes_ -= cost
        if not share.polls:
            del self._shares[share.peer]
        client = waiter._client
        if client is not None:
            if self._per_client[client] == 1:
                del self._per_client[client]
            else:
                self._per_client[client] -= 1
        app = fold(waiter.watched[0].asked[0])
        if self._per_app[app] == 1:
            del self._per_app[app]
        else:
            self._per_app[app] -= 1

    # --- deadlines --------------------------------------------------------------------------------

    def _tick_at(self, delay_s: float) -> int:
        return int((asyncio.get_running_loop().time() + delay_s) / self._tick_s) + 1

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        self._next_tick = int(loop.time() / self._tick_s) + 1
        self._timer = loop.call_at(self._next_tick * self._tick_s, self._expire)

    def _expire(self) -> None:
        # The loop may have been late: every bucket up to now is due, not only the one that the timer was set for.
        now = int(asyncio.get_running_loop().time() / self._tick_s)
        due = [tick for tick in self._by_deadline if tick <= now]
        for tick in due:
            self._let_go(None, iter(self._by_deadline.pop(tick)))
        self._timer = None
        if self._count:
            self._arm()


@dataclass(frozen=True, slots=True)
class _Fired:
    """Keys that have a new release, and since when."""

    keys: frozenset[str]
    origin: Origin | None


# What fired, or None for 304; who may go; and who of them goes, None for everybody.
_LettingGo = tuple[_Fired | None, Iterator[Waiter], Callable[[Waiter], bool] | None]


def _discard(registry: MutableMapping[K, V], key: K, waiters: set[Waiter], waiter: Waiter) -> None:
    waiters.discard(waiter)
    if not waiters:
        del registry[key]
