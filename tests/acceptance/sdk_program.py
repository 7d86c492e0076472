"""A small program that uses the SDK as a service would, and tells a test what it sees.

Its argument is a JSON object with the arguments of `helicon.Client`. It prints JSON lines: `ready` once the client
has started, `change` for each change that a listener received, and an `answer` to each command on its standard
input. It ends, closing the client, when its standard input does.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import threading
from typing import Any

import helicon

_printing = threading.Lock()


def tell(**line: Any) -> None:
    with _printing:
        print(json.dumps(line), flush=True)


def tell_changes(event: helicon.ChangeEvent) -> None:
    for key, change in event.changes.items():
        tell(
            event="change",
            namespace=event.namespace,
            key=key,
            old=change.old,
            new=change.new,
            old_release_key=event.old_release_key,
            new_release_key=event.new_release_key,
        )


def answer(client: helicon.Client, command: dict[str, Any]) -> Any:
    if command["do"] == "status":
        status = client.status()
        namespaces = {name: dataclasses.asdict(one) for name, one in status.namespaces.items()}
        return {"connection": status.connection, "source": status.source, "namespaces": namespaces}
    config = client.namespace(command["namespace"])
    if command["do"] == "get":
        return config.get(command["key"])
    if command["do"] == "content":
        return config.content
    assert command["do"] == "values"
    return config.snapshot().as_dict()


def main() -> None:
    settings = json.loads(sys.argv[1])
    with helicon.Client(**settings) as client:
        for name in settings["namespaces"]:
            client.namespace(name).on_change()(tell_changes)
        tell(event="ready")
        for line in sys.stdin:
            command = json.loads(line)
            tell(event="answer", id=command["id"], value=answer(client, command))


if __name__ == "__main__":
    main()
