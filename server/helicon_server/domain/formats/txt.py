"""Plain text: the characters that no format may hold."""

from __future__ import annotations

import re
from itertools import islice

from helicon_server.domain.formats.problem import MAX_PROBLEMS, SyntaxProblem, problem_at

_REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def check(text: str) -> list[SyntaxProblem]:
    """Report control characters other than tab, line feed and carriage return, and halves of surrogate pairs."""
    return [
        problem_at(text, match.start(), *_explain(match[0])) for match in islice(_REFUSED.finditer(text), MAX_PROBLEMS)
    ]


def _explain(character: str) -> tuple[str, str]:
    code_point = f"U+{ord(character):04X}"
    if "\ud800" <= character <= "\udfff":
        return "invalid_character", f"Half of a surrogate pair ({code_point}) is not a character; remove it."
    return "control_character", f"The control character {code_point} is not allowed; remove it."
