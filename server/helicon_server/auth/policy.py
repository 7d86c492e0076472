"""The one function that decides whether an actor may do something. Default: no."""

from __future__ import annotations

from helicon_server.domain.actors import Actor, Right
from helicon_server.domain.errors import Forbidden


def authorize(actor: Actor, right: Right) -> None:
    """Returns when ``actor`` holds ``right``; raises Forbidden otherwise."""
    if right not in actor.rights:
        raise Forbidden(f"{actor.name} lacks the right to {right}.", details={"right": right.value})
