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
def below_asgi(request: pytest.FixtureRequest) -> bool:
    """Whether the fast shell stands in front of the ASGI application."""
    found: bool = request.param
    return found


@pytest.fixture
async def node(world: World, below_asgi: bool) -> AsyncIterator[Node]:
    """A node that serves the world, through both shells and through the ASGI application alone."""
    plane = world.plane()
    await plane.start()
    async with serving(plane, below_asgi=below_asgi) as served:
        yield served
