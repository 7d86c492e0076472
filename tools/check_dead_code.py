"""Finds code that nothing uses, tests included, with vulture.

Vulture knows names, not types, so these are taken for used: what a Protocol declares, the fields of classes (rows,
records and request models are read by their libraries), the members of enumerations, and the names of ALLOWED.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from vulture import Vulture

from tools.tree import ROOT, Finding, files, report

OWN_NAME = "tools/check_dead_code.py"
MIN_CONFIDENCE_PERCENT = 60

# Name or pattern → who uses it.
ALLOWED: dict[str, str] = {
    "__getattr__": "Python calls it of modules",
    "__dir__": "Python calls it of modules",
    "__class__": "isinstance() reads it of a stand-in",
    "_keeps_the_contract": "the type checker compares an implementation with its Protocol there",
    "redirect_slashes": "an option of Starlette's router",
    "should_exit": "uvicorn's server ends when it is set",
    "pytest_*": "pytest calls its hooks by name",
    "pytestmark": "pytest reads the marks of a module",
    "frame": "signal handlers are called with it",
    "visit_*": "ast.NodeVisitor calls by name",
    "handle_*": "HTMLParser and other stream parsers call by name",
    "on_url": "httptools calls its protocol by name",
    "send_400_response": "uvicorn's protocol calls it",
    "msg": "uvicorn's protocol passes it",
    "timeout_keep_alive_handler": "a timer of uvicorn's protocol calls it",
    "expect_100_continue": "uvicorn's protocol hands it to a request's cycle",
    "disconnected": "uvicorn's request cycle reads it",
    "on_header": "httptools calls its protocol by name",
    "do_*": "http.server calls by method",
    "log_message": "http.server calls it to log",
    "model_config": "pydantic reads it",
    "*Handler": "xml.parsers.expat calls what is assigned to it",
    "specified_attributes": "an option of xml.parsers.expat",
    "isolation_level": "an option of sqlite3 connections",
    "impl": "SQLAlchemy reads it of column types",
    "cache_ok": "SQLAlchemy reads it of column types",
    "inherit_cache": "SQLAlchemy reads it of parts of statements",
    "row_factory": "an option of sqlite3 connections",
    "load_dialect_impl": "SQLAlchemy calls it of column types",
    "bind_processor": "SQLAlchemy calls it of column types",
    "result_processor": "SQLAlchemy calls it of column types",
    "coltype": "SQLAlchemy passes it to column types",
    "proxy": "SQLAlchemy passes it to listeners of its pool",
    "heads": "Alembic passes it to the function that chooses revisions",
    "run_args": "Alembic passes it to the function that chooses revisions",
    "down_revision": "Alembic reads it of versions",
    "branch_labels": "Alembic reads it of versions",
    "depends_on": "Alembic reads it of versions",
}
ENUMERATIONS = {"Enum", "StrEnum", "IntEnum", "Flag", "IntFlag"}
DECORATORS = [
    "@*.fixture",
    "@*.listens_for",
    "@compiles",
    "@*.command",
    "@*.callback",
    "@*.hookimpl",
    "@*_validator",
    "@*_serializer",
    "@on_change",
    "@*.on_change",
]


def spoken_for(tree: ast.AST) -> set[int]:
    """Returns the lines of Protocol bodies, of fields in class bodies and of enumeration members."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        bases = {ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in node.bases}
        if "Protocol" in bases:
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        kinds = (ast.AnnAssign, ast.Assign) if bases & ENUMERATIONS else (ast.AnnAssign,)
        lines.update(part.lineno for part in node.body if isinstance(part, kinds))
    return lines


def check(root: Path, paths: list[Path]) -> Iterator[Finding]:
    """Finds unused functions, classes, variables, imports and unreachable code in the files together."""
    vulture = Vulture(ignore_names=list(ALLOWED), ignore_decorators=DECORATORS)
    vulture.scavenge([str(path) for path in paths])
    passed_over: dict[Path, set[int]] = {}
    for item in vulture.get_unused_code(min_confidence=MIN_CONFIDENCE_PERCENT):
        path = Path(item.filename)
        if path not in passed_over:
            passed_over[path] = spoken_for(ast.parse((root / path).read_text()))
        if item.first_lineno not in passed_over[path]:
            name = (root / path).relative_to(root).as_posix()
            yield Finding(name, item.first_lineno, f"{item.message}: remove it, or say in {OWN_NAME} who uses it")


if __name__ == "__main__":
    sys.exit(report(check(ROOT, [path for path in files() if path.suffix == ".py"])))
