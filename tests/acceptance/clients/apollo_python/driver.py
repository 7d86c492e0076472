"""apollo-python: reads, then listens. It hands out documents parsed, member by member."""

from __future__ import annotations

from typing import Any

from apollo_python import ApolloClient  # type: ignore[import-not-found]  # installed for this driver alone

from tests.acceptance.clients.lines import Lines, settings, wait_for_the_end

# It has no way to ask for all that it holds, so the driver knows the names.
KEYS = {"application": ["timeout", "greeting"], "routes.json": ["root"]}

told = settings()
lines = Lines()


def tell(line: Any, namespace: str, key: str, value: Any) -> None:
    line(namespace, "content" if "." in namespace else key, {key: value} if "." in namespace else value)


def changed(action: str, namespace: str, key: str, value: Any) -> None:
    tell(lines.changed, namespace, key, value)


client = ApolloClient(
    app_id=told.app,
    secret=told.secret,
    config_url=told.meta,
    change_listener=changed,
    log_level="WARNING",
    notification_map=dict.fromkeys(told.namespaces, -1),
    cache_path=told.folder,
)
for namespace in told.namespaces:
    for key in KEYS[namespace]:
        tell(lines.value, namespace, key, client.get_value(key, namespace=namespace))
wait_for_the_end()
