"""Cursors: opaque to clients, so that the order of a list may change without breaking them."""

from __future__ import annotations

import base64
import binascii

from helicon_server.domain.errors import InvalidInput


def cursor_of(position: str | int) -> str:
    """The cursor that points behind ``position``."""
    return base64.urlsafe_b64encode(str(position).encode()).decode().rstrip("=")


def position_of(cursor: str | None) -> str | None:
    """What ``cursor_of`` was given; None for the first page. Raises InvalidInput ``invalid_cursor``."""
    if cursor is None:
        return None
    try:
        position = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise _invalid() from None
    if not position or not position.isprintable():
        raise _invalid()
    return position


def id_of(cursor: str | None) -> int | None:
    """The same for lists that are ordered by a number."""
    position = position_of(cursor)
    if position is None:
        return None
    if not position.isascii() or not position.isdigit() or len(position) > 18:
        raise _invalid()
    return int(position)


def _invalid() -> InvalidInput:
    return InvalidInput("The cursor is not one that a list answered.", code="invalid_cursor")
