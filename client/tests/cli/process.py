"""Runs the command in a process of its own, in an environment of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.cli.fake_apollo import DEADLINE_SECONDS


@dataclass(slots=True)
class Result:
    """What a run of the command left behind."""

    code: int
    out: bytes
    err: str

    def variables(self) -> dict[str, str]:
        """Reads the output of `env -0`."""
        pairs = [item.partition(b"=") for item in self.out.split(b"\0") if item]
        return {name.decode(): value.decode() for name, _, value in pairs}


def _heed_signals() -> None:
    """Tests that run in the background of a shell, or under nohup, inherit that these are ignored."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@dataclass
class Cli:
    """Runs the command in a process of its own, in an environment of its own."""

    home: Path
    env: dict[str, str]

    def arguments(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "helicon.cli", *arguments]

    def environment(self, env: dict[str, str | None] | None = None) -> dict[str, str]:
        merged: dict[str, str | None] = {**self.env, **(env or {})}
        return {name: value for name, value in merged.items() if value is not None}

    def __call__(self, *arguments: str, env: dict[str, str | None] | None = None, stdin: bytes = b"") -> Result:
        done = subprocess.run(
            self.arguments(*arguments),
            env=self.environment(env),
            input=stdin,
            capture_output=True,
            timeout=DEADLINE_SECONDS,
            cwd=self.home,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr.decode())

    def start(
        self, *arguments: str, env: dict[str, str | None] | None = None, stdout: int = subprocess.PIPE
    ) -> subprocess.Popen[bytes]:
        """Starts the command without waiting for its end."""
        return subprocess.Popen(
            self.arguments(*arguments),
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            cwd=self.home,
            preexec_fn=_heed_signals,
        )

    def shell(self, script: str) -> Result:
        """Runs a shell script in the same environment."""
        done = subprocess.run(
            ["sh", "-c", script],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DEADLINE_SECONDS,
            cwd=self.home,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr.decode())
