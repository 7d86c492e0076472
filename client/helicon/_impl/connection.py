"""Holds one connection to one server: opening, sending a request, receiving its answer, all by a deadline.

Deadlines are monotonic seconds and cover the whole step, so a server that sends a byte a second cannot
stretch it.

Sockets do not block once they are open, and are waited for with `poll`. A socket with a timeout would cost a system
call more for each step, and each one is a moment in which a thread has to get in line again: a program with many
clients hears of a release at the pace of these.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from functools import cache

from helicon._impl.errors import UnavailableError
from helicon._impl.http1 import Answer, ConnectionLostError, build_request, read_answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

    from helicon._impl.address import Address
    from helicon._impl.resolve import Resolver

CONNECT_TIMEOUT_SECONDS = 1.0
"""For each address of a host, including the TLS handshake."""

KEEPALIVE_IDLE_SECONDS = 20

_EARLY_BYTES = 64 * 1024


class Connection:
    """An open connection. Not safe for several threads."""

    def __init__(self, address: Address, resolver: Resolver, deadline: float, group: set[Connection]) -> None:
        """Connects, and stands in the group until it is closed. Raises `UnavailableError`."""
        self.address = address
        self._group = group
        self.requests = 0
        self._early: bytes | None = None
        self._socket = _open(address, resolver, deadline)
        self._socket.setblocking(False)
        self._buffers = address.scheme == "https"
        """Whether bytes may have been received that no descriptor shows: TLS decrypts whole records."""
        self.local_ip: str = self._socket.getsockname()[0]
        group.add(self)

    def fileno(self) -> int:
        """Lets a selector wait for the answer."""
        return self._socket.fileno()

    def has_arrived(self) -> bool:
        """Says without waiting whether the answer, or the end of the connection, has begun to arrive.

        A readable descriptor does not prove it: TLS sends tickets and key updates of its own.
        """
        if self._early is None:
            try:
                self._early = self._socket.recv(_EARLY_BYTES)
            except OSError as error:
                if _awaited(error, select.POLLIN) is not None:
                    return False
                self._early = b""
        return True

    def send(self, target: str, headers: dict[str, str], deadline: float) -> None:
        """Sends a GET request. Raises `UnavailableError`."""
        self.requests += 1
        data = build_request(target, {"Host": self.address.authority, **headers})
        try:
            self._send_all(memoryview(data), deadline)
        except TimeoutError:
            raise _timeout(self.address) from None
        except OSError as error:
            raise ConnectionLostError(_sentence(self.address, error), began=False) from None

    def receive(self, deadline: float, *, limit: int) -> Answer:
        """Receives the answer to the last request. Raises `UnavailableError`."""
        began = False

        def receive(size: int) -> bytes:
            nonlocal began
            block, self._early = self._early, None
            if block is None:
                block = self._receive(size, deadline)
            began = began or bool(block)
            return block

        try:
            return read_answer(receive, limit=limit)
        except TimeoutError:
            raise _timeout(self.address) from None
        except OSError as error:
            raise ConnectionLostError(_sentence(self.address, error), began=began) from None

    def _send_all(self, rest: memoryview, deadline: float) -> None:
        while rest:
            try:
                sent = self._socket.send(rest)
            except OSError as error:
                self._wait(error, select.POLLOUT, deadline)
            else:
                rest = rest[sent:]

    def _receive(self, size: int, deadline: float) -> bytes:
        if self._buffers:
            _left(deadline)
        else:
            _wait_for(self._socket, select.POLLIN, deadline)
        while True:
            try:
                return self._socket.recv(size)
            except OSError as error:
                self._wait(error, select.POLLIN, deadline)

    def _wait(self, error: OSError, tried: int, deadline: float) -> None:
        """Waits for what an attempt lacked; raises an error that says something else."""
        events = _awaited(error, tried)
        if events is None:
            raise error
        _wait_for(self._socket, events, deadline)

    def interrupt(self) -> None:
        """Makes a wait of another thread on this connection fail at once."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Closes without a farewell, so that it also works on the copy that a forked child inherited."""
        self._group.discard(self)
        self._socket.close()


def _open(address: Address, resolver: Resolver, deadline: float) -> socket.socket:
    failure: UnavailableError | None = None
    for family, place in resolver.resolve(address.host, address.port, deadline):
        if failure is not None and time.monotonic() >= deadline:
            break
        limit = min(deadline, time.monotonic() + CONNECT_TIMEOUT_SECONDS)
        plain = socket.socket(family, socket.SOCK_STREAM)
        try:
            plain.settimeout(_left(limit))
            plain.connect(place)
            _tune(plain)
            return plain if address.scheme == "http" else _secured(plain, address, limit)
        except TimeoutError:
            failure = UnavailableError("timeout", f"{address.url} does not accept the connection in time")
        except UnavailableError as error:
            failure = error
        except OSError as error:
            failure = UnavailableError("connect_failed", _sentence(address, error))
        plain.close()
    raise failure or UnavailableError("dns_failed", f"the name {address.host} has no address")


def _tune(plain: socket.socket) -> None:
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A held poll is silent for a minute; keep-alive probes find a dead peer and hold NAT entries open.
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS)


def _secured(plain: socket.socket, address: Address, deadline: float) -> socket.socket:
    import ssl  # imported late: it costs as much as everything else here together

    context = _tls_context()  # before the time that is left is measured, because the first time it is slow
    try:
        plain.settimeout(_left(deadline))
        return context.wrap_socket(plain, server_hostname=address.host)
    except ssl.SSLCertVerificationError as error:
        message = f"the certificate of {address.url} is not trusted: {error.verify_message}"
        raise UnavailableError("tls_failed", message) from None
    except ssl.SSLError as error:
        message = f"no TLS connection to {address.url}: {error.reason or 'handshake failed'}"
        raise UnavailableError("tls_failed", message) from None


@cache
def _tls_context() -> ssl.SSLContext:
    """Builds the context once a process: reading the system's certificates takes tens of milliseconds."""
    import ssl

    return ssl.create_default_context()


def _awaited(error: OSError, tried: int) -> int | None:
    """Says which event an attempt has to wait for; None for an error of another kind."""
    if isinstance(error, BlockingIOError):
        return tried
    # By name, because the module is loaded only by those who use TLS.
    return {"SSLWantReadError": select.POLLIN, "SSLWantWriteError": select.POLLOUT}.get(type(error).__name__)


def _wait_for(waited: socket.socket, events: int, deadline: float) -> None:
    """Waits until an event has come, or the end of the connection. Raises `TimeoutError`."""
    poller = select.poll()
    poller.register(waited, events)
    if not poller.poll(int(_left(deadline) * 1000) + 1):
        raise TimeoutError


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _timeout(address: Address) -> UnavailableError:
    return UnavailableError("timeout", f"{address.url} does not answer in time")


def _sentence(address: Address, error: OSError) -> str:
    return f"{address.url}: {error.strerror or type(error).__name__}"
