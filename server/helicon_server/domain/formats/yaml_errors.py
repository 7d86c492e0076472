"""What the YAML parser says, in words for the person who edits the document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from helicon_server.domain.formats.problem import SyntaxProblem, locate, problem_at

if TYPE_CHECKING:
    from yaml import MarkedYAMLError

# Part of the parser's sentence → our advice. The first that fits is taken. The parser's own words are never
# passed on: the variant in Python quotes characters of the document.
_TAB = "A tab stands where YAML wants spaces; indent with spaces."
_FEW_DIGITS = "This escape needs more hexadecimal digits; write a backslash as \\\\, or use single quotes."
_DOCUMENT_LINE = (
    'A line that begins with "---" or "..." ends the document inside quotes; '
    "close the quote before it, or indent the line."
)
_KEY_EXPECTED = "A key is expected here. Correct the indentation; text behind a closing quote or bracket must go."
_ADVICE = {
    "tab character": _TAB,
    "mapping values are not allowed": (
        'Unexpected ":". Put a value that contains ": " in quotes, or correct the indentation.'
    ),
    "sequence entries are not allowed": (
        'Unexpected "-". A list begins on a line of its own, below its key; a value that begins with "- " needs quotes.'
    ),
    "mapping keys are not allowed": (
        'Unexpected "?". Put text that begins with "? " in quotes, or correct the indentation.'
    ),
    "block scalar": 'Only a digit from 1 to 9, "+" or "-" may follow "|" or ">" on this line.',
    "cannot start any token": "A value cannot begin with this character; put the value in quotes.",
    "unknown escape character": (
        "This escape is unknown. Write a backslash as \\\\, or put the text in single quotes."
    ),
    "escape code": "This escape names no character; correct its digits.",
    "hexdecimal": _FEW_DIGITS,  # libyaml's spelling
    "hexadecimal": _FEW_DIGITS,
    "document indicator": _DOCUMENT_LINE,
    "document separator": _DOCUMENT_LINE,
    "undefined tag handle": "This tag is not allowed here; remove it.",
    "incompatible YAML document": "This %YAML version is not supported; remove the line, or write 1.1 or 1.2.",
    "a directive": "This directive is not known; put text that begins with % in quotes, or remove the line.",
    "ing a tag": 'This tag is malformed; put text that begins with "!" in quotes.',
    "found unexpected ':'": 'Unexpected ":". Put text that contains ":" in quotes.',
    "expected <document start>": (
        'Text stands behind the end of the document. Remove it, or begin a new document with a line "---".'
    ),
    "expected key": _KEY_EXPECTED,
    "<block mapping start>": _KEY_EXPECTED,
    "'-' indicator": 'A list item ("- ") is expected here; correct the indentation.',
    "alphabetic or numeric": ('A name is expected behind "&" or "*"; put text that begins with one of them in quotes.'),
    "node content": "A value is missing here; write one, or remove the bracket or comma.",
}
_ESCAPES = {_ADVICE["unknown escape character"], _ADVICE["escape code"], _FEW_DIGITS}
_OTHERWISE = "This is not valid YAML; look at the indentation, quotes, colons and brackets here."
_NEVER_CLOSED = "This bracket is never closed; add the closing one."
_QUOTE_NEVER_CLOSED = "This quote is never closed; add the closing one."
_NO_COLON = 'A ":" is missing behind this key. Write "key: value", or correct the indentation.'


def explain(error: MarkedYAMLError, text: str, shift: int, bracket: int | None) -> SyntaxProblem:
    """Turn a parser's error into a problem at the place to correct.

    `bracket` is the offset of the open bracket around it. `shift` is added to the parser's offsets.
    """
    problem = error.problem or ""
    said = f"{problem} {error.context or ''}"
    at = _offset(error.problem_mark, shift)
    began = _offset(error.context_mark, shift)
    if at is None:
        at = began or 0
    at = min(at, len(text))
    message = next((advice for part, advice in _ADVICE.items() if part in said), _OTHERWISE)
    if "could not find expected ':'" in problem and began is not None:
        at, message = began, _NO_COLON
    elif "unexpected end of stream" in problem and began is not None:
        at, message = began, _QUOTE_NEVER_CLOSED
    elif "quoted scalar" in said and message in _ESCAPES and text[at : at + 1] != "\\":
        at = max(text.rfind("\\", 0, at), 0)  # the parser shows the digits; the person looks for the backslash
    elif text[at : at + 1] == "\t":
        message = _TAB
    elif bracket is not None and not text[at:].strip():
        at, message = bracket, _NEVER_CLOSED
    elif bracket is not None and ("',' or" in problem or "node content" in problem):
        line = locate(text, bracket)[0]
        message = f"A comma or the closing bracket is missing before this; the bracket opens on line {line}."
    return problem_at(text, at, "yaml_syntax", message)


def _offset(mark: object, shift: int) -> int | None:
    index = getattr(mark, "index", None)
    return index + shift if isinstance(index, int) else None
