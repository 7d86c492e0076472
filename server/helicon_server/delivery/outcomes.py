"""What the one decision over a request can come to: an answer, a held poll, or work that must wait.

Every shell (ASGI, or a protocol class of the server) turns these into bytes; none decides anything itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from helicon_server.delivery.index import EnvironmentView
    from helicon_server.delivery.polls import Watched
    from helicon_server.delivery.requests import HeaderOf, Request
    from helicon_server.domain.model import LiveRelease

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Answer:
    """Bytes to send now. ``headers`` hold Content-Length except on 304, which has no body.

    ``head`` belongs to the shells: status line and headers as they are written, made by the first one that needs them.
    """

    status: int
    headers: tuple[Header, ...]
    body: bytes
    head: bytes = field(default=b"", init=False, repr=False, compare=False)
    code: str = ""  # of a refusal


@dataclass(frozen=True, slots=True)
class Park:
    """A long poll with nothing to report: hold it until a release of something watched, or ``hold_s`` seconds.

    ``known`` are the ids that the client sent, beside ``watched``; whoever registers the poll compares them once
    more afterwards, so that no release can fall between the two. ``peer`` is the address that asks, ``path`` the raw
    path, which a refusal names; ``target`` and ``header`` say which client of the address it is, if anything does.
    """

    view: EnvironmentView
    watched: tuple[Watched, ...]
    known: tuple[int, ...]
    hold_s: float
    peer: str
    path: bytes
    target: bytes = b""
    header: HeaderOf | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """Releases whose content must be read from the database before the request can be answered."""

    view: EnvironmentView
    releases: tuple[LiveRelease, ...]


@dataclass(frozen=True, slots=True)
class CatchUp:
    """A message that the client has seen and this node has not (Apollo client protocol, section 4.6).

    ``too_late`` is the answer when the wait is over and nobody knows yet whether the message exists. A poll may wait
    for ``hold_s`` seconds, as if it were held; for a read that is 0, and it waits as briefly as can be.
    """

    view: EnvironmentView
    message_id: int
    too_late: Answer
    hold_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """The client holds a release that may be newer than what is known here: look at the messages once."""

    view: EnvironmentView


@dataclass(frozen=True, slots=True)
class Resumed:
    """This process did not run for a while: nothing is decided before a look at the messages (delivery/gaps.py)."""


@dataclass(frozen=True, slots=True)
class LoadBases:
    """Historic releases, by their keys, that an incremental answer would begin at (section 5)."""

    view: EnvironmentView
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A path of the client protocol that is no read and no poll: discovery and health."""


@dataclass(frozen=True, slots=True)
class Defer:
    """The request cannot be answered without waiting; ``work`` says for what."""

    request: Request
    work: Load | LoadBases | CatchUp | Look | Resumed | Elsewhere


Outcome = Answer | Park | Defer
