"""The five-minute tour of README.md works as printed, from `make run` to its last command."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.server import server_environment
from tests.support.tour import Shell, Step, TourError, matches, read_steps, run_step
from tests.support.wait import DeadlinePassedError, wait_until

ROOT = Path(__file__).parents[2]
HEADING = "## Five-minute tour"
README_PORT = "8080"
SERVER_COMMAND = re.compile(r"(?:\w+=\S+ )*make run\b")
# `make run` may have to install first.
START_DEADLINE_S = 240


class TourServer:
    """`make run` of this checkout, on a free port and with a data folder of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self._log = folder / "make-run.log"
        self._data = folder / "terminal" / "data"  # what the reader's commands find as ./data
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, step: Step) -> None:
        """Runs the reader's command; returns when the server is ready and has printed what README.md shows."""
        env = _environment()
        command = f"exec {step.command} PORT={self._port} DATA_DIR={self._data}"
        with self._log.open("wb") as log, self._log.with_suffix(".err").open("wb") as errors:
            self._process = subprocess.Popen(
                ["bash", "-c", _assignments_last(command)],
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=errors,
                start_new_session=True,
            )
        wait_until(lambda: self._ended() or self._ready(), START_DEADLINE_S, "server started by make run")
        assert not self._ended(), f"make run ended by itself:\n{self.output}{self._log.with_suffix('.err').read_text()}"
        if step.output:
            expected = [*step.output, "..."]
            try:
                wait_until(lambda: matches(expected, self.output.splitlines()), 10, f"output {step.output}")
            except DeadlinePassedError as error:
                raise TourError(f"line {step.line}: {error}; it printed:\n{self.output}") from None

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def interrupt(self) -> None:
        """Presses Ctrl-C, as the reader does at the end, and waits until make and the server are gone."""
        assert self._process is not None, "the tour has no `make run`"
        os.killpg(self._process.pid, signal.SIGINT)
        self._process.wait(30)

    def kill(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _ended(self) -> bool:
        assert self._process is not None
        return self._process.poll() is not None

    def _ready(self) -> bool:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://127.0.0.1:{self._port}/health/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def _assignments_last(command: str) -> str:
    """Puts `NAME=value` words that stand before `make` behind `exec env`, for exec takes a program."""
    return command.replace("exec ", "exec env ", 1)


def _environment() -> dict[str, str]:
    """The reader's shell: nothing of Helicon is set yet, and it was not started by the `make test` that runs us."""
    foreign = ("HELICON_", "MAKE", "MFLAGS")
    return {name: value for name, value in server_environment().items() if not name.startswith(foreign)}


def _on_port(text: str, port: int) -> str:
    return re.sub(rf"\b{README_PORT}\b", str(port), text)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def server(tmp_path: Path, port: int) -> Iterator[TourServer]:
    server = TourServer(tmp_path, port)
    yield server
    server.kill()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """The reader's second terminal: a folder of its own that shows the checkout's `.venv`."""
    folder = tmp_path / "terminal"
    home = tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    (folder / ".venv").symlink_to(ROOT / ".venv")
    shell = Shell(folder, {**_environment(), "HOME": str(home), "XDG_STATE_HOME": str(home / "state")})
    yield shell
    shell.close()


def _steps(port: int) -> Sequence[Step]:
    document = (ROOT / "README.md").read_text()
    return [
        Step(step.line, _on_port(step.command, port), tuple(_on_port(line, port) for line in step.output))
        for step in read_steps(document, HEADING)
    ]


@pytest.mark.timeout(600)
def test_readme_tour__commands_run_in_order__each_prints_what_the_readme_says(
    server: TourServer, shell: Shell, port: int
) -> None:
    """Ends with Ctrl-C on `make run`, which ends without a complaint of make."""
    steps = _steps(port)
    assert len(steps) >= 5, "the tour has lost its commands"

    for step in steps:
        if SERVER_COMMAND.fullmatch(step.command):
            server.start(step)
        else:
            run_step(shell, step)
    server.interrupt()

    assert "***" not in server.output
    assert "Traceback" not in server.output
