"""A service of its own process that uses the SDK, as the test that started it sees it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.server import server_environment
from tests.support.wait import wait_until

PROGRAM = Path(__file__).with_name("sdk_program.py")
START_DEADLINE_S = 30
ANSWER_DEADLINE_S = 10
END_DEADLINE_S = 10
DELIVERY_DEADLINE_S = 30
# The SDK waits between attempts while servers are away; after an outage it is due again within this.
RECOVERY_DEADLINE_S = 60


class SdkProcess:
    """Starts the program and waits until its client is created; on leaving, the program has ended with 0."""

    def __init__(self, meta: str, app: str, namespaces: Sequence[str], cache_dir: Path) -> None:
        settings = {"meta": meta, "app_id": app, "namespaces": list(namespaces), "cache_dir": str(cache_dir)}
        self._lines: list[dict[str, Any]] = []
        self._asked = 0
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM), json.dumps(settings)],
            env=server_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, name="sdk-process-reader", daemon=True)
        self._reader.start()
        try:
            self._await(lambda line: line["event"] == "ready", START_DEADLINE_S, "started SDK program")
        except BaseException:
            self._kill()
            raise

    @property
    def changes(self) -> list[dict[str, Any]]:
        """All changes that listeners received so far, in order."""
        return [line for line in list(self._lines) if line["event"] == "change"]

    def await_change(
        self, namespace: str, key: str, new: str, deadline_s: float = DELIVERY_DEADLINE_S
    ) -> dict[str, Any]:
        """Waits until a listener has received this value and returns what it received."""
        return self._await(
            lambda line: (
                line["event"] == "change" and (line["namespace"], line["key"], line["new"]) == (namespace, key, new)
            ),
            deadline_s,
            f"change of {key} in {namespace}",
        )

    def get(self, namespace: str, key: str) -> str | None:
        value: str | None = self._ask("get", namespace=namespace, key=key)
        return value

    def content(self, namespace: str) -> str | None:
        value: str | None = self._ask("content", namespace=namespace)
        return value

    def values(self, namespace: str) -> dict[str, str]:
        values: dict[str, str] = self._ask("values", namespace=namespace)
        return values

    def status(self) -> dict[str, Any]:
        """What `client.status()` says, as far as the tests look at it."""
        status: dict[str, Any] = self._ask("status")
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._kill()
            return
        stdin = self._process.stdin
        assert stdin is not None
        stdin.close()
        try:
            status = self._process.wait(END_DEADLINE_S)
        finally:
            self._kill()
        assert status == 0, f"the SDK program ended with {status}"

    def _ask(self, what: str, **arguments: str) -> Any:
        self._asked += 1
        number = self._asked
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(json.dumps({"id": number, "do": what, **arguments}) + "\n")
        stdin.flush()
        answer = self._await(
            lambda line: line["event"] == "answer" and line["id"] == number, ANSWER_DEADLINE_S, f"answer to {what}"
        )
        return answer["value"]

    def _await(self, wanted: Any, deadline_s: float, what: str) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            match = next((line for line in list(self._lines) if wanted(line)), None)
            assert match or self._process.poll() is None, f"the SDK program ended with {self._process.returncode}"
            return match

        found_line = wait_until(found, deadline_s, what)
        assert found_line is not None
        return found_line

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(json.loads(line))

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
