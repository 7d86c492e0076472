"""A small sample app for the first start of ``make run``."""

from __future__ import annotations

from collections.abc import Sequence

from helicon.protocol.names import DEFAULT_CLUSTER, DEFAULT_NAMESPACE
from helicon_server.domain.errors import Conflict
from helicon_server.domain.model import FIRST_REVISION
from helicon_server.domain.names import NamespaceRef
from helicon_server.storage.contract import Storage

from .apps import create_app
from .context import Caller
from .drafts import checked_text, write_text
from .namespaces import NewNamespace, create_namespace
from .publish import Target, publish, review
from .releasing import Note

APP = "helicon-demo"

_TEXTS = {
    DEFAULT_NAMESPACE: """\
# What the demo service says, and how long it waits.
greeting = Hello from Helicon
greeting.zh = 你好，世界

# Changes arrive while the service runs.
http.timeout = 2500
feature.cart = true
""",
    "routes.json": """\
{
  "routes": [
    {"path": "/cart", "service": "cart-service", "timeoutMs": 800},
    {"path": "/orders", "service": "order-service", "timeoutMs": 1500}
  ]
}
""",
}


async def load(storage: Storage, caller: Caller, environment: str) -> bool:
    """Makes and publishes the sample app in ``environment`` unless any app exists; tells whether it did."""
    async with storage.control.read() as tx:
        if await tx.apps.list(after=None, limit=1):
            return False
    try:
        async with storage.control.write() as control:
            await create_app(control, caller, app_id=APP, name="Helicon demo", department="Demo")
    except Conflict:
        return False  # another node was faster
    database, targets = storage.config(environment), []
    for name, text in _TEXTS.items():
        ref = NamespaceRef(environment, APP, DEFAULT_CLUSTER, name)
        checked = await checked_text(caller, ref, text)
        async with database.write() as tx:
            await create_namespace(tx, caller, environment, APP, NewNamespace(name))
            namespace = await write_text(tx, caller, ref, checked, seen=FIRST_REVISION)
        targets.append(Target(ref, namespace.revision))
    reviewed = await review(database, caller, targets)
    async with database.write() as tx:
        await publish(tx, caller, environment, reviewed, Note("First release of the demo"))
    return True


def commands(address: str, data_dir_flag: str) -> Sequence[str]:
    """Three commands that show what a client, a container and an operator get."""
    return (
        f"curl {address}/configfiles/{APP}/{DEFAULT_CLUSTER}/{DEFAULT_NAMESPACE}",
        f".venv/bin/helicon run --meta {address} --app-id {APP} -- sh -c 'echo $GREETING'",
        f".venv/bin/helicon-server token create --name me{data_dir_flag}   # then see {address}/api/docs",
    )
