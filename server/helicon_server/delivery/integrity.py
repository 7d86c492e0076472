"""Contents as the database gives them, held to the hash that was stored with them (fault C6).

One flipped bit must not reach a client: a content that does not fit its hash is treated as one that is not there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import orjson
import structlog

from helicon_server.domain.errors import HeliconError, Unavailable
from helicon_server.domain.model import Release
from helicon_server.domain.release import content_sha256
from helicon_server.storage.contract import ConfigDatabase

_CONTENTS_PER_READ: Final = 200

_log = structlog.get_logger("helicon.delivery")


class ContentCorruptError(HeliconError):
    """The content of a release does not fit its hash, and there is no good copy here."""

    default_code = "release_corrupt"


def intact(release: Release) -> bool:
    """Tells whether a content is the one that was published."""
    expected = release.head.content_sha256
    # The fast encoder writes the same bytes; the slow one has the last word.
    quick = hashlib.sha256(orjson.dumps(dict(release.configurations), option=orjson.OPT_SORT_KEYS)).hexdigest()
    return quick == expected or content_sha256(release.configurations) == expected


async def read_contents(
    database: ConfigDatabase, release_ids: Sequence[int]
) -> tuple[Mapping[int, Release], frozenset[int]]:
    """Reads releases by id; returns them, and the ids of those that are there and cannot be decoded.

    Nothing of it is held to its hash yet. Raises Unavailable.
    """
    found: dict[int, Release] = {}
    unreadable: set[int] = set()
    for start in range(0, len(release_ids), _CONTENTS_PER_READ):
        good, bad = await _read(database, release_ids[start : start + _CONTENTS_PER_READ])
        found.update(good)
        unreadable |= bad
    return found, frozenset(unreadable)


async def _read(database: ConfigDatabase, release_ids: Sequence[int]) -> tuple[Mapping[int, Release], set[int]]:
    """Reads at most some hundred; one that cannot even be decoded spoils a whole read, so it is looked for."""
    try:
        async with database.read() as tx:
            return await tx.releases.contents(release_ids), set()
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - whatever decoding raises: of one row it condemns that row alone
        _log.warning("delivery.contents_unreadable", database=database.name, error=type(error).__name__)
    if len(release_ids) == 1:
        return {}, set(release_ids)
    middle = len(release_ids) // 2
    first, bad = await _read(database, release_ids[:middle])
    second, worse = await _read(database, release_ids[middle:])
    return {**first, **second}, bad | worse
