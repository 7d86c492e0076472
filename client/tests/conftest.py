"""Fixtures of the SDK's tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from helicon import Client
from tests.support.clients import OpenClient
from tests.support.scripted_server import ScriptedServer, scripted_server
from tests.support.this_tree import require_this_tree


@pytest.fixture(scope="session", autouse=True)
def this_tree(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The command and the programs that tests start, with a clean environment, are of this checkout."""
    require_this_tree(["helicon"], {"PATH": os.environ["PATH"]}, tmp_path_factory.getbasetemp())


@pytest.fixture
def apollo() -> Iterator[ScriptedServer]:
    """A scripted server that holds one release of `application`."""
    with scripted_server() as server:
        server.publish("application", {"http.timeout": "2500", "feature.cart": "true"})
        yield server


@pytest.fixture
def open_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenClient]:
    """Opens clients with a backup folder of the test's own, untouched by the machine's settings."""
    from helicon._impl import settings

    for name in (*settings.VARIABLES, *settings.APOLLO_NAMES.values()):
        monkeypatch.delenv(name, raising=False)
    opened: list[Client] = []

    def open_one(meta: str, **given: object) -> Client:
        options: dict[str, object] = {"app_id": "shop", "cache_dir": tmp_path / "state", **given}
        client = Client(meta=meta, **options)  # type: ignore[arg-type]  # passed through as given
        opened.append(client)
        return client

    yield open_one
    for client in opened:
        client.close()
