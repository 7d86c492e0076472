"""One node for all tests of a file that leave it alone, with an app of its own for each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.conformance.wire import Wire
from tests.conformance.world import World
from tests.support.server import ServerProcess, Servers

HOLD_S = 1  # of the impatient node: the shortest that the server takes


@pytest.fixture(scope="module")
def lasting_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A node with the settings that a server has by itself."""
    with closing(Servers(tmp_path_factory.mktemp("conformance"))) as servers:
        yield servers.start()


@pytest.fixture(scope="module")
def impatient_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A node that holds polls for a second."""
    with closing(Servers(tmp_path_factory.mktemp("impatient"))) as servers:
        yield servers.start(env={"HELICON_LONG_POLL_S": str(HOLD_S)})


@pytest.fixture
def world(lasting_node: ServerProcess) -> World:
    """The default environment of the lasting node."""
    return World(lasting_node)


@pytest.fixture
def wire(lasting_node: ServerProcess) -> Iterator[Wire]:
    """A connection to the lasting node."""
    with Wire(lasting_node.port) as made:
        yield made


@pytest.fixture
def app(world: World, request: pytest.FixtureRequest) -> str:
    """An app of this test's own, with an unpublished namespace `application`."""
    name = app_of(request)
    world.app(name, "application")
    return name


def app_of(request: pytest.FixtureRequest) -> str:
    """An app id that no other test has."""
    name: str = request.node.name
    return f"{re.sub('[^0-9A-Za-z]+', '-', name)[:48]}-{abs(hash(request.node.nodeid)) % 10**10}"
