"""Thousands of clients in one process, as cheap as clients can be: bare sockets and one epoll loop.

    python -m benchmarks.herd PORT COUNT FIRST_ADDRESS PACE TALK APP

``TALK`` says what a client does (`benchmarks.talks`). All clients of a herd do the same, so an answer is parsed once
and then recognised by its bytes. A client that loses its connection comes back after a random pause of up to 0.5 s and
begins anew. Every thousand clients have a source address of their own, from 127.0.0.2 + ``FIRST_ADDRESS`` on. Never
more than ``PACE`` clients are on their way at once (0: no bound).

It prints JSON lines. ``{"attached": time}`` when all clients wait for news, and again when that is so after some had
lost their connection; ``{"round": id, "times": [...]}`` when all clients have what was published under that id. When
its stdin ends it prints ``{"attached": n, "rounds": {id: clients}, "troubles": {...}}`` and ends. Times are those of
the monotonic clock.
"""

from __future__ import annotations

import errno
import heapq
import json
import os
import random
import select
import socket
import sys
import time
from collections import Counter

from benchmarks.talks import Incomplete, Step, Talk, Trouble, talk_of

_PER_ADDRESS = 1000
_PAUSE_S = 0.5
_AFTER_REFUSAL_S = 1.0  # what Retry-After says
_SPACE = 65536


class _Herd:
    def __init__(self, port: int, count: int, first_address: int, pace: int, talk: Talk) -> None:
        self._port = port
        self._count = count
        self._first_address = first_address
        self._pace = pace or count
        self._talk = talk
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._client: dict[int, int] = {}  # of a descriptor
        self._step: dict[int, Step] = {}
        self._unfinished: dict[int, bytes] = {}
        self._arriving: set[int] = set()  # descriptors from connecting until they wait for news
        self._due: list[tuple[float, int]] = []  # clients that come back, and when
        self._resting: list[tuple[float, int, int, socket.socket]] = []  # connections that send later, and when
        self._order = 0  # decides between two of one moment
        self._attached = 0
        self._troubles: Counter[str] = Counter()
        self._rounds: dict[int, list[float]] = {}

    def run(self) -> None:
        """Plays all clients until stdin ends."""
        self._poll.register(sys.stdin, select.EPOLLIN)
        self._due = [(0.0, client) for client in range(self._count)]
        while True:
            for number, event in self._poll.poll(self._patience()):
                if number in self._step:
                    if event == select.EPOLLIN:
                        self._read(number)
                    else:
                        self._odd(number, event)
                elif number == sys.stdin.fileno() and not os.read(number, 1):
                    self._tell_end()
                    return
            if self._due or self._resting:
                self._call_back()

    def _patience(self) -> float | None:
        waits = [self._resting[0][0]] if self._resting else []
        if self._due and len(self._arriving) < self._pace:
            waits.append(self._due[0][0])
        return max(0.0, min(waits) - time.monotonic()) if waits else None

    # --- connections ------------------------------------------------------------------------------

    def _call_back(self) -> None:
        now = time.monotonic()
        # A few at a time, so that those who have an answer meanwhile are not kept waiting.
        for _ in range(64):
            if not self._due or self._due[0][0] > now or len(self._arriving) >= self._pace:
                break
            self._connect(heapq.heappop(self._due)[1])
        while self._resting and self._resting[0][0] <= now:
            _, _, number, connection = heapq.heappop(self._resting)
            if self._sockets.get(number) is connection:
                self._send(number, self._step[number].request)

    def _connect(self, client: int) -> None:
        connection = socket.socket()
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The port is chosen when the peer is known: 28,000 for each address and not for all of them together.
        connection.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
        host = 1 + self._first_address + client // _PER_ADDRESS
        connection.bind((f"127.0.{host // 250}.{host % 250 + 1}", 0))
        number = connection.fileno()
        self._sockets[number] = connection
        self._client[number] = client
        self._step[number] = self._talk.first
        self._arriving.add(number)
        self._poll.register(number, select.EPOLLOUT)
        refused = connection.connect_ex(("127.0.0.1", self._port))
        if refused not in (0, errno.EINPROGRESS):
            self._lose(number, errno.errorcode[refused])

    def _odd(self, number: int, event: int) -> None:
        connection = self._sockets[number]
        error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._lose(number, errno.errorcode[error])
        elif event & select.EPOLLOUT:
            self._poll.modify(number, select.EPOLLIN)
            self._send(number, self._step[number].request)
        else:
            self._read(number)

    def _lose(self, number: int, why: str) -> None:
        self._troubles[why] += 1
        if number in self._arriving:
            self._arriving.discard(number)
        else:
            self._attached -= 1
        self._poll.unregister(number)
        self._sockets.pop(number).close()
        self._step.pop(number)
        self._unfinished.pop(number, None)
        heapq.heappush(self._due, (time.monotonic() + random.uniform(0, _PAUSE_S), self._client.pop(number)))

    # --- conversation -----------------------------------------------------------------------------

    def _read(self, number: int) -> None:
        try:
            data = self._sockets[number].recv(_SPACE)
        except OSError as error:
            self._lose(number, errno.errorcode[error.errno or 0])
            return
        if not data:
            self._lose(number, "closed")
            return
        if self._unfinished:
            data = self._unfinished.pop(number, b"") + data
        step = self._step[number]
        following = step.known.get(data)
        if following is None:
            try:
                following = self._talk.learn(step, data)
            except Incomplete:
                self._unfinished[number] = data
                return
            except Trouble as trouble:
                self._troubles[str(trouble)] += 1
                self._send_later(number, _AFTER_REFUSAL_S)
                return
        self._step[number] = following
        if following.rest_s:
            self._send_later(number, following.rest_s)
        elif following.request:
            self._send(number, following.request)
        if following.attached:
            self._arrive(number, following)

    def _send_later(self, number: int, delay_s: float) -> None:
        self._order += 1
        heapq.heappush(self._resting, (time.monotonic() + delay_s, self._order, number, self._sockets[number]))

    def _send(self, number: int, request: bytes) -> None:
        try:
            self._sockets[number].send(request)
        except OSError as error:
            self._lose(number, errno.errorcode[error.errno or 0])

    def _arrive(self, number: int, step: Step) -> None:
        now = time.monotonic()
        times = self._rounds.setdefault(step.news, [])
        times.append(now)
        if len(times) == self._count:
            print(json.dumps({"round": step.news, "times": times}), flush=True)
        if self._arriving and number in self._arriving:
            self._arriving.discard(number)
            self._attached += 1
            if self._attached == self._count:
                print(json.dumps({"attached": now}), flush=True)

    def _tell_end(self) -> None:
        rounds = {news: len(times) for news, times in self._rounds.items()}
        print(json.dumps({"attached": self._attached, "rounds": rounds, "troubles": self._troubles}), flush=True)


if __name__ == "__main__":
    _port, _count, _first, _pace, _talk, _app = sys.argv[1:]
    _Herd(int(_port), int(_count), int(_first), int(_pace), talk_of(_talk, _app, int(_port))).run()
