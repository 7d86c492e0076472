"""YAML: one or several documents, read as events only; nothing is ever constructed."""

from __future__ import annotations

import re
from typing import Any

import yaml as pyyaml
from yaml.reader import ReaderError

from helicon_server.domain.formats.problem import SyntaxProblem, problem_at
from helicon_server.domain.formats.yaml_errors import explain
from helicon_server.domain.formats.yaml_walk import Stop, Walk

# libyaml where PyYAML was built with it (every published wheel is), else the ten times slower twin in Python.
Loader: type[Any] = getattr(pyyaml, "CSafeLoader", pyyaml.SafeLoader)

_BYTE_ORDER_MARK = "\ufeff"
_NOT_IN_YAML = re.compile("[\ufeff\ufffe\uffff]")


def check(text: str, loader_type: type[Any] = Loader) -> list[SyntaxProblem]:
    """Report syntax errors, duplicate keys, foreign tags and alias bombs; see the package for the codes.

    Several documents separated by `---` are one text, as Spring writes them. One byte order mark in front is
    allowed, as YAML 1.2 (section 5.2) does; the marks of the parser do not count it.
    """
    shift = 1 if text.startswith(_BYTE_ORDER_MARK) else 0
    refused = _NOT_IN_YAML.search(text, shift)
    if refused is not None:
        message = f"The invisible character U+{ord(refused[0]):04X} is not allowed in YAML; remove it."
        return [problem_at(text, refused.start(), "yaml_syntax", message)]
    walk = Walk(text, shift)
    loader = loader_type(text[shift:])
    try:
        while loader.check_event():
            walk.see(loader.get_event())
    except Stop:
        pass
    except pyyaml.MarkedYAMLError as error:
        walk.problems.append(explain(error, text, shift, walk.open_bracket()))
    except ReaderError:
        # Unreachable as far as we know: characters that the reader refuses were refused above.
        walk.problems.append(problem_at(text, 0, "yaml_syntax", "A character in this text is not allowed in YAML."))
    finally:
        loader.dispose()
    return walk.problems
