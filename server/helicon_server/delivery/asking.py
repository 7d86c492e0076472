"""Who asks: what gray rules and instance records know of a client (Apollo client protocol, section 4.1)."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple

from helicon_server.delivery.requests import NAME_LIMIT, HeaderOf

_IP_LIMIT: Final = 64  # characters; the longest address with a scope is shorter


class Asking(NamedTuple):
    """A client's address as text, "" when it is no address that could be one, and its label, "" for none."""

    ip: str
    label: str


NOBODY: Final = Asking("", "")


def asking(ip: str, label: str, header: HeaderOf, peer: str) -> Asking:
    """Who sent these parameters: the address named there, else the first that a proxy names, else the peer's.

    Text that is too long for an address or a label is none.
    """
    found = ip or forwarded(header) or peer
    return Asking(found if len(found) <= _IP_LIMIT else "", label if len(label) <= NAME_LIMIT else "")


def forwarded(header: HeaderOf) -> str:
    """The first address of ``X-Forwarded-For``, "" for none.

    Anybody can send it, as anybody can send the parameter: it selects a gray release and authorises nothing.
    """
    found = header(b"x-forwarded-for")
    return "" if found is None else found.partition(b",")[0].strip().decode("latin-1")


@lru_cache(maxsize=16_384)
def parse_ip(text: str) -> IPv4Address | IPv6Address | None:
    """Reads an address; an IPv4 address inside an IPv6 one is the IPv4 address, a scope is dropped. None for others."""
    try:
        found = ip_address(text.partition("%")[0] if ":" in text else text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found
