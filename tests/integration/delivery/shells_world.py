"""The state that the two shells are compared over: with all that makes the answers to two clients differ."""

from __future__ import annotations

from dataclasses import dataclass

from helicon_server.domain.gray import GrayRule
from tests.unit.delivery.world import World

APP = "shop"
GUARDED = "vault"  # its clients sign with SECRET
SECRET = "9f2c4e6a8b0d4c1e9a7b5d3f1e2c4a6b"
INCREMENTAL = "PRO"  # the environment that tells only what changed
LAYERED = "east"  # a cluster that is laid over the default one
CANARY_IP, CANARY_LABEL = "10.1.2.3", "canary"
PACKED = "packed"  # 20 KB, so compressed as soon as a client takes gzip
NEWS = "news"  # what is published while polls are held
# Beyond ASCII and of many words: compressed it is not just a header.
_TWENTY_KB = {f"key.{number:03}": f"wert {number * 7919} für größere Antworten" for number in range(400)}


@dataclass(frozen=True, slots=True)
class Known:
    """What clients know: of each namespace of ``APP`` its release key and the id of its message.

    ``before`` and ``latest`` are the keys of two releases of one namespace of ``INCREMENTAL``.
    """

    release_keys: dict[str, str]
    message_ids: dict[str, int]
    before: str
    latest: str


async def furnish(world: World) -> Known:
    """Fills an empty world."""
    await world.environments("DEV", INCREMENTAL)
    await world.incremental(INCREMENTAL)
    keys, ids = {}, {}
    for name, content in (
        ("application", {"a": "1"}),
        ("large", {"a": "x" * 300_000}),
        ("routes.json", {"content": "{}"}),
        (PACKED, _TWENTY_KB),
        ("gray", {"a": "for all"}),
    ):
        keys[name] = (await world.publish(APP, name, content)).head.key
        ids[name] = await world.newest_message()
    await _branches(world)
    ids["gray"] = await world.newest_message()
    for name in ("gray", PACKED):
        await world.publish(APP, name, {"a": "of the east", "e": "1"}, cluster=LAYERED)
        await world.inherit(APP, name, cluster=LAYERED)
    for name, content in (("application", {"a": "locked away"}), (PACKED, _TWENTY_KB)):
        await world.publish(GUARDED, name, content)
    await world.key(GUARDED, SECRET)
    before = await world.publish(APP, PACKED, _TWENTY_KB, environment=INCREMENTAL)
    now = dict.fromkeys(list(_TWENTY_KB)[::2], "changed")
    latest = await world.publish(APP, PACKED, now, environment=INCREMENTAL)
    return Known(keys, ids, before.head.key, latest.head.key)


async def _branches(world: World) -> None:
    """Chosen by address, by label, and by the address of the peer; in this order."""
    rules = (
        GrayRule(APP, ips=(CANARY_IP,)),
        GrayRule(APP, labels=(CANARY_LABEL,)),
        GrayRule(APP, ips=("127.0.0.1",)),
    )
    for priority, rule in enumerate(rules):
        await world.branch(APP, "gray", {"a": f"for some {priority}"}, rule, priority=priority)
