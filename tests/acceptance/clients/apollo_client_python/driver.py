"""apollo-client-python: reads, then listens."""

from __future__ import annotations

from typing import Any

from apollo import ApolloClient  # type: ignore[import-not-found]  # installed for this driver alone

from tests.acceptance.clients.lines import Lines, settings, wait_for_the_end

told = settings()
lines = Lines()


def changed(event: dict[str, Any]) -> None:
    lines.changed(event["namespace"], event["key"], event["value"])


client = ApolloClient(
    config_url=told.meta,
    app_id=told.app,
    secret=told.secret,
    namespaces=told.namespaces,
    enable_long_pool_updates=True,
    auto_update_enabled=True,
    value_change_listeners=[changed],
    enable_dotenv=False,
)
for namespace in told.namespaces:
    for key, value in client.get_config(namespace).items():
        lines.value(namespace, key, value)
wait_for_the_end()
