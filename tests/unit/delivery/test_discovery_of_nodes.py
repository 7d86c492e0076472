"""What discovery tells of the other nodes (Apollo client protocol, section 12.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from helicon_server.delivery.plane import DeliveryPlane
from helicon_server.delivery.registry import Registry
from helicon_server.domain.node import Node
from helicon_server.http.client_api import ClientApi
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import NOW, QUICK, World

OTHERS = ("http://10.0.0.2:8080", "http://10.0.0.3:8080/helicon")


@pytest.fixture
async def plane(world: World) -> AsyncIterator[DeliveryPlane]:
    """A started plane that knows two other nodes."""
    async with world.database.write() as tx:
        for number, url in enumerate(OTHERS):
            await tx.nodes.beat(Node(f"node-{number}", url, ("delivery",), "1.0", NOW, NOW))
    registry = Registry("http://10.0.0.1:8080", ["delivery"], "1.0", beat_s=3600)
    plane = DeliveryPlane([(world.database, world.bus)], "DEV", QUICK, registry=registry)
    await plane.start()
    await wait_until_async(lambda: registry.others("main") == OTHERS, 5, "both of them in the list")
    yield plane
    await plane.stop()


async def told(plane: DeliveryPlane, path: str = "/services/config", host: str = "lb.example") -> list[dict[str, str]]:
    transport = httpx.ASGITransport(app=ClientApi(plane))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as http:
        entries: list[dict[str, str]] = (await http.get(path)).json()
        return entries


async def test_nodes__are_told_behind_the_asked_one(plane: DeliveryPlane) -> None:
    entries = await told(plane)
    assert [entry["homepageUrl"] for entry in entries] == [
        "http://lb.example/",
        "http://10.0.0.2:8080/",
        "http://10.0.0.3:8080/helicon/",
    ]
    assert len({entry["instanceId"] for entry in entries}) == 3


async def test_nodes__under_an_environment__repeat_its_prefix(plane: DeliveryPlane) -> None:
    entries = await told(plane, "/envs/pro/services/config")
    assert entries[2]["homepageUrl"] == "http://10.0.0.3:8080/helicon/envs/PRO/"


async def test_node__reached_under_the_address_of_another__is_told_once(plane: DeliveryPlane) -> None:
    entries = await told(plane, host="10.0.0.2:8080")
    assert [entry["homepageUrl"] for entry in entries] == ["http://10.0.0.2:8080/", "http://10.0.0.3:8080/helicon/"]


async def test_node__that_drains__tells_of_the_others_only(plane: DeliveryPlane) -> None:
    plane.begin_drain()
    assert [entry["homepageUrl"] for entry in await told(plane)] == [f"{url}/" for url in OTHERS]
