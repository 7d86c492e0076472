"""A client that is pointed at the wrong place of a real server is told so, and not that nothing is released."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from helicon._impl.errors import RequestError
from helicon._impl.settings import read_settings
from helicon._impl.transport import Transport
from tests.support.server import ServerProcess, Servers

DEADLINE_S = 30


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    nodes = Servers(tmp_path_factory.mktemp("addresses"))
    yield nodes.start()
    nodes.close()


@pytest.mark.parametrize(
    ("path", "code", "sentence"),
    [
        ("", "not_released", "holds no release"),
        ("/envs/PRO", "not_released", "holds no release"),
        ("/envs/PROD", "unknown_environment", "no environment PROD on this server"),
        ("/env/PRO", "wrong_address", "did you mean /envs/PRO?"),
        ("/api", "wrong_address", "HELICON_META is not the root of a server"),
        ("/envs/PRO/configs", "wrong_address", "did you mean /envs/PRO?"),
    ],
)
def test_client__address_of_a_real_server__is_told_apart_from_nothing_released(
    node: ServerProcess, path: str, code: str, sentence: str
) -> None:
    transport = Transport(read_settings(meta=node.url + path, app_id="absent", environ={}))
    try:
        with pytest.raises(RequestError) as caught:
            transport.fetch("application", deadline=time.monotonic() + DEADLINE_S)
    finally:
        transport.close()
    assert caught.value.code == code
    assert sentence in caught.value.message


def test_client__node_that_only_manages__counts_as_no_answer(servers: Servers) -> None:
    node = servers.start("--roles", "management")
    transport = Transport(read_settings(meta=node.url, app_id="absent", environ={}))
    try:
        with pytest.raises(RequestError) as caught:
            transport.fetch("application", deadline=time.monotonic() + DEADLINE_S)
    finally:
        transport.close()
    assert caught.value.code == "not_served_here"
