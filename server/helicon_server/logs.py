"""Logs: one JSON object a line on stderr, or text for people. Events have names; values of items never appear."""

from __future__ import annotations

import logging
import sys
import time
from typing import Final, Literal

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_RARELY_S: Final = 60.0
_SENTENCES: Final = 100
_NO_REQUEST: Final = "Invalid HTTP request received."


def configure(form: Literal["json", "text"]) -> None:
    """Routes structlog and the standard library's loggers (uvicorn, asyncio) through one formatter."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    render: list[Processor]
    if form == "json":
        render = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_dumps)]
    else:
        render = [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                exception_formatter=structlog.dev.plain_traceback,  # the rich one would show local variables
            )
        ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _name_foreign],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for chatty in ("uvicorn", "uvicorn.error", "alembic"):  # our own events tell of start, stop and migrations
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").filters[:] = [_Rarely()]


class _Rarely(logging.Filter):
    """Lets a warning of uvicorn through once a minute: bytes of anybody make it, for each connection.

    Not at all the one of bytes that are no request: ``http.bounded_protocol`` notes them, with the peer.
    """

    def __init__(self) -> None:
        super().__init__()
        self._noted: dict[str, float] = {}  # by sentence; uvicorn's have no parameters

    def filter(self, record: logging.LogRecord) -> bool:
        """Tells whether a line is written."""
        if record.levelno != logging.WARNING:
            return True
        if record.msg == _NO_REQUEST:
            return False
        now = time.monotonic()
        if now - self._noted.get(str(record.msg), -_RARELY_S) < _RARELY_S:
            return False
        if len(self._noted) < _SENTENCES:
            self._noted[str(record.msg)] = now
        return True


def _dumps(event: EventDict, **_: object) -> str:
    return orjson.dumps(event, default=str).decode()


def _name_foreign(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Keeps the event name stable for lines of libraries: their sentence moves to ``message``."""
    event["message"] = event.pop("event")
    event["event"] = f"library.{event['_record'].name}"
    return event
