"""A load generator: keep-alive connections that each send one request again and again, the next after the answer.

It checks the length of every answer and the status line of the first, and otherwise does as little as it can: bare
sockets and one epoll loop, several processes if asked. Nothing is pipelined. It tells how busy it was itself: near 1 it
was the bottleneck and not the server. ``python -m benchmarks.load_ceiling`` tells what it can do.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from helicon.protocol import signature

CONNECTIONS = 32
_WARM_UP_S = 0.3
_SIGN_AGAIN_S = 5.0  # a signature is valid for a minute around its time


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, and by how many connections. ``app_id`` and ``secret`` sign it."""

    target: str
    method: str = "GET"
    body: str = ""
    app_id: str = ""
    secret: str = ""
    connections: int = CONNECTIONS

    def encode(self, port: int) -> bytes:
        """The bytes on the wire, signed for the present time where it is to be signed."""
        lines = [f"{self.method} {self.target} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
        if self.secret:
            signed = signature.headers(self.app_id, self.secret, round(time.time() * 1000), self.target)
            lines += [f"{name}: {value}" for name, value in signed.items()]
        if self.body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(self.body.encode())}"]
        return ("\r\n".join(lines) + f"\r\n\r\n{self.body}").encode()


@dataclass(frozen=True, slots=True)
class Result:
    """What the load generators saw together."""

    rate: float  # answers a second
    answers: int  # in the time that was measured
    busy: float  # the part of the time for which the busiest generator had a processor
    seconds: float


def load(
    port: int,
    request: Request,
    seconds: float,
    *,
    processes: int = 1,
    measured: Callable[[], float] = lambda: 0.0,
) -> tuple[Result, float]:
    """Puts a server under load from processes of their own; also by how much ``measured()`` grew meanwhile.

    Raises RuntimeError when the server answers anything but 200, or bodies of different lengths.
    """
    command = [sys.executable, "-m", "benchmarks.load", str(port), json.dumps(asdict(request)), str(seconds)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    try:
        for process in running:
            _read(process)  # warm and waiting
        before = measured()
        for process in running:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        results = [Result(**json.loads(_read(process))) for process in running]
        grown = measured() - before
    finally:
        for process in running:
            process.kill()
            process.communicate()
    seconds = max(result.seconds for result in results)
    answers = sum(result.answers for result in results)
    return Result(answers / seconds, answers, max(result.busy for result in results), seconds), grown


def _read(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the load generator failed: {process.stderr.read()[-2000:]}")
    return line


class _Connections:
    def __init__(self, port: int, request: Request) -> None:
        self._port = port
        self._request = request
        self._signed_at = time.monotonic()
        self._bytes = request.encode(port)
        self._sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(request.connections)]
        self._poll = select.epoll()
        self._length = self._first_length()
        self._received = [0] * (max(each.fileno() for each in self._sockets) + 1)
        for each in self._sockets:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            each.setblocking(False)
            self._poll.register(each, select.EPOLLIN)
            each.send(self._bytes)

    def _first_length(self) -> int:
        """The length of the whole answer, head and body, which all others must have too."""
        data = b""
        self._sockets[0].sendall(self._bytes)
        while True:
            data += self._sockets[0].recv(65536)
            head, end, body = data.partition(b"\r\n\r\n")
            if not end:
                continue
            if not head.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(f"the server answered {data[:300]!r}")
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            if len(body) == int(fields[b"content-length"]):
                return len(data)

    def run(self, seconds: float) -> int:
        """Sends and receives for so long; the connections stay in use. Returns the number of answers."""
        receive = {each.fileno(): each.recv_into for each in self._sockets}
        send = {each.fileno(): each.send for each in self._sockets}
        received, length, request = self._received, self._length, self._bytes
        space = bytearray(65536)
        answers = 0
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            if self._request.secret:
                request = self._current()
            for number, _ in self._poll.poll(1.0):
                got = receive[number](space)
                if not got:
                    raise RuntimeError("the server closed a connection")
                got += received[number]
                if got < length:
                    received[number] = got
                    continue
                if got > length:
                    raise RuntimeError(f"an answer was longer than the first one: {bytes(space[:300])!r}")
                received[number] = 0
                answers += 1
                send[number](request)
        return answers

    def _current(self) -> bytes:
        if time.monotonic() - self._signed_at > _SIGN_AGAIN_S:
            self._signed_at = time.monotonic()
            self._bytes = self._request.encode(self._port)
        return self._bytes


def _generate(port: int, request: Request, seconds: float) -> None:
    connections = _Connections(port, request)
    connections.run(_WARM_UP_S)
    print("warm", flush=True)
    sys.stdin.readline()
    began, used = time.perf_counter(), time.process_time()
    answers = connections.run(seconds)
    took, used = time.perf_counter() - began, time.process_time() - used
    print(json.dumps({"rate": answers / took, "answers": answers, "busy": used / took, "seconds": took}), flush=True)


if __name__ == "__main__":
    _generate(int(sys.argv[1]), Request(**json.loads(sys.argv[2])), float(sys.argv[3]))
