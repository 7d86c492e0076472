"""Reads server addresses such as `http://config.example:8080/envs/PRO`.

Hand-written because `urllib.parse` costs several milliseconds at every start of the command.
"""

from __future__ import annotations

from typing import NamedTuple

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Address(NamedTuple):
    """Where requests go: scheme, host and port, and the path that stands in front of every target."""

    scheme: str
    host: str
    """A name or an address; IPv6 without brackets."""
    port: int
    prefix: str
    """Empty, or a path that begins with `/` and does not end with one."""

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The canonical spelling, without a slash at the end."""
        return f"{self.scheme}://{self.authority}{self.prefix}"


def parse_address(text: str) -> Address:
    """Reads one address. Raises `ValueError` with a sentence that does not repeat the text.

    The text may hold a password in its user part, so it must not be printed.
    """
    scheme, found, rest = text.strip().partition("://")
    scheme = scheme.lower()
    if not found or scheme not in _DEFAULT_PORTS:
        raise ValueError("an address begins with http:// or https://")
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        raise ValueError("an address holds no user or password; use an access key")
    if any(mark in rest for mark in "?#"):
        raise ValueError("an address holds no query and no fragment")
    if not rest.isascii() or any(char <= " " or char == "\x7f" for char in rest):
        raise ValueError("an address is plain ASCII without blanks")
    host, port = _host_and_port(authority, _DEFAULT_PORTS[scheme])
    return Address(scheme, host.lower(), port, (slash + path).rstrip("/"))


def _host_and_port(authority: str, default_port: int) -> tuple[str, int]:
    if authority.startswith("["):
        host, bracket, tail = authority[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            raise ValueError("the brackets around the IPv6 address do not close")
        port = tail[1:]
    else:
        host, _, port = authority.partition(":")
        if ":" in port:
            raise ValueError("an IPv6 address stands in brackets")
    if not host:
        raise ValueError("an address names a host")
    if not port:
        return host, default_port
    if not port.isdigit() or not 1 <= int(port[:6]) <= 65535:
        raise ValueError("a port is a number from 1 to 65535")
    return host, int(port)
