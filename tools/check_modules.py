"""Checks rules of the sources that an import linter cannot see.

- The environment is read in few named places. A setting read elsewhere has no default, no check and no line in
  the documentation, and tests cannot give it. Escape hatch: a new row in ENVIRONMENT_READERS, with its reason.
- The client imports the standard library alone. A service must not get a dependency because it reads
  configuration. Escape hatch: an extra of client/pyproject.toml and a row in CLIENT_EXTRAS.
- Every ignore names a code and a reason: `# noqa: S603 - our own program`.
- No module grows past MODULE_LINE_LIMIT lines: there are two nouns inside.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from tools.tree import ROOT, Finding, files, report

PRODUCT = ("client/helicon/", "server/", "migrations/", "portal/")
MODULE_LINE_LIMIT = 800

# Pattern of files → why it may.
ENVIRONMENT_READERS = {
    "server/helicon_server/settings.py": "the one place for settings of the server",
    "client/helicon/_impl/settings.py": "the one place for settings of the client",
    "client/helicon/cli/isolation.py": "PYTHONPATH is Python's, not ours: what it names is kept off our import path",
    "client/helicon/cli/inherited.py": "what `helicon run` hands on to the program that it becomes",
}
# Optional import → the files that may try it.
CLIENT_EXTRAS: dict[str, tuple[str, ...]] = {}

_IGNORE = re.compile(r"#\s*(?:noqa|type:\s*ignore)\b")
_EXPLAINED = re.compile(r"#\s*(?:noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|type:\s*ignore\[[\w, -]+\])\s+[-#–]\s*\S+")
_READS = {"environ", "environb", "getenv", "getenvb"}


def environment_reads(tree: ast.AST) -> Iterator[int]:
    """Yields the lines that reach for the process environment through `os`."""
    aliases = {"os"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {name.asname for name in node.names if name.name == "os" and name.asname}
        elif isinstance(node, ast.ImportFrom) and node.module == "os" and not node.level:
            yield from (node.lineno for name in node.names if name.name in _READS)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and node.attr in _READS
            and isinstance(node.value, ast.Name)
            and node.value.id in aliases
        ):
            yield node.lineno


def foreign_imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yields line and top-level name of every import from outside the standard library and the client."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names = [node.module]
        else:
            continue
        for name in names:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top != "helicon":
                yield node.lineno, top


def bare_ignores(text: str) -> Iterator[int]:
    """Yields the lines whose ignore lacks a code or a reason."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and _IGNORE.search(token.string) and not _EXPLAINED.search(token.string):
            yield token.start[0]


def check_module(name: str, text: str) -> Iterator[Finding]:
    """Finds the faults of one module."""
    for line in bare_ignores(text):
        yield Finding(name, line, "ignores a rule without a code or a reason: # noqa: S603 - why")
    if not name.startswith(PRODUCT):
        return
    tree = ast.parse(text, filename=name)
    if not any(fnmatch(name, pattern) for pattern in ENVIRONMENT_READERS):
        for line in environment_reads(tree):
            yield Finding(name, line, "reads the environment; settings come in as arguments")
    if name.startswith("client/helicon/"):
        for line, top in foreign_imports(tree):
            if not any(fnmatch(name, pattern) for pattern in CLIENT_EXTRAS.get(top, ())):
                yield Finding(name, line, f"imports {top}; the client needs the standard library alone")
    length = text.count("\n")
    if length > MODULE_LINE_LIMIT:
        yield Finding(name, 0, f"has {length} lines; at {MODULE_LINE_LIMIT} look for the second noun inside")


def findings(root: Path = ROOT) -> Iterator[Finding]:
    for path in files(root):
        name = path.relative_to(root).as_posix()
        if path.suffix == ".py":
            yield from check_module(name, path.read_text())


if __name__ == "__main__":
    sys.exit(report(findings()))
