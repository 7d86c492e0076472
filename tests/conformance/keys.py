"""Access keys: made by operators, used by clients. The signature is written here from the protocol, section 11.3."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass

from tests.conformance.wire import Answer, Wire
from tests.conformance.world import World, configs
from tests.support.wait import wait_until

FOLLOWED_DEADLINE_S = 20
NEVER_SERVED = "not-a-namespace"


@dataclass(frozen=True, slots=True)
class Key:
    """An access key of an app."""

    id: int
    secret: str


def signature(secret: str, timestamp: str, target: str) -> str:
    digest = hmac.new(secret.encode(), f"{timestamp}\n{target}".encode("latin-1"), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def signed(app: str, secret: str, target: str, *, off_by_s: float = 0, scheme: str = "Apollo ") -> list[str]:
    """The two header lines of a client whose clock is off by some seconds."""
    timestamp = str(int((time.time() + off_by_s) * 1000))
    return [f"Authorization: {scheme}{app}:{signature(secret, timestamp, target)}", f"Timestamp: {timestamp}"]


def get_signed(wire: Wire, app: str, key: Key, target: str) -> Answer:
    return wire.get(target, *signed(app, key.secret, target))


def make_key(world: World, app: str, *, mode: str = "filter", enabled: bool = True) -> Key:
    """Makes a key; returns when the node enforces it, if it is one to be enforced."""
    told = world.send("POST", f"{world.of(app)}/access-keys", {"mode": mode, "enabled": enabled}).json()
    key = Key(told["id"], told["secret"])
    if mode == "filter" and enabled:
        await_enforced(world, app, key)
    return key


def change_key(world: World, app: str, key: Key, **changes: object) -> None:
    """Changes `enabled` or `mode`."""
    world.send("PATCH", f"{world.of(app)}/access-keys/{key.id}", changes)


def await_enforced(world: World, app: str, key: Key) -> None:
    """Returns when the node refuses what is not signed and takes this key."""
    await_status(world, app, 401)
    await_status(world, app, 404, key)


def await_status(world: World, app: str, status: int, key: Key | None = None) -> None:
    """Returns when a read of what is not there is answered so; without a key it is not signed."""
    target = world.prefix + configs(app, NEVER_SERVED)

    def answered() -> bool:
        with Wire(world.node.port) as wire:
            lines = [] if key is None else signed(app, key.secret, target)
            return wire.get(target, *lines).status == status

    wait_until(answered, FOLLOWED_DEADLINE_S, f"{status} for {target}")
