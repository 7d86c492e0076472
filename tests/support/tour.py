"""Reads the commands of a console tour in a Markdown document and runs them as a reader would.

In the tour's section, a fenced block marked `console` holds commands behind `$ ` (a trailing backslash continues one
on the next line, with or without `> ` before it) and beneath each the output that the reader sees. `...` stands for
any text within a line, and alone on a line for any lines. A command with nothing beneath may print what it likes.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.wait import DeadlinePassedError, wait_until

COMMAND_DEADLINE_S = 60
_ANY = "..."
_FENCE = re.compile(r"^(```+|~~~+)\s*(\S*)")


@dataclass(frozen=True, slots=True)
class Step:
    """One command of the tour, its line in the document, and the output given beneath it."""

    line: int
    command: str
    output: tuple[str, ...]


class TourError(AssertionError):
    """A command of the tour failed, or printed something else than the document says."""


def read_steps(document: str, heading: str) -> list[Step]:
    """Returns the steps of the section under `heading`, up to the next heading of its level or above."""
    level = heading.partition(" ")[0]
    steps: list[Step] = []
    fence: str | None = None
    inside = console = False
    for number, line in enumerate(document.splitlines(), start=1):
        mark = _FENCE.match(line)
        if fence is not None:
            if mark is not None and mark[1].startswith(fence):
                fence = None
            elif inside and console:
                _take(steps, number, line)
        elif mark is not None:
            fence, console = mark[1], mark[2] == "console"
        elif line.rstrip() == heading:
            inside = True
        elif line.startswith("#") and len(line.partition(" ")[0]) <= len(level):
            inside = False
    return steps


def _take(steps: list[Step], number: int, line: str) -> None:
    if line.startswith("$ "):
        steps.append(Step(number, line[2:], ()))
    elif not steps:
        raise TourError(f"line {number}: a console block begins with a command, not with output: {line}")
    elif steps[-1].command.endswith("\\") and not steps[-1].output:
        last = steps.pop()
        steps.append(Step(last.line, f"{last.command}\n{line.removeprefix('> ')}", ()))
    else:
        last = steps.pop()
        steps.append(Step(last.line, last.command, (*last.output, line)))


def matches(expected: Sequence[str], printed: Sequence[str]) -> bool:
    """Tells whether printed lines are the expected ones; white space at the ends of lines does not count."""
    pattern = ""
    for line in expected:
        if line.strip() == _ANY:
            pattern += r"(?:[^\n]*\n)*?"
        else:
            pattern += "[^\n]*?".join(re.escape(part) for part in line.rstrip().split(_ANY)) + r"[ \t]*\n"
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


class Shell:
    """One bash in which the commands of a tour run in order: variables and the folder stay from one to the next."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._records = folder / ".tour"
        self._records.mkdir(parents=True)
        self._count = 0
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def run(self, command: str, deadline_s: float = COMMAND_DEADLINE_S) -> tuple[int, list[str]]:
        """Runs one command without standard input and returns its status and the lines that it printed."""
        self._count += 1
        output = self._records / f"{self._count}.out"
        status = self._records / f"{self._count}.status"
        assert self._process.stdin is not None
        script = f"{{\n{command}\n}} </dev/null >{output} 2>&1\necho $? >{status}.new; mv {status}.new {status}\n"
        with suppress(BrokenPipeError):  # an earlier command ended the shell; the wait below says so
            self._process.stdin.write(script.encode())
            self._process.stdin.flush()
        try:
            wait_until(lambda: status.exists() or self._process.poll() is not None, deadline_s, f"end of {command}")
        except DeadlinePassedError as error:
            raise TourError(f"{error}\n{_text(output)}") from None
        if not status.exists():
            raise TourError(f"{command}\nended the shell, or is no complete command:\n{_text(output)}")
        return int(status.read_text()), _text(output).splitlines()

    def close(self) -> None:
        """Ends the shell and whatever its commands left in the background."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()


def run_step(shell: Shell, step: Step) -> None:
    """Runs a step. Raises TourError unless it succeeds and prints what the document says."""
    status, printed = shell.run(step.command)
    shown = "\n".join(printed)
    if status != 0:
        raise TourError(f"line {step.line}: {step.command}\nfailed with {status}:\n{shown}")
    if step.output and not matches(step.output, printed):
        wanted = "\n".join(step.output)
        raise TourError(f"line {step.line}: {step.command}\nthe document says:\n{wanted}\nit printed:\n{shown}")


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
