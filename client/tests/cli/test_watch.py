"""`helicon watch`: changes as they are released, until somebody ends it."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cli import faults
from tests.cli.fake_apollo import DEADLINE_SECONDS, FakeApollo
from tests.cli.process import Cli

NEXT = "20250102000000-0000000000000000"


class Watching:
    """A running `helicon watch`, read line by line with a deadline."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        assert process.stdout is not None
        assert process.stderr is not None
        self.out: queue.Queue[str] = queue.Queue()
        self.err: queue.Queue[str] = queue.Queue()
        self._threads = [
            threading.Thread(target=self._pump, args=(stream, lines), daemon=True)
            for stream, lines in ((process.stdout, self.out), (process.stderr, self.err))
        ]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _pump(stream: Iterator[bytes], lines: queue.Queue[str]) -> None:
        for line in stream:
            lines.put(line.decode().rstrip("\n"))

    def await_message(self, part: str) -> None:
        while part not in self.err.get(timeout=DEADLINE_SECONDS):
            pass

    def lines(self, count: int) -> list[str]:
        return [self.out.get(timeout=DEADLINE_SECONDS) for _ in range(count)]

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(DEADLINE_SECONDS)
        for thread in self._threads:
            thread.join(DEADLINE_SECONDS)
        return code


@contextmanager
def watching(cli: Cli, *arguments: str) -> Iterator[Watching]:
    with cli.start("watch", *arguments) as process:
        try:
            watch = Watching(process)
            yield watch
        finally:
            if process.poll() is None:
                process.kill()


def test_watch__release__prints_a_line_per_change_without_values(server: FakeApollo, cli: Cli) -> None:
    server.publish({"same": "1", "changed": "secret-1", "gone": "secret-2"})
    with watching(cli) as watch:
        watch.await_message("watching application: connected")
        server.publish({"same": "1", "changed": "secret-3", "a new key": "secret-4"}, key=NEXT)

        lines = watch.lines(3)

        assert watch.stop(signal.SIGINT) == 130
    assert lines == ["application deleted gone", "application modified changed", 'application added "a new key"']


def test_watch__json_unmasked__is_one_object_a_line(server: FakeApollo, cli: Cli) -> None:
    server.publish({"a": "1"})
    with watching(cli, "--format", "json", "--unmask") as watch:
        watch.await_message("connected")
        server.publish({"a": "2\n"}, key=NEXT)

        (line,) = watch.lines(1)

        assert watch.stop(signal.SIGTERM) == 143
    found = json.loads(line)
    assert found.pop("time").endswith("Z")
    assert found == {
        "namespace": "application",
        "release": NEXT,
        "kind": "modified",
        "key": "a",
        "old": "1",
        "new": "2\n",
    }


def test_watch__several_namespaces__names_the_one_that_changed(server: FakeApollo, cli: Cli) -> None:
    server.publish({"a": "1"})
    server.publish({"content": "{}"}, "routes.json")
    with watching(cli, "--namespace", "application", "--namespace", "routes.json", "--unmask") as watch:
        watch.await_message("connected")
        server.publish({"content": "[]"}, "routes.json", key=NEXT)

        assert watch.lines(1) == ['routes.json modified content "{}" -> "[]"']


def test_watch__connection_lost_and_back__goes_on_with_the_next_change(server: FakeApollo, cli: Cli) -> None:
    server.publish({"a": "1"})
    with watching(cli) as watch:
        watch.await_message("connected")
        server.fault = faults.reset
        server.publish({"a": "2"}, key=NEXT)
        watch.await_message("interrupted")
        server.fault = None

        assert watch.lines(1) == ["application modified a"]


def test_watch__does_not_touch_the_backup(server: FakeApollo, cli: Cli) -> None:
    server.publish({"a": "1"})
    with watching(cli) as watch:
        watch.await_message("connected")
        watch.stop(signal.SIGINT)

    assert list(cli.home.iterdir()) == []


def test_watch__reader_goes_away__ends(server: FakeApollo, cli: Cli) -> None:
    server.publish({"a": "1"})
    with cli.start("watch") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"connected" in process.stderr.readline()
        process.stdout.close()
        server.publish({"a": "2"}, key=NEXT)

        assert process.wait(DEADLINE_SECONDS) == 141
