"""Fixtures of the command's tests."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.fake_apollo import FakeApollo, running
from tests.cli.process import Cli


@pytest.fixture
def server() -> Iterator[FakeApollo]:
    """A running fake server."""
    with running() as fake:
        yield fake


@pytest.fixture
def cli(tmp_path: Path, server: FakeApollo) -> Cli:
    """The command, pointed at the fake server, with an empty home."""
    home = tmp_path / "home"
    home.mkdir()
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "HELICON_META": server.url,
        "HELICON_APP_ID": "shop",
    }
    return Cli(home, env)


@pytest.fixture
def refused() -> str:
    """The address of a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"
