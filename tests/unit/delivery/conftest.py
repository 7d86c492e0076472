"""A started plane over a small world."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from helicon_server.delivery.plane import DeliveryPlane
from tests.unit.delivery.world import Client, World


@pytest.fixture
async def world() -> World:
    """Environments DEV and PRO, nothing published."""
    made = World()
    await made.environments("DEV", "PRO")
    return made


@pytest.fixture
async def plane(world: World) -> AsyncIterator[DeliveryPlane]:
    """A started plane with DEV as its default environment and timers that do nothing within a test."""
    made = world.plane()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def client(plane: DeliveryPlane) -> Client:
    """Asks the plane."""
    return Client(plane)
