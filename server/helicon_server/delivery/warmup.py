"""Reads the newest releases into memory behind the start, so that reads go on when the database dies later."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

import structlog

from helicon_server.delivery.follower import Follower, pause_after
from helicon_server.delivery.store import ReleaseStore, identity
from helicon_server.domain.errors import Unavailable
from helicon_server.domain.model import LiveRelease

_CHUNK_BYTES: Final = 4 * 1024 * 1024
_CHUNK_COUNT: Final = 200
_log = structlog.get_logger("helicon.delivery")


async def warm_up(followers: Sequence[Follower], store: ReleaseStore) -> None:
    """Reads what fits into the budget, the latest published first, and returns. Waits for databases that are away."""
    for follower in followers:
        failures = 0
        while not await _warm_up_one(follower, store):
            failures += 1
            await asyncio.sleep(pause_after(failures))
    _log.info("delivery.warm", bytes=store.used_bytes, budget_bytes=store.budget_bytes)


async def _warm_up_one(follower: Follower, store: ReleaseStore) -> bool:
    """False when the database was away; what was read until then stays."""
    if not follower.loaded:
        return False
    live = [release for view in follower.views.values() for release in view.live_releases()]
    live.sort(key=lambda release: release.message_id, reverse=True)
    # Few instances ask for each, but nobody else has it in memory.
    live[:0] = [release for view in follower.views.values() for release in view.gray_releases()]
    try:
        for chunk in _chunks(live):
            wanted = [each for each in chunk if store.content(identity(follower, each)) is None]
            if not store.fits(sum(each.size for each in wanted)):
                return True
            await store.read(follower, wanted)
    except Unavailable:
        return False
    return True


def _chunks(live: Sequence[LiveRelease]) -> Iterator[list[LiveRelease]]:
    chunk: list[LiveRelease] = []
    size = 0
    for release in live:
        if chunk and (len(chunk) == _CHUNK_COUNT or size + release.size > _CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(release)
        size += release.size
    if chunk:
        yield chunk
