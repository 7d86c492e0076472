"""Strict JSON (RFC 8259), with duplicate keys and unbounded depth refused.

One pass with regular expressions and an explicit stack: deep text cannot exhaust the interpreter's stack, and
the place of every problem is exact.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn

from helicon_server.domain.formats import json_advice
from helicon_server.domain.formats.problem import MAX_PROBLEMS, SyntaxProblem, locate, problem_at, shown
from helicon_server.domain.formats.properties import BYTE_ORDER_MARK, BYTE_ORDER_MARK_MESSAGE

MAX_DEPTH = 100

_STRING = r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\x00-\x1f]*+)*+"'
_NUMBER = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+"
_blanks = re.compile(r"[ \t\n\r]*+").match
_scalar = re.compile(rf"(?:{_STRING}|(?:{_NUMBER}|true|false|null)(?![\w.+-]))").match
_key = re.compile(_STRING).match
_CLOSERS = {"{": "}", "[": "]"}


@dataclass(slots=True)
class _Open:
    offset: int
    closer: str
    keys: dict[str, int] = field(default_factory=dict)  # key → offset of its first use; stays empty in an array


class _Stop(Exception):
    """Ends the scan at a problem behind which nothing can be trusted."""


def check(text: str) -> list[SyntaxProblem]:
    """Report the first syntax error and every duplicate key before it."""
    scan = _Scan(text)
    with suppress(_Stop):
        scan.document()
    return scan.problems


class _Scan:
    def __init__(self, text: str) -> None:
        self.problems: list[SyntaxProblem] = []
        self._text = text
        self._at = 0
        self._open: list[_Open] = []

    def document(self) -> None:
        if self._text.startswith(BYTE_ORDER_MARK):
            self._report(0, "byte_order_mark", BYTE_ORDER_MARK_MESSAGE)
            self._at = 1
        self._skip_blanks()
        while True:
            if self._value_ends():
                self._close_and_step()
                if not self._open:
                    break
        if self._at < len(self._text):
            self._fail(self._at, "Text stands behind the end of the document; remove it.")

    def _value_ends(self) -> bool:
        """Read a scalar, an empty collection or an opening bracket; tell whether a whole value ended."""
        character = self._text[self._at : self._at + 1]
        closer = _CLOSERS.get(character)
        if closer is None:
            match = _scalar(self._text, self._at)
            if match is None:
                self._fail(*json_advice.for_value(self._text, self._at, self._opener()))
            self._at = match.end()
            return True
        if len(self._open) == MAX_DEPTH:
            message = f"Objects and arrays are nested deeper than {MAX_DEPTH} levels; flatten the document."
            self._report(self._at, "json_depth", message)
            raise _Stop
        opened = _Open(self._at, closer)
        self._at += 1
        self._skip_blanks()
        if self._text.startswith(closer, self._at):
            self._at += 1
            return True
        self._open.append(opened)
        if closer == "}":
            self._member(opened)
        return False

    def _close_and_step(self) -> None:
        """Go past closing brackets to the next value, or to the end of the document."""
        self._skip_blanks()
        while self._open:
            innermost = self._open[-1]
            character = self._text[self._at : self._at + 1]
            if character == ",":
                self._at += 1
                self._skip_blanks()
                if innermost.closer == "}":
                    self._member(innermost)
                return
            if character != innermost.closer:
                self._fail(*json_advice.after_value(self._text, self._at, innermost.offset))
            self._at += 1
            self._open.pop()
            self._skip_blanks()

    def _member(self, opened: _Open) -> None:
        """Read a key and its colon."""
        start = self._at
        match = _key(self._text, start)
        if match is None:
            self._fail(*json_advice.for_key(self._text, start, opened.offset))
        self._at = match.end()
        self._skip_blanks()
        if not self._text.startswith(":", self._at):
            self._fail(*json_advice.for_colon(self._text, self._at, opened.offset))
        self._at += 1
        self._skip_blanks()
        key = match[0][1:-1]
        if "\\" in key:
            key = json.loads(match[0])
        first = opened.keys.setdefault(key, start)
        if first != start:
            line = locate(self._text, first)[0]
            message = f"The key {shown(key)} is already set on line {line} in this object; keep one of the two."
            self._report(start, "json_duplicate_key", message)

    def _skip_blanks(self) -> None:
        match = _blanks(self._text, self._at)
        assert match is not None, "the pattern may be empty"
        self._at = match.end()

    def _opener(self) -> int | None:
        return self._open[-1].offset if self._open else None

    def _fail(self, offset: int, message: str) -> NoReturn:
        self._report(offset, "json_syntax", message)
        raise _Stop

    def _report(self, offset: int, code: str, message: str) -> None:
        self.problems.append(problem_at(self._text, offset, code, message))
        if len(self.problems) == MAX_PROBLEMS:
            raise _Stop
