"""A problem of a document and the place where a person finds it."""

from __future__ import annotations

from dataclasses import dataclass

MAX_PROBLEMS = 50  # more help nobody, and an answer must stay small
_SHOWN_LENGTH = 64  # characters of a key name in a message


@dataclass(frozen=True, slots=True)
class SyntaxProblem:
    """One thing to correct. `line` and `column` are 1-based; the column counts characters (code points).

    Lines end at `\\n`, `\\r\\n` or a lone `\\r`, as editors count them, also where a format knows more line ends.
    A byte order mark in front counts as a character.
    """

    code: str
    message: str
    line: int
    column: int


def problem_at(text: str, offset: int, code: str, message: str) -> SyntaxProblem:
    """Build a problem at a character offset of the text."""
    line, column = locate(text, offset)
    return SyntaxProblem(code, message, line, column)


def locate(text: str, offset: int) -> tuple[int, int]:
    """Turn a character offset into line and column."""
    line_feeds = text.count("\n", 0, offset)
    returns = text.count("\r", 0, offset)
    line = line_feeds + 1
    if returns:
        line += returns - text.count("\r\n", 0, offset)
    start = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
    return line, offset - start + 1


def shown(name: str) -> str:
    """Quote a key or element name for a message: shortened, and safe for every terminal and encoding."""
    short = name if len(name) <= _SHOWN_LENGTH else name[:_SHOWN_LENGTH] + "…"
    visible = "".join(character if character.isprintable() else f"\\u{{{ord(character):X}}}" for character in short)
    return f'"{visible}"'
