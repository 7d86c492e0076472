"""Access keys in the tests of clients: an app that enforces one, and what its clients' requests are answered then.

Rules: Apollo client protocol, section 11.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from tests.acceptance.clients.recorder import Exchange
from tests.support.management import DEFAULT_ENVIRONMENT
from tests.support.server import ServerProcess
from tests.support.wait import wait_until

ENFORCED_DEADLINE_S = 20


@dataclass(frozen=True, slots=True)
class Key:
    """A key in filter mode."""

    id: int
    secret: str


def enforce_key(node: ServerProcess, app: str, *, environment: str = DEFAULT_ENVIRONMENT) -> Key:
    """Gives an app an enabled key in filter mode and returns when the node refuses whoever does not sign."""
    path = f"/api/v1/environments/{environment}/apps/{app}/access-keys"
    made = node.request("POST", path, {"mode": "filter", "enabled": True})
    assert made.status == HTTPStatus.CREATED, made.body
    key = Key(made.json()["id"], made.json()["secret"])
    wait_until(lambda: refused(node, app, environment=environment), ENFORCED_DEADLINE_S, f"enforced key of {app}")
    return key


def refused(node: ServerProcess, app: str, *, environment: str = DEFAULT_ENVIRONMENT) -> bool:
    """Tells whether a read without a signature is refused."""
    answer = node.request("GET", f"/envs/{environment}/configs/{app}/default/application", token=None)
    return answer.status == HTTPStatus.UNAUTHORIZED


def check_signed(exchanges: Iterable[Exchange], app: str) -> None:
    """Asserts that every request for something protected was signed; that it was accepted is asserted elsewhere."""
    protected = [one for one in exchanges if _is_protected(one)]
    assert protected
    for exchange in protected:
        assert exchange.headers.get("authorization", "").startswith(f"Apollo {app}:"), exchange
        assert exchange.headers.get("timestamp", "").isdecimal(), exchange


def check_refused(exchanges: Iterable[Exchange], app: str) -> None:
    """Asserts that every request for something protected was refused, without a word of what it asked for."""
    answered = [one for one in exchanges if _is_protected(one) and one.status is not None]
    check_signed(answered, app)
    for exchange in answered:
        assert exchange.status == HTTPStatus.UNAUTHORIZED, exchange
        assert b"250ms" not in exchange.body, exchange


def _is_protected(exchange: Exchange) -> bool:
    return any(part in exchange.path for part in ("/configs/", "/configfiles/", "/notifications"))
