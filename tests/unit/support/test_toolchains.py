"""Tests that need another language's toolchain are left out where it is absent, and the run says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
MARKED = "import pytest\n@pytest.mark.go\ndef test_marked():\n    pass\ndef test_plain():\n    pass\n"


def _run(folder: Path, path: Path) -> str:
    (folder / "test_sample.py").write_text(MARKED)
    plugins = ["-p", "tests.plugins.no_skips", "-p", "tests.plugins.toolchains", "-p", "no:cacheprovider"]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", *plugins, "-c", os.devnull, f"--rootdir={folder}", str(folder)],
        cwd=ROOT,
        env={**os.environ, "CI": "true", "PATH": str(path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def test_marked_test__toolchain_absent__left_out_with_one_line_in_ci_too(tmp_path: Path) -> None:
    empty = tmp_path / "bin"
    empty.mkdir()

    said = _run(tmp_path, empty)

    assert "left out: tests marked go (1): no go on this machine" in said
    assert "1 passed, 1 deselected" in said


def test_marked_test__toolchain_present__runs(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "go").write_text("#!/bin/sh\n")
    (programs / "go").chmod(0o755)

    said = _run(tmp_path, programs)

    assert "left out" not in said
    assert "2 passed" in said
