"""Writes results to stdout, exactly."""

from __future__ import annotations

import os


def write(text: str) -> None:
    """Writes all of the text as UTF-8; a lone surrogate, which no UTF-8 holds, becomes `?`.

    A terminal is given the line break that the text lacks; a pipe or file receives the exact bytes.
    Raises BrokenPipeError when the reader is gone.
    """
    data = text.encode("utf-8", "replace")
    if os.isatty(1) and not data.endswith(b"\n"):
        data += b"\n"
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(1, rest) :]
