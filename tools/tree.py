"""The files of the checkout and the way a check reports: shared by the checks of `make check`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One fault: the file, the line (0 for the whole file) and a sentence that says what to do."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.message}"


def files(root: Path = ROOT) -> list[Path]:
    """Returns every file that is tracked or would be, sorted, without what .gitignore leaves out."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    paths = (root / name for name in sorted(set(listing.stdout.split("\0"))) if name)
    return [path for path in paths if path.is_file()]


def text_of(path: Path) -> str | None:
    """Returns the text of a file, or None when it holds something else."""
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def report(findings: Iterable[Finding]) -> int:
    """Prints the findings to stderr in a stable order and returns the exit status."""
    found = sorted(findings)
    for finding in found:
        print(finding, file=sys.stderr)
    return 1 if found else 0
