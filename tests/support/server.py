"""Real `helicon-server` processes for tests: started, watched, stopped, killed, started again."""

from __future__ import annotations

import base64
import json
import os
import resource
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.ports import LOOPBACK, free_port
from tests.support.wait import DeadlinePassedError, wait_until

# Secrets of the test installation; tests look for them where they must not appear.
BOOTSTRAP_TOKEN = "bootstrap-token-that-no-log-may-show"
BOOTSTRAP_PASSWORD = "bootstrap-password-that-no-log-may-show"
MASTER_KEY = base64.b64encode(b"master-key-that-no-log-may-show!").decode()

READY_DEADLINE_S = 30
STOP_DEADLINE_S = 30
_LOG_TAIL_CHARACTERS = 4000
# What a developer's shell may hold and a test must not inherit.
_FOREIGN_PREFIXES = ("HELICON_", "APOLLO_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")

# Loopback addresses only: never through a proxy that the machine may have.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def server_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns this process's environment without foreign settings, with the test installation's secrets."""
    inherited = {k: v for k, v in os.environ.items() if not k.upper().startswith(_FOREIGN_PREFIXES)}
    return {
        **inherited,
        "HELICON_BOOTSTRAP_TOKEN": BOOTSTRAP_TOKEN,
        "HELICON_BOOTSTRAP_PASSWORD": BOOTSTRAP_PASSWORD,
        "HELICON_MASTER_KEY": MASTER_KEY,
        **(extra or {}),
    }


def run_server_command(
    *arguments: str, env: Mapping[str, str] | None = None, deadline_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """Runs one `helicon-server` subcommand to its end and returns its status and output."""
    return subprocess.run(
        [sys.executable, "-m", "helicon_server.cli", *arguments],
        env=server_environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=deadline_s,
        check=False,
    )


@dataclass(slots=True)
class ServerProcess:
    """One node. It keeps its port, folder and arguments over stop, kill and start."""

    folder: Path
    port: int
    database_url: str | None = None
    arguments: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    open_files: int | None = None  # the limit of descriptors; None leaves that of the tests
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """The meta server address that clients take."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server was not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def stdout(self) -> str:
        return self._read("stdout")

    @property
    def stderr(self) -> str:
        """All that the server wrote to stderr, over all its starts."""
        return self._read("stderr")

    def logs(self, event: str | None = None) -> list[dict[str, Any]]:
        """Returns the JSON log lines so far, or those of one event name."""
        lines = []
        for text in self.stderr.splitlines():
            with suppress(ValueError):
                line = json.loads(text)
                if isinstance(line, dict) and event in (None, line.get("event")):
                    lines.append(line)
        return lines

    def start(self, *, wait: bool = True) -> None:
        """Starts the process and, unless told otherwise, waits until it is ready to serve."""
        assert not self.running, "the server runs already"
        command = [sys.executable, "-m", "helicon_server.cli", "serve", "--host", LOOPBACK]
        command += ["--port", str(self.port), "--data-dir", str(self.data_dir)]
        if self.database_url is not None:
            command += ["--database-url", self.database_url]
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._file("stdout").open("ab") as stdout, self._file("stderr").open("ab") as stderr:
            self._process = subprocess.Popen(
                [*command, *self.arguments],
                env=server_environment(self.env),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,  # so that kill() reaches its workers too
                preexec_fn=self._limit if self.open_files is not None else None,
            )
        if wait:
            self.wait_ready()

    def _limit(self) -> None:
        assert self.open_files is not None
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.open_files, self.open_files))

    def wait_ready(self, deadline_s: float = READY_DEADLINE_S) -> None:
        """Waits until /health/ready answers 200; fails at once, with the log, when the process has ended."""
        try:
            wait_until(self._ready_or_ended, deadline_s, f"ready server on port {self.port}")
        except DeadlinePassedError as error:
            raise DeadlinePassedError(f"{error}; its log:\n{self._log_tail()}") from None
        assert self.running, (
            f"the server ended with {self.wait_exit()} instead of serving; its log:\n{self._log_tail()}"
        )

    def wait_exit(self, deadline_s: float = STOP_DEADLINE_S) -> int:
        """Waits until the process has ended by itself and returns its status; negative is a signal."""
        assert self._process is not None, "the server was not started"
        return self._process.wait(deadline_s)

    def stop(self, deadline_s: float = STOP_DEADLINE_S) -> int:
        """Asks the server to end (SIGTERM), as an orchestrator does, and returns its exit status."""
        assert self._process is not None, "the server was not started"
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(deadline_s)
        except subprocess.TimeoutExpired as error:
            self.kill()
            message = f"the server ignored SIGTERM for {deadline_s} s:\n{self._log_tail()}"
            raise AssertionError(message) from error

    def kill(self) -> None:
        """Kills the process and all its workers with SIGKILL, as a crash would."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = BOOTSTRAP_TOKEN,
        headers: Mapping[str, str] | None = None,
        deadline_s: float = 30,
    ) -> Response:
        """Sends one request with a JSON body and returns the answer, whatever its status."""
        every = dict(headers or {})
        if token is not None:
            every.setdefault("Authorization", f"Bearer {token}")
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            every.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(self.url + path, data=data, headers=every, method=method)
        try:
            with _opener.open(request, timeout=deadline_s) as answer:
                return Response(answer.status, dict(answer.headers.items()), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Response(error.code, dict(error.headers.items()), error.read())

    def _ready_or_ended(self) -> bool:
        if not self.running:
            return True
        try:
            return self.request("GET", "/health/ready", token=None, deadline_s=5).status == 200
        except OSError:
            return False

    def _log_tail(self) -> str:
        return (self.stdout + self.stderr)[-_LOG_TAIL_CHARACTERS:]

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}-{self.port}"

    def _read(self, name: str) -> str:
        file = self._file(name)
        return file.read_text(errors="replace") if file.exists() else ""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer of the server; header names are as they came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Servers:
    """Makes nodes for one test and ends what the test left running."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: list[ServerProcess] = []

    def start(
        self,
        *arguments: str,
        database_url: str | None = None,
        env: Mapping[str, str] | None = None,
        folder: Path | None = None,
        port: int | None = None,
        wait: bool = True,
        open_files: int | None = None,
    ) -> ServerProcess:
        """Starts one more node; without `folder` it has a data folder of its own.

        On PostgreSQL bring the schema up first: `run_server_command("migrate", "--database-url", url)`.
        """
        home = folder or self._folder / f"node-{len(self._made) + 1}"
        node = ServerProcess(home, port or free_port(), database_url, arguments, env or {}, open_files)
        self._made.append(node)
        node.start(wait=wait)
        return node

    def close(self) -> None:
        for node in self._made:
            node.kill()
