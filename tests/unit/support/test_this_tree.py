"""Tests never run the code of another checkout unnoticed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.this_tree import require_this_tree


def test_require_this_tree__child_loads_another_checkout__fails_and_names_it(tmp_path: Path) -> None:
    other = tmp_path / "helicon_server"
    other.mkdir()
    (other / "__init__.py").touch()

    with pytest.raises(AssertionError, match=f"a process that tests start would run helicon_server from {other}"):
        require_this_tree(["helicon_server"], {**os.environ, "PYTHONPATH": str(tmp_path)}, tmp_path)


def test_require_this_tree__this_process_loads_another_checkout__fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.this_tree.TREE", tmp_path)

    with pytest.raises(AssertionError, match="not from"):
        require_this_tree(["helicon_server"], os.environ, tmp_path)


def test_require_this_tree__package_is_not_installed__says_so(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="does not know helicon_nothing"):
        require_this_tree(["helicon_nothing"], os.environ, tmp_path)
