"""The rule for item keys. One rule for the API, the portal, imports and files."""

from __future__ import annotations

import unicodedata

INVALID_KEY = "invalid_key"
MAX_KEY_LENGTH = 128  # characters; Apollo client protocol, section 13
_UNSEEN_CATEGORIES = {
    "Cc": "a control character",
    "Cf": "an invisible formatting character",
    "Cs": "half of a surrogate pair",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}


def check_key(key: str) -> str | None:
    """Return what is wrong with a key, as a sentence for its author, or None; the code is INVALID_KEY."""
    if not key:
        return "The key is empty; give it a name."
    if len(key) > MAX_KEY_LENGTH:
        return f"The key has {len(key)} characters; the limit is {MAX_KEY_LENGTH}. Shorten it."
    if key.isascii() and key.isprintable():
        return None if key == key.strip() else _OUTER_BLANKS
    for character in key:
        unseen = _UNSEEN_CATEGORIES.get(unicodedata.category(character))
        if unseen is not None:
            return f"The key contains {unseen} (U+{ord(character):04X}); remove it."
    if key != key.strip():
        return _OUTER_BLANKS
    if not unicodedata.is_normalized("NFC", key):
        return "The key is written with decomposed characters; write it in composed form (Unicode NFC)."
    return None


def fold_key(key: str) -> str:
    """Return the form that two keys share when they differ by letter case only.

    Folding can take composed characters apart, so the result is composed again.
    """
    if key.isascii():
        return key.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", key).casefold())


_OUTER_BLANKS = "The key begins or ends with white space; remove it."
