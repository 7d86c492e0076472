"""The constraints check reads pins and hashes and compares them with pyproject.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.check_constraints import check

HASH = "--hash=sha256:" + "0" * 64


def _pin(name: str, version: str = "1.5") -> str:
    return f"{name}=={version} \\\n    {HASH}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project in order: each test breaks one thing of it."""
    (tmp_path / "constraints").mkdir()
    (tmp_path / "pyproject.toml").write_text(
        '[project]\ndependencies = ["helicon==0.1.0", "Uvicorn>=1.4"]\n'
        '[dependency-groups]\nbuild = ["hatchling"]\ntest = ["pytest"]\ncheck = ["ruff"]\n'
    )
    (tmp_path / "constraints" / "run.txt").write_text(_pin("uvicorn") + _pin("hatchling"))
    every = "".join(_pin(name) for name in ("uvicorn", "hatchling", "pytest", "ruff"))
    (tmp_path / "constraints" / "dev.txt").write_text(every)
    (tmp_path / "constraints" / "lock.txt").write_text(_pin("uv"))
    return tmp_path


def _found(root: Path) -> list[str]:
    return [str(finding) for finding in check(root)]


def test_constraints__in_step__nothing_found(root: Path) -> None:
    assert _found(root) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("constraints/dev.txt", _pin("pytest"), "", "pytest is not pinned in constraints/dev.txt"),
        ("constraints/run.txt", "uvicorn==1.5", "uvicorn==1.3", "out of the range Uvicorn>=1.4"),
        ("constraints/dev.txt", "hatchling==1.5", "hatchling==1.6", "differs from run.txt in hatchling"),
        ("constraints/lock.txt", "uv==1.5", "uv>=1.5", "uv is not pinned to one version"),
        ("constraints/run.txt", "uvicorn==1.5", "uvicorn @ https://x/y.whl", "not pinned to one version"),
        ("constraints/lock.txt", HASH, "--hash=sha256:12", "no hash, or a malformed one"),
        ("constraints/lock.txt", "uv==1.5 \\\n", "uv==1.5\n", "no hash, or a malformed one"),
        ("constraints/lock.txt", HASH + "\n", HASH + " \\", "ends in the middle"),
        ("constraints/lock.txt", "uv==1.5 \\\n", "--extra\nuv==1.5 \\\n", "neither a pin nor a hash"),
    ],
)
def test_constraints__one_fault__named(root: Path, file: str, old: str, new: str, complaint: str) -> None:
    path = root / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))

    assert any(complaint in line for line in _found(root)), _found(root)
