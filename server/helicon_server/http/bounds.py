"""How large a request may be, how slow a client, and how many connections fit the files that this process may open."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from typing import Final

_SMALLEST_RESERVE: Final = 64
_RESERVED_PART: Final = 8


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large, how slow, how many. Sizes in bytes, durations in seconds."""

    head_bytes: int = 192 * 1024  # target and headers together
    header_lines: int = 200
    head_s: float = 10.0  # from the connection, or from the first byte of a later request, to the end of its head
    body_s: float = 10.0  # from the end of a head, and as long again as what came of the body takes at least
    body_bytes_s: int = 8 * 1024  # that a body moves at least; a document of a megabyte has 138 s
    unread_s: float = 20.0  # that a client may take to read anything of what was written for it
    linger_s: float = 2.0  # to read why one is refused, to ask when over the bound, to end a body answered already
    connections: int = 800  # open ones; more are answered 503
    turned_away: int = 100  # open ones beyond those; still more are closed without a word


def bounds_of_process() -> Bounds:
    """Bounds that fit the files which this process may open; raises its soft limit as far as it goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return bounds_for(soft if soft != resource.RLIM_INFINITY else 1024 * 1024)


def bounds_for(open_files: int) -> Bounds:
    """Leaves a part of the open files to the databases, the logs and those who are told to come back."""
    reserve = max(_SMALLEST_RESERVE, open_files // _RESERVED_PART)
    return Bounds(connections=max(1, open_files - reserve), turned_away=reserve // 2)
