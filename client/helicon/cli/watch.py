"""`helicon watch`: one line for every change, as releases arrive."""

from __future__ import annotations

import json
import logging
import queue
import time
from typing import TYPE_CHECKING

from helicon.cli import flagtable
from helicon.cli.exits import usage
from helicon.cli.flags import parse
from helicon.cli.output import write
from helicon.cli.policy import settings_of
from helicon.cli.report import Report
from helicon.cli.run import decoded
from helicon.client import Client
from helicon.status import Connection

if TYPE_CHECKING:
    from helicon._impl.settings import ClientSettings
    from helicon.events import Change, ChangeEvent
    from helicon.status import ClientStatus

LOOK_SECONDS = 1.0
"""How often the connection is looked at while nothing changes."""

_STATES = {
    Connection.CONNECTING: "no server has answered yet",
    Connection.INTERRUPTED: "the connection is interrupted",
    Connection.DENIED: "the access key is refused",
    Connection.CONNECTED: "connected",
    Connection.CLOSED: "closed",
}


def watch(arguments: list[str], inherited: dict[bytes, bytes], _: Report) -> int:
    """Runs the command line after `watch` until a signal ends it, or the reader of stdout goes away."""
    environ = decoded(inherited)
    options = parse(arguments, flagtable.WATCH, environ)
    if options.rest:
        raise usage(f"watch takes no {options.rest[0]!a}", "helicon watch --namespace application")
    report = Report(options.text("log"), quiet=options.on("quiet"))
    settings = settings_of(options, environ, report)
    # The SDK explains itself through logging; what matters of it is reported here, once per turn.
    logging.getLogger("helicon").addHandler(logging.NullHandler())
    events: queue.SimpleQueue[ChangeEvent] = queue.SimpleQueue()
    with _opened(settings) as client:
        for namespace in settings.namespaces:
            client.namespace(namespace).on_change(events.put)
        state = None
        shown = _as_json if options.text("format") == "json" else _as_text
        while True:
            state = _tell(report, client.status(), state)
            try:
                event = events.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                continue
            lines = [shown(event, change, unmask=options.on("unmask")) for change in event.changes.values()]
            write("".join([line + "\n" for line in lines]))


def _opened(settings: ClientSettings) -> Client:
    """Opens the SDK without a backup: a look must not change what the next start of the app finds."""
    return Client(
        meta=[address.url for address in settings.meta],
        app_id=settings.app_id,
        namespaces=settings.namespaces,
        cluster=settings.cluster,
        data_center=settings.data_center,
        label=settings.label,
        ip=settings.ip,
        access_key_secret=settings.secret,
        cache_dir="off",
    )


def _tell(report: Report, status: ClientStatus, before: Connection | None) -> Connection:
    """Says once what became of the connection; reconnecting itself needs nobody's attention."""
    state = status.connection
    if state is before:
        return state
    reason = f": {status.last_error}" if status.last_error and state is not Connection.CONNECTED else ""
    names = ", ".join(status.namespaces)
    message = f"watching {names}: {_STATES[state]}{reason}"
    if state is Connection.DENIED:
        report.warning(state.value, message)
    else:
        report.info(state.value, message)
    return state


def _as_text(event: ChangeEvent, change: Change, *, unmask: bool) -> str:
    key = change.key if change.key.isprintable() and " " not in change.key else json.dumps(change.key)
    line = f"{event.namespace} {change.kind.value} {key}"
    if not unmask:
        return line
    sides = [json.dumps(value, ensure_ascii=False) for value in (change.old, change.new) if value is not None]
    return f"{line} {' -> '.join(sides)}"


def _as_json(event: ChangeEvent, change: Change, *, unmask: bool) -> str:
    fields: dict[str, object] = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "namespace": event.namespace,
        "release": event.new_release_key,
        "kind": change.kind.value,
        "key": change.key,
    }
    if unmask:
        fields |= {"old": change.old, "new": change.new}
    return json.dumps(fields)
