"""Publishing numbers, for tests of single faults: each greater than the last, in every test."""

from __future__ import annotations

import asyncio
import itertools
from http import HTTPStatus

from tests.faults.herd import APP, NAMESPACE
from tests.faults.scrape import metric
from tests.support.management import Management, Published
from tests.support.server import ServerProcess
from tests.support.wait import wait_until

_numbers = itertools.count(1)


def prepare(node: ServerProcess, namespace: str = NAMESPACE) -> None:
    """Creates the app, a namespace and its first release; returns when the node serves it."""
    with Management(node.url) as management:
        management.create_app(APP)
        management.create_namespace(APP, namespace)
        management.release(APP, namespace, "n = 0\n")
    path = f"/configs/{APP}/default/{namespace}"
    wait_until(lambda: node.request("GET", path).status == HTTPStatus.OK, 10, "first release")


def publish(node: ServerProcess, namespace: str = NAMESPACE) -> tuple[str, Published]:
    """Publishes the next number; returns it as the text that clients read."""
    number = str(next(_numbers))
    with Management(node.url) as management:
        return number, management.release(APP, namespace, f"n = {number}\n")


async def published(node: ServerProcess, namespace: str = NAMESPACE) -> str:
    """The same within an event loop."""
    return (await asyncio.to_thread(publish, node, namespace))[0]


async def held(node: ServerProcess) -> int:
    """How many polls a node holds."""
    return int(await asyncio.to_thread(metric, node, "helicon_polls_held"))
