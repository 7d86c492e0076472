"""A served plane over a small world."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.delivery.serving import Node, serving
from tests.unit.delivery.world import World


@pytest.fixture
async def world() -> World:
    """Environments DEV and PRO, nothing published."""
    made = World()
    await made.environments("DEV", "PRO")
    return made


@pytest.fixture
async def node(world: World) -> AsyncIterator[Node]:
    """A node that serves the world."""
    plane = world.plane()
    await plane.start()
    async with serving(plane) as served:
        yield served
