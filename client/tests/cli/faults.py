"""What servers and the things in front of them really do when they misbehave."""

from __future__ import annotations

import socket
import struct
import time

from tests.cli.fake_apollo import Fault, Request, config_body, http


def answers(
    status: int, body: str, *, content_type: str = "application/json", extra: str = "", everywhere: bool = False
) -> Fault:
    """Gives every `/configs` request this answer; `everywhere` all others too, whatever their path."""

    def fault(connection: socket.socket, request: Request) -> bool:
        if request.segments[:1] != ["configs"] and not everywhere:
            return False
        connection.sendall(http(status, body, content_type=content_type, extra=extra))
        return True

    return fault


def truncated(connection: socket.socket, request: Request) -> bool:
    """Promises a whole body and closes in its middle."""
    if request.segments[:1] != ["configs"]:
        return False
    connection.sendall(http(200, config_body({"db.url": "x" * 1000}))[:-500])
    return True


def truncated_without_length(connection: socket.socket, request: Request) -> bool:
    """Promises no length, so that only the JSON tells that something is missing."""
    if request.segments[:1] != ["configs"]:
        return False
    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + config_body({"db.url": "x" * 1000}).encode()[:-500])
    return True


def reset(connection: socket.socket, request: Request) -> bool:
    """Sends RST instead of an answer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    return True


def hangs(connection: socket.socket, request: Request) -> bool:
    """Takes the request and never answers, until the client gives up."""
    connection.recv(1)
    return True


def slow_loris(connection: socket.socket, request: Request) -> bool:
    """Sends a good answer a byte at a time, far too slowly to ever end."""
    if request.segments[:1] != ["configs"]:
        return False
    for byte in http(200, config_body({"db.url": "x"})):
        connection.sendall(bytes([byte]))
        time.sleep(0.2)  # the fault itself, not a wait for something
    return True
