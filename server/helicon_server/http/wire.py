"""What an answer looks like on the wire: the parts of its head, each made as rarely as can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from helicon_server.delivery.outcomes import Answer, Header

_LINE_ENDS: Final = (b"\r", b"\n")


def head_of(answer: Answer) -> bytes:
    """Status line and headers, without the empty line that ends a head; kept with the answer from the first time on.

    Raises ValueError for a header that would begin another line.
    """
    lines = [STATUS_LINE[answer.status]]
    for name, value in answer.headers:
        if any(end in part for part in (name, value) for end in _LINE_ENDS):
            raise ValueError("a header of an answer holds a line end")
        lines += (name, b": ", value, b"\r\n")
    head = b"".join(lines)
    object.__setattr__(answer, "head", head)  # what it is made of never changes
    return head


class HeadEnd:
    """The end of every head: what uvicorn adds to each answer, the date above all, and the empty line.

    uvicorn makes a new list of its headers once a second; ``source`` is the one that ``open`` and ``last`` are made of.
    """

    __slots__ = ("last", "open", "source")

    def __init__(self) -> None:
        self.source: Sequence[Header] | None = None
        self.open = b""  # behind which the connection stays
        self.last = b""  # behind which it is closed

    def renew(self, headers: Sequence[Header]) -> None:
        """Takes over uvicorn's headers."""
        lines = b"".join(name.lower() + b": " + value + b"\r\n" for name, value in headers)
        self.open = lines + b"\r\n"
        self.last = lines + b"connection: close\r\n\r\n"
        self.source = headers
