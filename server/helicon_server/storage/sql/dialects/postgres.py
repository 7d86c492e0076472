"""PostgreSQL through asyncpg: a bounded pool that comes back by itself, and notices with the commit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import asyncpg
from sqlalchemy import BigInteger, ColumnElement, Executable, bindparam, event, exc, literal_column, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from .contract import Engines, Trouble

POOL_SIZE = 10
QUEUE_TIMEOUT_S = 5.0  # how long a transaction waits for a connection of this process
CONNECT_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 10.0
IDLE_LIMIT_S = 60.0  # a connection that lay idle longer may have been dropped by a firewall without a word
CHANNEL = "helicon_messages"

# "HELI", then a number for each kind of lock. ``helicon_migrations`` takes number 2.
_MESSAGES_LOCK = (0x48454C49, 1)

_SERVER_SETTINGS = {
    "application_name": "helicon",
    "timezone": "UTC",
    "statement_timeout": "10s",
    "lock_timeout": "5s",
    # A node that was paused in the middle of a publish must not hold its locks until it wakes.
    "idle_in_transaction_session_timeout": "15s",
    # Compiling costs more than our short statements take.
    "jit": "off",
}

_REASONS = {
    "0A000": "schema_changed",  # a cached plan met a migrated table; the next attempt plans anew
    "25006": "read_only",  # a standby, or default_transaction_read_only
    "28000": "authentication",
    "28P01": "authentication",
    "3D000": "no_such_database",
    "40001": "serialization",
    "40P01": "deadlock",
    "42501": "permission",
    "53100": "disk_full",
    "53200": "out_of_memory",
    "53300": "too_many_connections",
    "55P03": "lock_timeout",
    "57014": "timeout",
    "25P03": "idle_in_transaction",
    "XX001": "corrupt",
    "XX002": "corrupt",
}
_CLASS_REASONS = {"08": "connection_lost", "53": "out_of_resources", "57": "shutting_down", "58": "disk_io"}


class PostgresDialect:
    """One pool. Reads see one snapshot; writes take row locks and see what others committed meanwhile."""

    before_messages: Sequence[Executable] = (text(f"SELECT pg_advisory_xact_lock{_MESSAGES_LOCK}"),)
    raise_messages: Sequence[Executable] = (
        text(
            "SELECT setval(sequence, :id) FROM"
            " (SELECT CAST(pg_get_serial_sequence('messages', 'id') AS regclass) AS sequence) AS of_messages"
            " WHERE coalesce(pg_sequence_last_value(sequence), 0) < :id"
        ).bindparams(bindparam("id", type_=BigInteger())),
    )
    # Without a payload, so that the server makes one notice of a whole transaction's.
    notice: Sequence[ColumnElement[object]] = (literal_column(f"pg_notify('{CHANNEL}', '')"),)

    def open(self, url: str) -> Engines:
        engine = create_async_engine(
            _asyncpg_url(url),
            connect_args={
                "timeout": CONNECT_TIMEOUT_S,
                "command_timeout": COMMAND_TIMEOUT_S,
                "server_settings": _SERVER_SETTINGS,
            },
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=QUEUE_TIMEOUT_S,
            pool_use_lifo=True,  # the rest goes idle and is let go
            hide_parameters=True,
        )

        @event.listens_for(engine.sync_engine, "checkin")
        def remember(connection: Any, record: Any) -> None:
            record.info["since"] = time.monotonic()

        @event.listens_for(engine.sync_engine, "checkout")
        def prove(connection: Any, record: Any, proxy: object) -> None:
            # Costs nothing, unlike a ping before every transaction: asyncpg knows at once when the server hung up.
            now = time.monotonic()
            if connection.driver_connection.is_closed() or now - record.info.get("since", now) > IDLE_LIMIT_S:
                raise exc.DisconnectionError("the connection is closed or was idle for long")

        return Engines(
            read=engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True),
            peek=engine.execution_options(isolation_level="AUTOCOMMIT"),
            write=engine.execution_options(isolation_level="READ COMMITTED"),
        )

    def trouble(self, error: BaseException) -> Trouble:
        state = getattr(error, "sqlstate", None)
        if state is not None:
            if state == "23505":  # SQLAlchemy's wrapper has the state, only the error inside it has the name
                return Trouble(constraint=getattr(error, "constraint_name", None))
            return Trouble(reason=_REASONS.get(state) or _CLASS_REASONS.get(state[:2]))
        if isinstance(error, TimeoutError):
            return Trouble(reason="timeout")
        if isinstance(error, ConnectionRefusedError):
            return Trouble(reason="refused")
        if isinstance(error, OSError):
            return Trouble(reason="unreachable")
        if isinstance(error, asyncpg.InternalClientError):
            return Trouble(reason="connection_lost")
        # The class also covers misuse; only the text tells.
        if isinstance(error, asyncpg.InterfaceError) and "closed" in str(error):
            return Trouble(reason="connection_lost")
        return Trouble()


def _asyncpg_url(url: str) -> URL:
    """Accepts libpq's ``sslmode`` beside asyncpg's ``ssl``, for it is what other tools and providers write."""
    parsed = make_url(url)
    mode = parsed.query.get("sslmode")
    if mode is None:
        return parsed
    return parsed.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
