"""The checks look at the same files with git and without it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tools.tree import Finding, files


def _checkout(root: Path) -> Path:
    for name in ("docs/a.md", ".ci/run", "src/x.py", ".venv/lib/y.py", "src/__pycache__/x.pyc", ".ruff_cache/z"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x\n")
    (root / ".gitignore").write_text(".venv/\n__pycache__/\n.ruff_cache/\n")
    return root


def test_files__with_and_without_git__are_the_same(tmp_path: Path) -> None:
    root = _checkout(tmp_path)
    unpacked = files(root)
    subprocess.run(["git", "init", "-q", str(root)], check=True)

    assert [str(path.relative_to(root)) for path in unpacked] == [".ci/run", ".gitignore", "docs/a.md", "src/x.py"]
    assert files(root) == unpacked


def test_finding__printed__leads_to_the_line() -> None:
    assert str(Finding("a.py", 3, "is wrong")) == "a.py:3: is wrong"
    assert str(Finding("a.py", 0, "is wrong")) == "a.py: is wrong"
