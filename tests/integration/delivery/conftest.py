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


@pytest.fixture(params=[True, False], ids=["fast", "asgi"])
async def node(world: World, request: pytest.FixtureRequest) -> AsyncIterator[Node]:
    """A node that serves the world, through both shells and through the ASGI application alone."""
    plane = world.plane()
    await plane.start()
    async with serving(plane, below_asgi=request.param) as served:
        yield served
