"""The address that a node tells others: what it was told, else made of what it listens on."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_WILDCARDS: Final = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to
# Addresses for documentation: asked which way leads there, the machine sends nothing and names one of its own.
_ELSEWHERE: Final = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def node_url(given: str | None, host: str, port: int) -> str:
    """The address without a trailing slash. ``host`` and ``port`` are those of the listening socket."""
    if given is not None:
        return given.rstrip("/")
    if host in _WILDCARDS:
        host = _address_of_machine()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _address_of_machine() -> str:
    """The first address of this machine that others can reach; loopback on a machine without a network."""
    for family, elsewhere in _ELSEWHERE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as asked:
                asked.connect((elsewhere, 9))
                found = str(asked.getsockname()[0])
        except OSError:
            continue
        if not ipaddress.ip_address(found.partition("%")[0]).is_loopback:
            return found
    return LOOPBACK
