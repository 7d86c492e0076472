"""When two names are the same name."""

from __future__ import annotations


def fold(text: str) -> str:
    """The form under which two names are the same name.

    Stored names are ASCII. Text beyond ASCII stays as it is and so matches nothing: lower-casing it could turn a
    foreign letter into an ASCII one (the Kelvin sign into ``k``).
    """
    return text.lower() if text.isascii() else text
