"""The checks of sources find environment reads, foreign imports of the client and dead code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.check_dead_code import check as dead_code
from tools.check_modules import MODULE_LINE_LIMIT, check_module


def _lines(name: str, text: str) -> list[int]:
    return [finding.line for finding in check_module(name, text)]


@pytest.mark.parametrize(
    "text",
    [
        "import os\nx = os.environ['A']\n",
        "import os as system\nx = system.getenv('A')\n",
        "import sys\nfrom os import environ\n",
    ],
)
def test_modules__environment_read_outside_settings__found(text: str) -> None:
    assert _lines("server/helicon_server/services/publish.py", text) == [2]
    assert _lines("server/helicon_server/settings.py", text) == []


def test_modules__client_imports_a_dependency__found() -> None:
    text = "import json\nimport helicon\nfrom . import x\nimport yaml.nodes\n"

    assert _lines("client/helicon/client.py", text) == [4]
    assert _lines("server/helicon_server/app.py", text) == []


@pytest.mark.parametrize(
    ("comment", "found"),
    [
        ("noqa: S603 - our own program", []),
        ("noqa: S603, S607 - our own program", []),
        ("type: ignore[arg-type]  # the table is wider", []),
        ("noqa", [1]),
        ("noqa: S603", [1]),
        ("type: ignore", [1]),
        ("type: ignore[arg-type]", [1]),
    ],
)
def test_modules__ignore__needs_a_code_and_a_reason(comment: str, found: list[int]) -> None:
    assert _lines("tests/x.py", f"x = 1  # {comment}\ny = '# noqa'\n") == found


def test_modules__too_long__found() -> None:
    assert _lines("server/helicon_server/app.py", "x = 1\n" * (MODULE_LINE_LIMIT + 1)) == [0]


def test_dead_code__unused_function__found_and_what_libraries_read_is_not(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "from typing import Protocol\n"
        "class Port(Protocol):\n"
        "    def call(self, argument: int) -> None: ...\n"
        "class Row:\n"
        "    field: int\n"
        "def forgotten() -> None: ...\n"
        "print(Port, Row)\n"
    )

    assert [(finding.line, finding.path) for finding in dead_code(tmp_path, [module])] == [(6, "module.py")]
