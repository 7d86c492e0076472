"""What this server overrides in uvicorn or relies upon; a uvicorn that lacks it is refused at the start.

A bound that is never called is no bound, and an answer that overtakes another is given to the wrong question.
"""

from __future__ import annotations

from types import FunctionType
from typing import Final

import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

# What is overridden or relied upon, by the class that must have it.
_METHODS: Final = (
    "connection_made",
    "connection_lost",
    "data_received",
    "send_400_response",
    "on_message_begin",
    "on_url",
    "on_header",
    "on_headers_complete",
    "on_body",
    "on_message_complete",
    "on_response_complete",
    "pause_writing",
    "resume_writing",
    "timeout_keep_alive_handler",
    "shutdown",
    "_start_asgi_task",
    "_unsupported_upgrade_warning",
    "_unset_keepalive_if_required",
)
_ATTRIBUTES: Final[tuple[tuple[type, frozenset[str]], ...]] = (
    (
        HttpToolsProtocol,
        frozenset({"client", "connections", "cycle", "flow", "headers", "loop", "parser", "pipeline", "scope"})
        | frozenset({"server_state", "timeout_keep_alive", "timeout_keep_alive_task", "transport"}),
    ),
    (RequestResponseCycle, frozenset({"disconnected", "keep_alive", "message_event", "response_complete"})),
    (RequestResponseCycle, frozenset({"response_started"})),
    (FlowControl, frozenset({"read_paused", "write_paused"})),
    (ServerState, frozenset({"default_headers", "total_requests"})),
)


def check_uvicorn() -> None:
    """Raises RuntimeError for a uvicorn that the protocol classes of this server do not fit."""
    check_fit(HttpToolsProtocol, _ATTRIBUTES)


def check_fit(protocol: type, attributes: tuple[tuple[type, frozenset[str]], ...]) -> None:
    """Raises RuntimeError when uvicorn lacks something that is overridden here: then no bound would hold."""
    missing = [f"{protocol.__name__}.{name}" for name in _METHODS if not callable(getattr(protocol, name, None))]
    for class_, names in attributes:
        init = class_.__init__  # type: ignore[misc]  # only its code is looked at
        stored = set(init.__code__.co_names) if isinstance(init, FunctionType) else set()
        missing += [f"{class_.__name__}.{name}" for name in sorted(names - stored)]
    if missing:
        raise RuntimeError(f"uvicorn {uvicorn.__version__} cannot be bounded, it has no {', '.join(missing)}")
