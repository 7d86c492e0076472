"""A client's driver, as the test that started it sees it."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from tests.acceptance.clients.installing import Program
from tests.support.server import server_environment
from tests.support.wait import DeadlinePassedError, wait_until

END_DEADLINE_S = 20
_STDERR_CHARACTERS = 4000


class DriverProcess:
    """Runs until it is left; then it has ended by itself, with 0, unless it `may_fail`.

    `secret` is that of the app's access key, `label` what the rules of gray releases look at; empty is none.
    """

    def __init__(
        self,
        program: Program,
        meta: str,
        app: str,
        folder: Path,
        namespaces: Sequence[str],
        *,
        secret: str = "",
        label: str = "",
        may_fail: bool = False,
    ) -> None:
        folder.mkdir()
        told = {"meta": meta, "app": app, "folder": str(folder), "namespaces": list(namespaces)}
        told |= {"secret": secret, "label": label}
        self._may_fail = may_fail
        self._lines: list[dict[str, Any]] = []
        self._stderr = folder / "stderr"
        with self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                [*program.command, json.dumps(told)],
                # A home of its own: some keep their files there and let nobody choose.
                env={**server_environment(), **program.env, "HOME": str(folder)},
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                encoding="utf-8",
            )
        self._reader = threading.Thread(target=self._read, name="driver-reader", daemon=True)
        self._reader.start()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def seen(self, event: str, namespace: str, key: str) -> list[Any]:
        """The values that the client gave for a key, in order."""
        wanted = (event, namespace, key)
        return [
            line["value"] for line in list(self._lines) if (line["event"], line["namespace"], line["key"]) == wanted
        ]

    def await_value(
        self, event: str, namespace: str, key: str, wanted: Callable[[Any], bool], deadline_s: float
    ) -> None:
        """Waits until the client has given a value that is wanted."""

        def found() -> bool:
            values = self.seen(event, namespace, key)
            assert self.running, f"the driver ended with {self._process.returncode}:\n{self._tail()}"
            return any(wanted(value) for value in values)

        try:
            wait_until(found, deadline_s, f"wanted {event} of {key} in {namespace}")
        except DeadlinePassedError as error:
            raise DeadlinePassedError(f"{error}; it gave {self._lines}; its stderr:\n{self._tail()}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            if kind is None and not self._may_fail:
                status = self._process.wait(END_DEADLINE_S)
                assert status == 0, f"the driver ended with {status}:\n{self._tail()}"
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            assert self._process.stdout is not None
            self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(json.loads(line))

    def _tail(self) -> str:
        return self._stderr.read_text(errors="replace")[-_STDERR_CHARACTERS:]
