"""The page of errors lists every code of the code, with the status that it is answered with, and no other."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import helicon_server
from helicon_server.cli import exits
from helicon_server.domain import errors, formats
from helicon_server.http.problems import status_of
from helicon_server.settings import SettingsError
from helicon_server.storage.sql import errors as sql_errors

PAGE = Path(__file__).parents[3] / "docs" / "errors.md"
SOURCE = Path(helicon_server.__file__).parent
_ROW = re.compile(r"^\| `?(\w+)`? \| (.*)$", re.MULTILINE)
_CONSTANTS = {"INVALID_KEY": formats.INVALID_KEY}
# Place of the code among the arguments.
_CLIENT_CALLS = {"container_error": 1, "handler_error": 1, "_unavailable": 1, "_no_room": 1, "BadTargetError": 0}


def sections() -> dict[str, dict[str, str]]:
    """Rows of the page by section: code, and what stands behind it."""
    parts = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0]: dict(_ROW.findall(part)) for part in parts}


def statuses(section: str) -> dict[str, int]:
    """Code and status of each row of a section."""
    return {code: int(rest[:3]) for code, rest in sections()[section].items() if rest[:3].isdigit()}


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call in the server's source, by the name of what is called."""
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                function = node.func
                yield function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", ""), node


def text_of(node: ast.AST | None) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return _CONSTANTS.get(node.id) if isinstance(node, ast.Name) else None


def management_codes() -> dict[str, int]:
    """Every code that the management API can answer, with the status of the error that carries it."""
    found: dict[str, int] = {}
    for name, call in calls():
        code = next((text_of(k.value) for k in call.keywords if k.arg == "code"), None)
        if name == "RequestProblem":
            status, given = call.args[0], text_of(call.args[1])
            assert isinstance(status, ast.Attribute)
            assert given is not None
            found[given] = HTTPStatus[status.attr].value
        elif name == "_checked" and (what := text_of(call.args[0])) is not None:  # names: the code is made of it
            found[f"invalid_{what.replace(' ', '_')}"] = HTTPStatus.BAD_REQUEST.value
        elif code is not None:
            class_ = getattr(errors, name)
            found[code] = status_of(class_("")).value
    for class_ in vars(errors).values():
        if isinstance(class_, type) and issubclass(class_, errors.HeliconError) and class_ is not errors.HeliconError:
            found.setdefault(class_.default_code, status_of(class_("")).value)
    found |= dict.fromkeys(re.findall(r"^\| `(\w+)` \|", formats.__doc__ or "", re.MULTILINE), 400)
    found |= dict.fromkeys((code for code, _ in sql_errors._CONFLICTS.values()), 409)
    return found


def client_codes() -> set[str]:
    """Every code that the client protocol can answer."""
    found = {"database_unavailable"}  # of the error that storage raises
    for name, call in calls():
        place = _CLIENT_CALLS.get(name)
        code = text_of(call.args[place]) if place is not None and len(call.args) > place else None
        if code is not None:
            found.add(code)
    return found


def test_management__lists_every_code_with_its_status_and_no_other() -> None:
    """A new code is written about in the same commit."""
    assert statuses("Management API") == management_codes()


def test_client_protocol__lists_every_code_and_no_other() -> None:
    """The same for what clients are answered."""
    assert set(statuses("Client protocol")) == client_codes()


def test_codes__stand_once_in_their_section() -> None:
    """Two rows would say two things."""
    for part in re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]:
        counted = Counter(code for code, _ in _ROW.findall(part) if code not in ("Code", "Exit"))
        assert {code for code, times in counted.items() if times > 1} == set()


def test_exit_codes__are_those_of_the_program() -> None:
    """0 is peace, 2 is the parser of the command line; the others have names in the code."""
    own = {value for name, value in vars(exits).items() if name.isupper()}
    assert set(map(int, sections()["Exit codes of `helicon-server`"].keys() - {"Exit"})) == own | {0, 2}


def test_error_of_a_setting__is_none_of_the_api() -> None:
    """It ends the start; nobody can be answered yet."""
    assert SettingsError.default_code not in management_codes()
