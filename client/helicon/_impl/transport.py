"""Speaks the client protocol with whichever server answers: discovery, `/configs` and the long poll.

Troubles come out as `UnavailableError`, worth another try, or as the servers' final word (`DeniedError`,
`NotReleasedError`, `AddressError`, `RefusedError`). Not safe for several threads; a client has one thread for it.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from helicon._impl.address import Address, parse_address
from helicon._impl.classify import bad_answer, classify
from helicon._impl.connection import Connection
from helicon._impl.errors import AddressError, UnavailableError
from helicon._impl.http1 import Answer, ConnectionLostError
from helicon._impl.resolve import Resolver
from helicon._impl.servers import Servers
from helicon._impl.version import VERSION
from helicon.protocol.answers import ConfigAnswer, parse_config
from helicon.protocol.messages import (
    AnswerError,
    Notification,
    parse_notifications,
    parse_services,
)
from helicon.protocol.targets import config_target, notifications_target, services_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from helicon._impl.errors import RequestError
    from helicon._impl.settings import ClientSettings

READ_TIMEOUT_SECONDS = 5.0
"""For one exchange with one server, connecting included (protocol, section 15.1)."""

LEAST_ATTEMPT_SECONDS = 0.5
"""What one server of several gets at least, however little of the whole time is left for each."""

POLL_TIMEOUT_SECONDS = 90.0
"""How long a poll is waited for; servers hold it for 60 seconds."""

QUIET_CUT_SECONDS = 5.0
"""A poll cut without an answer after this time was cut for idleness, and counts as one with no news."""

DISCOVERY_TIMEOUT_SECONDS = 1.0
DISCOVERY_INTERVAL_SECONDS = 300.0

CONFIG_LIMIT = 48 * 1024 * 1024
"""Bytes of a `/configs` answer."""

POLL_LIMIT = 4 * 1024 * 1024
SERVICES_LIMIT = 1024 * 1024

_SIGNED, _OPEN = True, False


class Fetched(NamedTuple):
    """The answer to a request for a namespace."""

    config: ConfigAnswer | None
    """None when the server says that the copy named by the release key is current."""
    server: Address


class Transport:
    """Owns the connections of one client."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._resolver = Resolver()
        self._all: set[Connection] = set()
        self._idle: dict[Address, Connection] = {}
        self._interrupted = False
        self._discover_at = 0.0
        self._active: Connection | None = None
        self.servers = Servers(settings.meta)

    def fetch(
        self,
        namespace: str,
        *,
        deadline: float,
        release_key: str | None = None,
        held: Mapping[str, str] | None = None,
        details: Mapping[str, int] | None = None,
        first: Address | None = None,
    ) -> Fetched:
        """Fetches a namespace from the first server that gives a usable answer.

        `release_key` is that of the copy `held`, so that a server may send what changed since; `details` what
        `messages` has to say, `first` the server to begin with, `deadline` monotonic seconds for everything together.
        Raises `RequestError`.
        """
        failure: RequestError | None = None
        self._discover(deadline)
        servers = self.servers.in_order(time.monotonic(), first)
        for position, server in enumerate(servers):
            until = _share(deadline, len(servers) - position)
            if until is None:
                break
            try:
                config = self._fetch_from(server, namespace, until, release_key, held, details)
            except (UnavailableError, AddressError) as error:
                # One wrong address of several is no word about the others; a server that is down may be the right one.
                if failure is None or not isinstance(error, AddressError):
                    failure = error
                self.servers.failed(server, time.monotonic())
            else:
                self.servers.worked(server)
                return Fetched(config, server)
        # Whatever was discovered did not help, so it is not worth keeping for the whole interval.
        self._discover_at = 0.0
        raise failure or UnavailableError("timeout", "no server answered in time")

    def begin_poll(self, notifications: Mapping[str, int], *, deadline: float, first: Address | None = None) -> Poll:
        """Sends a long poll to the first server that takes it. Raises `UnavailableError`."""
        failure: UnavailableError | None = None
        self._discover(deadline)
        servers = self.servers.in_order(time.monotonic(), first)
        for position, server in enumerate(servers):
            until = _share(deadline, len(servers) - position)
            if until is None:
                break
            try:
                connection = self._connection(server, until)
                try:
                    self._send(connection, self._poll_target(connection, notifications), until)
                except UnavailableError:
                    connection.close()
                    raise
            except UnavailableError as error:
                failure = error
                self.servers.failed(server, time.monotonic())
            else:
                return Poll(self, connection)
        self._discover_at = 0.0
        raise failure or UnavailableError("timeout", "no server answered in time")

    def interrupt(self) -> None:
        """Ends the exchange that another thread is waiting for, and lets none begin."""
        self._interrupted = True
        if (active := self._active) is not None:
            active.interrupt()

    @property
    def signs(self) -> bool:
        """Whether the client has a secret to sign its requests with."""
        return self._settings.secret is not None

    def naming_of(self, server: Address) -> str:
        """Says in words where the address of a server comes from."""
        return "HELICON_META" if server in self._settings.meta else "what discovery named"

    def close(self) -> None:
        """Closes all connections, also one that a poll of another process's thread was waiting on."""
        self._idle.clear()
        for connection in tuple(self._all):
            connection.close()

    def keep(self, connection: Connection) -> None:
        """Puts a connection aside for the next request to the same server."""
        previous = self._idle.pop(connection.address, None)
        if previous is not None:
            previous.close()
        self._idle[connection.address] = connection

    # --- one server ------------------------------------------------------------------------------

    def _fetch_from(
        self,
        server: Address,
        namespace: str,
        deadline: float,
        release_key: str | None,
        held: Mapping[str, str] | None,
        details: Mapping[str, int] | None,
    ) -> ConfigAnswer | None:
        settings = self._settings

        def target(connection: Connection) -> str:
            return config_target(
                settings.app_id,
                settings.cluster,
                namespace,
                prefix=server.prefix,
                release_key=release_key,
                data_center=settings.data_center,
                ip=settings.ip or connection.local_ip,
                label=settings.label,
                details=details,
            )

        answer = self._exchange(server, target, deadline, CONFIG_LIMIT, _SIGNED)
        if answer.status == 304:
            if release_key is None:
                raise UnavailableError("bad_answer", f"{server.url} says 304 to a client that holds nothing")
            return None
        if answer.status != 200:
            raise classify(answer, server, named_by=self.naming_of(server), signed=self.signs)
        try:
            return parse_config(answer.body, app_id=settings.app_id, namespace=namespace, held=held)
        except AnswerError as error:
            if error.code == "incremental" and release_key is not None:
                return self._fetch_from(server, namespace, deadline, None, None, details)
            raise bad_answer(server, error.message) from None

    def _exchange(
        self,
        server: Address,
        target: Callable[[Connection], str],
        deadline: float,
        limit: int,
        signed: bool,
    ) -> Answer:
        connection = self._connection(server, deadline)
        self._active = connection
        try:
            self._send(connection, target(connection), deadline, signed=signed)
            answer = connection.receive(deadline, limit=limit)
        except ConnectionLostError as error:
            connection.close()
            # The server may close an idle connection just as it is used again; that says nothing about it.
            if error.began or connection.requests == 1:
                raise
            return self._exchange(server, target, deadline, limit, signed)
        except BaseException:
            connection.close()
            raise
        finally:
            self._active = None
        if answer.reusable:
            self.keep(connection)
        else:
            connection.close()
        return answer

    def _connection(self, server: Address, deadline: float) -> Connection:
        idle = self._idle.pop(server, None)
        if idle is not None:
            if not idle.has_arrived():
                return idle
            idle.close()
        if self._interrupted:
            raise UnavailableError("connection_lost", "the client is being closed")
        return Connection(server, self._resolver, deadline, self._all)

    def _send(self, connection: Connection, target: str, deadline: float, *, signed: bool = True) -> None:
        headers = {"Accept": "application/json", "User-Agent": f"helicon/{VERSION}"}
        if signed and self._settings.secret is not None:
            from helicon.protocol import signature  # imported late: most clients have no access key

            timestamp = int(time.time() * 1000)
            headers |= signature.headers(self._settings.app_id, self._settings.secret, timestamp, target)
        connection.send(target, headers, deadline)

    def _poll_target(self, connection: Connection, notifications: Mapping[str, int]) -> str:
        settings = self._settings
        return notifications_target(
            settings.app_id,
            settings.cluster,
            notifications,
            prefix=connection.address.prefix,
            data_center=settings.data_center,
            ip=settings.ip or connection.local_ip,
            label=settings.label,
        )

    # --- discovery -------------------------------------------------------------------------------

    def _discover(self, deadline: float) -> None:
        """Asks the meta addresses which servers there are; no answer leaves things as they are."""
        now = time.monotonic()
        if now < self._discover_at:
            return
        self._discover_at = now + DISCOVERY_INTERVAL_SECONDS
        # The others are asked for configuration anyway, so a few silent ones must not use up the start.
        for server in self.servers.meta:
            until = min(deadline, time.monotonic() + DISCOVERY_TIMEOUT_SECONDS)
            if until <= time.monotonic():
                return
            try:
                found = self._services_of(server, until)
            except UnavailableError as error:
                if error.code in ("dns_failed", "connect_failed", "tls_failed", "timeout"):
                    self.servers.failed(server, time.monotonic())
                continue
            if found:
                self.servers.discovered(found)
                return

    def _services_of(self, server: Address, deadline: float) -> list[Address]:
        def target(connection: Connection) -> str:
            ip = self._settings.ip or connection.local_ip
            return services_target(self._settings.app_id, prefix=server.prefix, ip=ip)

        answer = self._exchange(server, target, deadline, SERVICES_LIMIT, _OPEN)
        if answer.status != 200:
            raise bad_answer(server, f"discovery answers {answer.status}")
        try:
            texts = parse_services(answer.body)
        except AnswerError as error:
            raise bad_answer(server, error.message) from None
        return [address for text in texts if (address := _usable(text, server)) is not None]


class Poll:
    """A long poll that a server holds."""

    def __init__(self, transport: Transport, connection: Connection) -> None:
        self._transport = transport
        self._connection = connection
        self._since = time.monotonic()
        self._kept = False
        self.server = connection.address

    def fileno(self) -> int:
        """Lets a selector wait for the answer."""
        return self._connection.fileno()

    def has_arrived(self) -> bool:
        """Says without waiting whether `finish` has something to receive."""
        return self._connection.has_arrived()

    def finish(self) -> tuple[Notification, ...]:
        """Receives the answer; empty when there is no news. Raises `RequestError`."""
        try:
            answer = self._connection.receive(time.monotonic() + READ_TIMEOUT_SECONDS, limit=POLL_LIMIT)
        except ConnectionLostError as error:
            self.abandon()
            held = time.monotonic() - self._since >= QUIET_CUT_SECONDS
            if not error.began and (held or self._connection.requests > 1):
                return ()
            self._transport.servers.failed(self.server, time.monotonic())
            raise
        except UnavailableError:
            self.abandon()
            self._transport.servers.failed(self.server, time.monotonic())
            raise
        if answer.reusable:
            self._kept = True
            self._transport.keep(self._connection)
        else:
            self.abandon()
        return self._read(answer)

    def abandon(self) -> None:
        """Gives the poll up; the server notices by the closed connection. Does nothing after an answer."""
        if not self._kept:
            self._connection.close()

    def _read(self, answer: Answer) -> tuple[Notification, ...]:
        servers = self._transport.servers
        try:
            if answer.status == 304:
                news: tuple[Notification, ...] = ()
            elif answer.status == 200:
                news = parse_notifications(answer.body)
            else:
                transport = self._transport
                named_by = transport.naming_of(self.server)
                raise classify(answer, self.server, named_by=named_by, signed=transport.signs)
        except AnswerError as error:
            servers.failed(self.server, time.monotonic())
            raise bad_answer(self.server, error.message) from None
        except (UnavailableError, AddressError):
            servers.failed(self.server, time.monotonic())
            raise
        servers.worked(self.server)
        return news


def _share(deadline: float, servers_left: int) -> float | None:
    """Computes until when one server may take: its share of what is left, never more than a read's time."""
    now = time.monotonic()
    if now >= deadline:
        return None
    share = max(LEAST_ATTEMPT_SECONDS, (deadline - now) / servers_left)
    return min(deadline, now + min(share, READ_TIMEOUT_SECONDS))


def _usable(text: str, meta: Address) -> Address | None:
    try:
        address = parse_address(text)
    except ValueError:
        return None
    # A discovery answer must not talk a client that asked for encryption out of it.
    return None if meta.scheme == "https" and address.scheme == "http" else address
