"""Whether a client holds something newer than what this node would answer, by the times that lead release keys.

A read may be the first to tell a client of a release, and such a client cannot name an id in ``messages`` when it
asks another node next. Its ``releaseKey`` tells nevertheless (docs/decisions/0020-held-keys-from-the-future.md).
"""

from __future__ import annotations

from typing import Final

from helicon.protocol.names import SEPARATOR

_PARTS: Final = 8  # that are looked at; four releases contribute at most
_TIME: Final = 14  # digits of the time that a release key begins with, in UTC, to the second


def is_ahead(held: str, current: str) -> bool:
    """Tells whether a held release key is newer than the one that would be answered, which is empty for none.

    The first parts that differ decide: whatever was released last has changed one of them. Times of the same second
    and keys of another shape prove nothing, so the answer is then False.
    """
    if held <= current:
        return False
    ours = current.split(SEPARATOR)
    for place, theirs in enumerate(held.split(SEPARATOR, _PARTS)):
        mine = ours[place] if place < len(ours) else ""
        if theirs != mine:
            time = theirs[:_TIME]
            return time > mine[:_TIME] and len(time) == _TIME and time.isascii() and time.isdigit()
    return False
