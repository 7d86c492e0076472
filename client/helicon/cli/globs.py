"""Shell patterns over names, imported only by runs that use one."""

from __future__ import annotations


def matches(name: str, patterns: list[str]) -> bool:
    """Says whether any pattern (`*`, `?`, `[...]`, case-sensitive) matches the whole name."""
    if not patterns:
        return False
    from fnmatch import fnmatchcase  # loads `re`; most runs have no pattern

    return any(fnmatchcase(name, pattern) for pattern in patterns)
