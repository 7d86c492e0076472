"""What must not be brought back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helicon_server.domain.errors import Conflict
from tests.unit.services.world import World


async def test_rollback__to_a_damaged_release__is_refused__c6(world: World) -> None:
    """It would be released anew under a hash that fits the damage."""
    ref = await world.namespace()
    first, second = await world.release(ref, "a=1\n"), await world.release(ref, "a=2\n")
    releases = world.database._committed.releases
    releases[first] = replace(releases[first], configurations={"a": "flipped"})
    with pytest.raises(Conflict) as refused:
        await world.rollback(ref, to=first, live=second)
    assert refused.value.code == "release_corrupt"
