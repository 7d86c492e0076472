"""What to do where JSON stops being JSON. Each function returns the offset to show and the advice."""

from __future__ import annotations

import re

_SOUND_PART_OF_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*+')
_WORD = re.compile(r"[-+]?\w*")
_NOT_NUMBERS = {"nan", "infinity", "inf"}
_OTHER_LITERALS = {"true", "false", "null", "none", "undefined", "yes", "no"}
_LOOKALIKES = {"，": ",", "：": ":", "“": '"', "”": '"', "‘": '"', "’": '"', "｛": "{", "｝": "}", "［": "[", "］": "]"}

_TRAILING_COMMA = "A comma stands before this closing bracket; remove the comma."
_NEVER_CLOSED = "This bracket is never closed; add the closing one."


def for_value(text: str, at: int, opener: int | None) -> tuple[int, str]:
    """Advise where a value must stand. `opener` is the offset of the bracket around it."""
    character = text[at : at + 1]
    if not character:
        return (at, "A value is missing at the end.") if opener is None else (opener, _NEVER_CLOSED)
    if character in "]}":
        return at, _TRAILING_COMMA if _follows_comma(text, at) else "A value is missing before this bracket."
    if character == '"':
        return _broken_string(text, at)
    return at, _general(text, at) or _bare_value(text, at)


def for_key(text: str, at: int, opener: int) -> tuple[int, str]:
    """Advise where a key must stand."""
    character = text[at : at + 1]
    if not character:
        return opener, _NEVER_CLOSED
    if character == '"':
        return _broken_string(text, at)
    if character == "}" and _follows_comma(text, at):
        return at, _TRAILING_COMMA
    return at, _general(text, at) or "A key in double quotes is expected here."


def for_colon(text: str, at: int, opener: int) -> tuple[int, str]:
    """Advise where the colon behind a key must stand."""
    if at == len(text):
        return opener, _NEVER_CLOSED
    return at, _lookalike(text, at) or 'A ":" is expected between the key and its value.'


def after_value(text: str, at: int, opener: int) -> tuple[int, str]:
    """Advise where a comma or the closing bracket must stand."""
    character = text[at : at + 1]
    if not character:
        return opener, _NEVER_CLOSED
    if character in "]}":
        return at, f'This bracket does not match the "{text[opener]}" that is open; correct one of them.'
    if character == ":":
        return at, 'A ":" belongs behind a key in an object { }; in an array [ ] it has no place.'
    return at, _general(text, at) or "A comma or the closing bracket is missing before this."


def _follows_comma(text: str, at: int) -> bool:
    return text[:at].rstrip(" \t\n\r").endswith(",")


def _lookalike(text: str, at: int) -> str | None:
    plain = _LOOKALIKES.get(text[at])
    return None if plain is None else f"Write {plain} instead of the look-alike {text[at]} here."


def _general(text: str, at: int) -> str | None:
    if text.startswith(("//", "/*", "#"), at):
        return "JSON has no comments; remove it."
    if text[at] == "'":
        return "JSON wants double quotes; write \" instead of '."
    return _lookalike(text, at)


def _bare_value(text: str, at: int) -> str:
    match = _WORD.match(text, at)
    word = "" if match is None else match[0]
    if word.lstrip("+-").lower() in _NOT_NUMBERS:
        return "JSON has no NaN or Infinity; write null, or a text in quotes."
    if word.lower() in _OTHER_LITERALS:
        return "JSON knows only true, false and null, in lower case; write one of them, or put the text in quotes."
    if text[at] in "+-.0123456789":
        return (
            "This is not a JSON number: no leading zero, no plus sign, digits on both sides of the point. "
            "Correct it, or put it in quotes."
        )
    if text[at] == ",":
        return "A value is missing before this comma."
    return "A value is expected here; text must stand in double quotes."


def _broken_string(text: str, at: int) -> tuple[int, str]:
    match = _SOUND_PART_OF_STRING.match(text, at)
    end = at + 1 if match is None else match.end()
    character = text[end : end + 1]
    if character == "\\" and end + 1 < len(text):
        return end, "This escape is unknown to JSON; write a backslash as \\\\."
    if character == "\t":
        return end, "A tab inside quotes must be written as \\t."
    return at, "This quote is not closed on its line; add the closing one, or write line ends as \\n."
