"""The headers of a request as the parser tells them, and the look-up in one: an object less for each request."""

from __future__ import annotations


class Heard(list[tuple[bytes, bytes]]):
    """Names in lower case and values, in their order. Called with such a name, it gives the first value."""

    __slots__ = ()

    def __call__(self, name: bytes) -> bytes | None:
        for each, value in self:
            if each == name:
                return value
        return None
