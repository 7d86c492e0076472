"""apopy: reads, then polls. The library leaves the loop, the pause after a failure and the comparison to its caller."""

from __future__ import annotations

import threading
import time

from apopy import Client, NamespaceType  # type: ignore[import-not-found]  # installed for this driver alone

from tests.acceptance.clients.lines import Lines, settings, wait_for_the_end

PAUSE_AFTER_FAILURE_S = 0.5

told = settings()
lines = Lines()
client = Client(told.meta, told.app, secret=told.secret)


def held(namespace: str) -> dict[str, str]:
    """What it would answer: from its memory, which it fills when it is asked for the first time."""
    name, _, kind = namespace.partition(".")
    client.get("", namespace=name, namespace_type=NamespaceType(kind or "properties"))
    return dict(client.cache[f"{name}.{kind or 'properties'}"])


def follow(namespace: str) -> None:
    known = held(namespace)
    while True:
        try:
            client.read_notification_and_update(namespace)
        except Exception as error:  # noqa: BLE001 - it passes on whatever its HTTP library raises
            print(f"poll failed: {error}")
            time.sleep(PAUSE_AFTER_FAILURE_S)
            continue
        new = held(namespace)
        for key in new.keys() - {key for key, value in known.items() if new.get(key) == value}:
            lines.changed(namespace, key, new[key])
        known = new


for namespace in told.namespaces:
    for key, value in held(namespace).items():
        lines.value(namespace, key, value)
threading.Thread(target=follow, args=("application",), daemon=True).start()
wait_for_the_end()
