"""Prepared answers in gzip: compressed once, when the first client that takes it asks."""

from __future__ import annotations

import asyncio
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache, partial
from typing import Final

from helicon_server.delivery.outcomes import Answer, Header
from helicon_server.delivery.requests import HeaderOf
from helicon_server.delivery.store import Kept, ReleaseStore

_IN_THE_LOOP: Final = 64 * 1024  # bytes; compressing more would keep everybody waiting for milliseconds
_PENDING_LIMIT: Final = 16  # bodies that wait for the thread; more are sent as they are until there is room
_LEVEL: Final = 6
_GZIP: Final = 31  # zlib's window bits for a gzip header; it holds no time, so equal bodies have equal bytes
_OFFER_LIMIT: Final = 256  # bytes of Accept-Encoding that are read


class Compressor:
    """Picks the form of a prepared answer that a client takes. All calls belong to one event loop."""

    def __init__(self, store: ReleaseStore) -> None:
        self.sent = 0  # compressed answers picked, for metrics
        self._store = store
        self._pool: ThreadPoolExecutor | None = None
        self._pending = 0

    def pick(self, kept: Kept, header: HeaderOf) -> Answer | None:
        """The answer in gzip where the client offers it and it is at hand, else as it is; None when it was dropped."""
        answer = kept.answer
        if answer is None or not kept.large:
            return answer
        offered = header(b"accept-encoding")
        if offered is None or not offers_gzip(offered):
            return answer
        if kept.packed is None:
            self._pack(kept, answer)
        if kept.packed is None:
            return answer
        self.sent += 1
        return kept.packed

    def close(self) -> None:
        """Ends the thread as soon as it has nothing under way."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _pack(self, kept: Kept, answer: Answer) -> None:
        if kept.packing or not kept.stored:
            return
        if len(answer.body) < _IN_THE_LOOP:
            self._packed(kept, answer, gzip(answer.body))
        elif self._pending < _PENDING_LIMIT:
            kept.packing = True
            self._pending += 1
            if self._pool is None:
                self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="helicon-gzip")
            work = asyncio.get_running_loop().run_in_executor(self._pool, gzip, answer.body)
            work.add_done_callback(partial(self._packed_behind, kept, answer))

    def _packed_behind(self, kept: Kept, answer: Answer, work: asyncio.Future[bytes]) -> None:
        self._pending -= 1
        kept.packing = False
        if not work.cancelled() and work.exception() is None:
            self._packed(kept, answer, work.result())

    def _packed(self, kept: Kept, answer: Answer, body: bytes) -> None:
        # Text always shrinks: UTF-8 has a fifth to spare at least, and the body is no short one.
        self._store.put_packed(kept, replace(answer, headers=_headers(answer, body), body=body))


def gzip(body: bytes) -> bytes:
    """The body in the gzip format."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(body) + packer.flush()


def offers_gzip(offered: bytes) -> bool:
    """Reads an ``Accept-Encoding`` header: gzip is named or covered by ``*``, and liked as much as identity."""
    return len(offered) <= _OFFER_LIMIT and _offers_gzip(offered)


@lru_cache(maxsize=512)
def _offers_gzip(offered: bytes) -> bool:
    weights: dict[bytes, float] = {}
    for part in offered.lower().split(b","):
        coding, _, parameters = part.partition(b";")
        weights.setdefault(coding.strip(), _weight(parameters))
    liked = weights.get(b"gzip", weights.get(b"x-gzip", weights.get(b"*", 0.0)))
    return liked > 0 and liked >= weights.get(b"identity", 0.0)


def _weight(parameters: bytes) -> float:
    for parameter in parameters.split(b";"):
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _headers(answer: Answer, body: bytes) -> tuple[Header, ...]:
    kept = [header for header in answer.headers if header[0] != b"content-length"]
    return (*kept, (b"content-encoding", b"gzip"), (b"content-length", str(len(body)).encode()))
