"""Names the shape of the fixture that opens clients."""

from __future__ import annotations

from typing import Protocol

from helicon import Client


class OpenClient(Protocol):
    """Opens a client of app `shop` that is closed after the test."""

    def __call__(self, meta: str, **settings: object) -> Client: ...
