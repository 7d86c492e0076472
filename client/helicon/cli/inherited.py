"""The environment this process was given, as bytes and before CPython added to it."""

from __future__ import annotations

import os

_COERCED = (b"C.UTF-8", b"C.utf8", b"UTF-8")  # what PEP 538 sets LC_CTYPE to


def environment() -> dict[bytes, bytes]:
    """Returns name -> value exactly as the caller passed it.

    CPython adds `LC_CTYPE=C.UTF-8` when the locale is C or not installed, even when isolated; the program
    we start must not see that. The kernel keeps the original block in procfs. Of a name given twice the
    first counts, as for getenv(3).
    """
    try:
        with open("/proc/self/environ", "rb") as block:  # noqa: PTH123 - pathlib is too slow for the command
            raw = block.read()
    except OSError:
        return _without_coercion(dict(os.environb))
    found: dict[bytes, bytes] = {}
    for item in raw.split(b"\0"):
        name, equals, value = item.partition(b"=")
        if equals and name:
            found.setdefault(name, value)
    return found


def _without_coercion(env: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Removes an LC_CTYPE that CPython can only have added itself (no procfs to ask)."""
    plain = (None, b"", b"C", b"POSIX")
    if env.get(b"LC_CTYPE") in _COERCED and env.get(b"LANG") in plain and not env.get(b"LC_ALL"):
        del env[b"LC_CTYPE"]
    return env
