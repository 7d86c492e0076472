"""Fixtures of the use cases."""

from __future__ import annotations

import pytest

from tests.unit.services.world import World


@pytest.fixture
async def world() -> World:
    """A fresh installation with one environment and one app."""
    world = World()
    await world.prepare()
    return world
