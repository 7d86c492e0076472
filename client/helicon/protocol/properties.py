"""Java `.properties` text: read without loss, written one entry or one whole file at a time.

`parse` keeps every character, so that an editor can change one entry and leave comments, order and
blanks alone. What it reads is what `java.util.Properties.load(Reader)` reads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_BLANKS = " \t\f"
_NATURAL_LINE = re.compile(r"[^\r\n]*+(?:\r\n|\r|\n)|[^\r\n]++")
_KEY_AND_VALUE = re.compile(
    r"([^\\=: \t\f]*+(?:\\.[^\\=: \t\f]*+)*+)"  # a key ends at the first separator without a backslash
    r"[ \t\f]*+[=:]?+[ \t\f]*+"
    r"(.*)",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_ESCAPE_OR_CHARACTER = re.compile(_ESCAPE.pattern + "|.", re.DOTALL)
_SHORT_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")

_MALFORMED = r"\u needs four hexadecimal digits after it; write a plain backslash as two: \\."
_NUL = "The character NUL (U+0000) cannot be stored; remove it."
_LONE_SURROGATE = "This is half of a surrogate pair; write both halves, or the character itself."


class PropertiesError(ValueError):
    """Text that Java would refuse, or that holds a character which no client could receive.

    `line` and `column` are 1-based; the column counts characters. The message never quotes the text.
    """

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.message = message
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Line:
    """One logical line: an entry with its continuation lines, or a comment or blank line (key None).

    `number` is the 1-based number of its first natural line, `raw` all its characters, terminators included.
    """

    number: int
    raw: str
    key: str | None
    value: str


def parse(text: str) -> list[Line]:
    """Split text into logical lines whose `raw` parts, joined, are the text again.

    Raises PropertiesError for a malformed Unicode escape and for NUL or half a surrogate pair in a key or value.
    """
    lines: list[Line] = []
    natural_lines: list[str] = _NATURAL_LINE.findall(text)
    suspicious = _UNSTORABLE.search(text) is not None
    total = len(natural_lines)
    index = 0
    while index < total:
        number = index + 1
        raw = natural_lines[index]
        index += 1
        content = _content(raw)
        if not content or content[0] in "#!":
            lines.append(Line(number, raw, None, ""))
            continue
        if content[-1] == "\\" and _continues(content):
            if content == "\\" and (index < total or raw.endswith("\r\n")):
                # Java has read nothing yet, so the next line starts afresh and may even be a comment.
                # Only where the text ends right behind the backslash or one terminator is it an empty entry.
                lines.append(Line(number, raw, None, ""))
                continue
            end = _last_natural_line(natural_lines, index - 1)
            raw = "".join(natural_lines[number - 1 : end])
            content = _folded(natural_lines[number - 1 : end])
            index = end
        match = _KEY_AND_VALUE.match(content)
        assert match is not None, "every part of the pattern may be empty"
        key, value = match.groups()
        if suspicious or "\\" in content:
            key, value = _unescape(key, number, raw), _unescape(value, number, raw)
        lines.append(Line(number, raw, key, value))
    return lines


def entry(key: str, value: str) -> str:
    r"""Write one entry, without terminator, that parses back to exactly this key and value.

    Made for the person who edits it: letters of every script stay, only what would be lost or unseen is escaped
    (line ends, tabs, control characters, separators in the key, blanks in front of the value).
    Raises ValueError for NUL and for half a surrogate pair, which `parse` refuses too.
    """
    if _UNSTORABLE.search(key) or _UNSTORABLE.search(value):
        raise ValueError("a key or value holds NUL or half a surrogate pair")
    written_key = key.translate(_ENTRY_KEY)
    if written_key[:1] in ("#", "!"):
        written_key = "\\" + written_key
    written_value = value.translate(_ENTRY_VALUE)
    if written_value[:1] == " ":
        written_value = "\\" + written_value
    return f"{written_key}={written_value}"


def render(configurations: Mapping[str, str]) -> str:
    """Write a whole file as `/configfiles` answers it, in the order of the mapping.

    Apollo client protocol, section 6.1: no comment line, `\n` after each entry, non-ASCII as it is.
    """
    parts: list[str] = []
    for key, value in configurations.items():
        written = value.translate(_RENDERED_VALUE)
        leading = "\\" if written[:1] == " " else ""
        parts.append(f"{key.translate(_RENDERED_KEY)}={leading}{written}\n")
    return "".join(parts)


def _content(natural_line: str) -> str:
    return natural_line.rstrip("\r\n").lstrip(_BLANKS)


def _continues(content: str) -> bool:
    """Tell whether the last backslash is not itself escaped."""
    return (len(content) - len(content.rstrip("\\"))) % 2 == 1


def _last_natural_line(natural_lines: list[str], start: int) -> int:
    """Return the index behind the last natural line of the logical line at `start`."""
    index = start
    while index < len(natural_lines) and _continues(_content(natural_lines[index])):
        index += 1
    return min(index + 1, len(natural_lines))


def _folded(natural_lines: list[str]) -> str:
    parts = [_content(line) for line in natural_lines]
    return "".join(part[:-1] if _continues(part) else part for part in parts)


def _unescape(text: str, number: int, raw: str) -> str:
    try:
        plain = _ESCAPE.sub(_plain, text) if "\\" in text else text
        if _UNSTORABLE.search(plain):
            plain = plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
            if "\0" in plain:
                raise ValueError(_NUL)
    except ValueError:
        raise _explained(number, raw) from None
    return plain


def _plain(escape: re.Match[str]) -> str:
    code, character = escape.groups()
    if code is not None:
        return chr(int(code, 16))
    if character == "u":
        raise ValueError(_MALFORMED)
    return _SHORT_ESCAPES.get(character, character)


def _explained(number: int, raw: str) -> PropertiesError:
    """Find the first fault of a logical line that is known to have one. Slow, and only run then."""
    content: list[str] = []
    places: list[tuple[int, int]] = []
    for line, natural in enumerate(_NATURAL_LINE.findall(raw), number):
        part = _content(natural)
        first = len(natural.rstrip("\r\n")) - len(part) + 1
        part = part[:-1] if _continues(part) else part
        content.append(part)
        places.extend((line, first + offset) for offset in range(len(part)))
    high: tuple[int, int] | None = None  # where a first half waits for its second
    for token in _ESCAPE_OR_CHARACTER.finditer("".join(content)):
        place = places[token.start()]
        code, character = token.groups()
        if code is None and character == "u":
            return PropertiesError(_MALFORMED, *place)
        unit = int(code, 16) if code is not None else ord((character or token[0])[0])
        low = 0xDC00 <= unit <= 0xDFFF
        if high is not None and not low:
            return PropertiesError(_LONE_SURROGATE, *high)
        if low and high is None:
            return PropertiesError(_LONE_SURROGATE, *place)
        if unit == 0:
            return PropertiesError(_NUL, *place)
        high = place if 0xD800 <= unit <= 0xDBFF else None
    return PropertiesError(_LONE_SURROGATE, *(high or (number, 1)))


# Tables for str.translate: code point → replacement.
_LINE_ENDS_AND_TABS = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f"}
_INVISIBLE = [*range(0x01, 0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, 0xFEFF]
_ENTRY_VALUE = {code: f"\\u{code:04X}" for code in _INVISIBLE} | str.maketrans(_LINE_ENDS_AND_TABS)
_ENTRY_KEY = _ENTRY_VALUE | str.maketrans({character: "\\" + character for character in " =:"})
_RENDERED_VALUE = str.maketrans(_LINE_ENDS_AND_TABS | {character: "\\" + character for character in "=:#!"})
_RENDERED_KEY = _RENDERED_VALUE | str.maketrans({" ": "\\ "})
