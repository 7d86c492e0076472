"""ApolloPyClient: reads, then listens. It hands out documents parsed."""

from __future__ import annotations

from typing import Any

from ApolloPyClient.ApolloPyClient import ApolloClient  # type: ignore[import-not-found]  # installed for this driver alone

from tests.acceptance.clients.lines import Lines, settings, wait_for_the_end

told = settings()
lines = Lines()


def changed(action: str, namespace: str, key: str, value: Any) -> None:
    # Of a document it tells which member changed.
    lines.changed(namespace, "content" if "." in namespace else key, {key: value} if "." in namespace else value)


client = ApolloClient(
    app_id=told.app,
    secret=told.secret,
    config_service_url=told.meta,
    namespaces=told.namespaces,
    change_listener=changed,
    log_level="WARNING",
    cycle_time=1,
)
for namespace, held in client.all().items():
    for key, value in ({"content": held} if "." in namespace else held).items():
        lines.value(namespace, key, value)
wait_for_the_end()
