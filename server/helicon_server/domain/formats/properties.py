"""Properties text: syntax, the key rule, and keys that appear twice."""

from __future__ import annotations

from helicon.protocol.properties import Line, PropertiesError, parse
from helicon_server.domain.formats.keys import INVALID_KEY, check_key, fold_key
from helicon_server.domain.formats.problem import MAX_PROBLEMS, SyntaxProblem, shown

BYTE_ORDER_MARK = "\ufeff"
BYTE_ORDER_MARK_MESSAGE = "An invisible byte order mark (U+FEFF) stands before the text; save it without one."


def check(text: str) -> list[SyntaxProblem]:
    """Report what Java would refuse, keys that break the rule, and duplicates with the line of the first."""
    problems: list[SyntaxProblem] = []
    shift = 0  # columns of line 1 that the byte order mark takes
    if text.startswith(BYTE_ORDER_MARK):
        problems.append(SyntaxProblem("byte_order_mark", BYTE_ORDER_MARK_MESSAGE, 1, 1))
        text, shift = text[1:], 1
    try:
        lines = parse(text)
    except PropertiesError as error:
        column = error.column + (shift if error.line == 1 else 0)
        return [*problems, SyntaxProblem("properties_syntax", error.message, error.line, column)]
    first_by_key: dict[str, int] = {}
    first_by_fold: dict[str, Line] = {}
    for line in lines:
        if line.key is None:
            continue
        fault = _fault(line, line.key, first_by_key, first_by_fold)
        if fault is not None:
            column = len(line.raw) - len(line.raw.lstrip(" \t\f")) + 1 + (shift if line.number == 1 else 0)
            problems.append(SyntaxProblem(*fault, line.number, column))
            if len(problems) == MAX_PROBLEMS:
                break
    return problems


def _fault(
    line: Line, key: str, first_by_key: dict[str, int], first_by_fold: dict[str, Line]
) -> tuple[str, str] | None:
    """Return code and message of the entry's fault, and remember the entry for those behind it."""
    invalid = check_key(key)
    if invalid is not None:
        return INVALID_KEY, invalid
    first = first_by_key.setdefault(key, line.number)
    if first != line.number:
        return "duplicate_key", f"The key {shown(key)} is already set on line {first}; keep one of the two."
    twin = first_by_fold.setdefault(fold_key(key), line)
    if twin is not line:
        message = (
            f"The key {shown(key)} differs only by letter case from {shown(twin.key or '')} on line {twin.number}; "
            "keep one of the two, or rename it."
        )
        return "duplicate_key_case", message
    return None
