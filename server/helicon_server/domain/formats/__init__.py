"""Documents of the six namespace formats: what they are called, and whether they are sound.

`check(format, text)` finds the problems of a text before it is saved or published. It never builds
the document, never does I/O, never raises on any text, and is bounded in depth, expansion and output.
Messages are for the person in the editor: they say what to do, and never quote a value.

Stable codes:

| Code | Format | Meaning |
|---|---|---|
| `control_character` | all | a control character other than tab, line feed and carriage return |
| `invalid_character` | all | half of a surrogate pair, which no encoding can carry |
| `byte_order_mark` | json, properties | an invisible byte order mark in front of the text |
| `json_syntax` | json | not strict JSON (RFC 8259) |
| `json_duplicate_key` | json | a key twice in one object |
| `json_depth` | json | more than 100 objects and arrays inside one another |
| `yaml_syntax` | yaml, yml | not YAML |
| `yaml_duplicate_key` | yaml, yml | a key twice in one mapping; a key that overrides a merged one is none |
| `yaml_key` | yaml, yml | a mapping or list as a key, which most clients cannot hold |
| `yaml_merge` | yaml, yml | a merge key `<<` whose value is not a mapping or a list of mappings |
| `yaml_tag` | yaml, yml | an explicit tag outside the core schema, or on the wrong kind of node |
| `yaml_alias` | yaml, yml | an alias without an anchor before it, or inside its own anchor |
| `yaml_bomb` | yaml, yml | aliases that expand to more than 100,000 nodes |
| `yaml_depth` | yaml, yml | more than 100 mappings and lists inside one another |
| `xml_syntax` | xml | not well-formed XML |
| `xml_entity` | xml | an entity declared in the document, or used without being one of the built-in five |
| `xml_depth` | xml | more than 100 elements inside one another |
| `properties_syntax` | properties | a malformed Unicode escape, or an escape for a character that cannot be stored |
| `invalid_key` | properties | a key that breaks the rule of `check_key` |
| `duplicate_key` | properties | a key twice |
| `duplicate_key_case` | properties | a key twice, in different letter case |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from helicon_server.domain.formats import json, properties, txt, xml, yaml
from helicon_server.domain.formats.format import Format
from helicon_server.domain.formats.keys import INVALID_KEY, MAX_KEY_LENGTH, check_key, fold_key
from helicon_server.domain.formats.problem import MAX_PROBLEMS, SyntaxProblem

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "INVALID_KEY",
    "MAX_KEY_LENGTH",
    "MAX_PROBLEMS",
    "Format",
    "SyntaxProblem",
    "check",
    "check_key",
    "fold_key",
]

_CHECKS: dict[Format, Callable[[str], list[SyntaxProblem]]] = {
    Format.PROPERTIES: properties.check,
    Format.JSON: json.check,
    Format.YAML: yaml.check,
    Format.YML: yaml.check,
    Format.XML: xml.check,
    Format.TXT: txt.check,
}


def check(format: Format, text: str) -> list[SyntaxProblem]:  # noqa: A002 - the word of the domain
    """Return the problems of a text in order of position, at most MAX_PROBLEMS; an empty list means sound.

    Blank text is sound in every format (Apollo client protocol, section 13). Text with characters that no
    format may hold is judged on these alone, because what a parser says behind them misleads.
    """
    problems = txt.check(text)
    if problems or not text.strip(" \t\r\n"):
        return problems
    return sorted(_CHECKS[format](text), key=lambda problem: (problem.line, problem.column))[:MAX_PROBLEMS]
