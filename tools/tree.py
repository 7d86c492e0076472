"""The files of the checkout and the way a check reports: shared by the checks of `make check`.

As a program it prints the top folders that hold Python sources, for the type checker.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What .gitignore leaves out, for a checkout without git.
MADE_FOLDERS = {".git", ".venv", "data", "build", "dist", "node_modules", "__pycache__", ".hypothesis"}


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
    listing = _git_files(root)
    if listing is None:
        return sorted(_walk(root))
    return sorted(path for name in listing if (path := root / name).is_file())


def _git_files(root: Path) -> set[str] | None:
    """Returns what git lists, or None where there is no git or no repository, as in an unpacked archive."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return {name for name in listing.stdout.split("\0") if name}


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir():
            if path.name not in MADE_FOLDERS and not path.name.endswith((".egg-info", "_cache")):
                yield from _walk(path)
        elif path.is_file():
            yield path


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


if __name__ == "__main__":
    print(*sorted({path.relative_to(ROOT).parts[0] for path in files() if path.suffix == ".py"}))
