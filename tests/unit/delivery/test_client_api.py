"""The ASGI shell: discovery, health, HEAD, and what it hands over (Apollo client protocol, sections 1, 12)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import httpx
import pytest

from helicon_server.delivery.plane import DeliveryPlane
from helicon_server.http.client_api import ClientApi
from tests.support.wait import wait_until_async
from tests.unit.delivery.world import QUICK, Client, World, configs, poll


@pytest.fixture
def api(plane: DeliveryPlane) -> ClientApi:
    return ClientApi(plane)


@pytest.fixture
async def http(api: ClientApi) -> AsyncIterator[httpx.AsyncClient]:
    """Speaks ASGI to the shell, as any server would."""
    transport = httpx.ASGITransport(api)
    async with httpx.AsyncClient(transport=transport, base_url="http://config.example.com:8080") as client:
        yield client


@pytest.mark.parametrize(
    ("path", "mine"),
    [
        ("/configs/shop/default/application", True),
        ("/configfiles/json/shop/default/application", True),
        ("/notifications/v2", True),
        ("/notifications", True),
        ("/services/config", True),
        ("/health", True),
        ("/health/ready", True),
        ("/envs/PRO/configs/shop/default/application", True),
        ("/configs", True),
        ("/", False),
        ("/api/v1/apps", False),
        ("/configsx/shop", False),
        ("/healthz", False),
        ("/environments", False),
        ("//configs/shop/default/application", False),
        ("", False),
    ],
)
def test_handles__by_first_segment__tells_its_paths(path: str, mine: bool) -> None:
    assert ClientApi.handles(path) is mine


async def test_head__of_a_read__has_the_headers_and_no_body(
    world: World, client: Client, http: httpx.AsyncClient
) -> None:
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    full = await http.get(configs("shop", "default", "application"))

    head = await http.head(configs("shop", "default", "application"))

    assert head.status_code == 200
    assert head.headers == full.headers
    assert head.content == b""


async def test_body_of_a_get__is_ignored(world: World, client: Client, http: httpx.AsyncClient) -> None:
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)

    answer = await http.request("GET", configs("shop", "default", "application"), content=b"x" * 100_000)

    assert answer.json()["configurations"] == {"a": "1"}


async def test_miss__is_loaded_and_answered(world: World) -> None:
    """A release that is in the index and not in memory."""
    await world.publish("shop", "application", {"a": "1"})
    plane = world.plane()
    await plane.start()
    transport = httpx.ASGITransport(ClientApi(plane))
    async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
        assert (await http.get(configs("shop", "default", "application"))).status_code == 200
    await plane.stop()


async def test_poll__held__is_answered_by_a_publish(
    world: World, plane: DeliveryPlane, http: httpx.AsyncClient
) -> None:
    asking = asyncio.create_task(http.get(poll("shop", "default", {"application": -1})))
    await wait_until_async(lambda: len(plane.hub) == 1, 5, "held poll")

    await world.publish("shop", "application", {"a": "1"})

    assert (await asking).json()[0]["namespaceName"] == "application"
    await wait_until_async(lambda: len(plane.hub) == 0, 5, "empty hub")


async def test_poll__cancelled_by_the_server__is_released_at_once(
    plane: DeliveryPlane, http: httpx.AsyncClient
) -> None:
    asking = asyncio.create_task(http.get(poll("shop", "default", {"application": -1})))
    await wait_until_async(lambda: len(plane.hub) == 1, 5, "held poll")

    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    assert len(plane.hub) == 0
    assert plane.hub.watched_keys == 0


async def test_scope__without_raw_path__is_served(world: World, client: Client, api: ClientApi) -> None:
    """`raw_path` is optional in ASGI."""
    await world.define("shop", "中")
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/configs/shop/a b/application",
        "query_string": b"",
        "headers": [],
        "scheme": "http",
    }
    await api(scope, receive, send)

    assert sent[0]["status"] == 200


class TestDiscovery:
    async def test_services_config__repeats_the_asked_address_and_ends_in_a_slash(
        self, http: httpx.AsyncClient
    ) -> None:
        """Section 12.1; the Go client appends to it blindly."""
        answer = await http.get("/services/config?appId=shop&ip=10.1.2.3")

        assert answer.status_code == 200
        assert answer.json() == [
            {
                "appName": "APOLLO-CONFIGSERVICE",
                "instanceId": "config.example.com:8080:apollo-configservice",
                "homepageUrl": "http://config.example.com:8080/",
            }
        ]

    @pytest.mark.parametrize("spelling", ["PRO", "pro"])
    async def test_services_config__under_an_environment__repeats_the_prefix(
        self, http: httpx.AsyncClient, spelling: str
    ) -> None:
        """Architecture, section 7."""
        answer = await http.get(f"/envs/{spelling}/services/config")

        assert answer.json()[0]["homepageUrl"] == "http://config.example.com:8080/envs/PRO/"

    async def test_services_config__with_a_public_address__tells_that(self, plane: DeliveryPlane) -> None:
        transport = httpx.ASGITransport(ClientApi(plane, "https://conf.example.com/base/"))
        async with httpx.AsyncClient(transport=transport, base_url="http://10.0.0.5:8080") as http:
            answer = await http.get("/envs/PRO/services/config")

        assert answer.json()[0]["homepageUrl"] == "https://conf.example.com/base/envs/PRO/"

    @pytest.mark.parametrize("url", ["conf.example.com", "ftp://conf", "http://", "http://conf/?x=1", ""])
    def test_public_address__that_clients_cannot_use__is_refused(self, plane: DeliveryPlane, url: str) -> None:
        with pytest.raises(ValueError, match="must look like"):
            ClientApi(plane, url)

    @pytest.mark.parametrize(
        "host", ['evil"><script>', "a b", "user@host", "host/path", "host:123456", "", "[::1", "host\\x"]
    )
    async def test_host_header__odd__is_not_repeated(self, http: httpx.AsyncClient, host: str) -> None:
        """The address goes into what other programs connect to."""
        answer = await http.get("/services/config", headers={"host": host})

        # httpx tells the application port 8080 of the address that it was built for.
        assert answer.json()[0]["homepageUrl"] == "http://config.example.com:8080/"

    @pytest.mark.parametrize("host", ["localhost", "10.0.0.5:8080", "[::1]:8080", "conf-1.my_net"])
    async def test_host_header__plain__is_repeated(self, http: httpx.AsyncClient, host: str) -> None:
        answer = await http.get("/services/config", headers={"host": host})

        assert answer.json()[0]["homepageUrl"] == f"http://{host}/"

    @pytest.mark.parametrize("name", ["X-Forwarded-Host", "X-Forwarded-Proto", "X-Original-URL", "Forwarded"])
    async def test_magic_headers__have_no_effect(self, http: httpx.AsyncClient, name: str) -> None:
        answer = await http.get("/services/config", headers={name: "https"})

        assert answer.json()[0]["homepageUrl"] == "http://config.example.com:8080/"

    @pytest.mark.parametrize("which", ["admin", "meta"])
    async def test_services_admin_and_meta__are_empty_lists(self, http: httpx.AsyncClient, which: str) -> None:
        answer = await http.get(f"/services/{which}")

        assert (answer.status_code, answer.json()) == (200, [])

    async def test_services__any_method__is_accepted(self, http: httpx.AsyncClient) -> None:
        """Section 12.1."""
        assert (await http.post("/services/config")).status_code == 200

    @pytest.mark.parametrize("path", ["/services", "/services/", "/services/other", "/services/config/x"])
    async def test_services__unknown__is_404(self, http: httpx.AsyncClient, path: str) -> None:
        assert (await http.get(path)).status_code == 404

    async def test_services__unknown_environment__is_404(self, http: httpx.AsyncClient) -> None:
        assert (await http.get("/envs/NOPE/services/config")).json()["code"] == "unknown_environment"


class TestHealth:
    async def test_health__loaded__is_up(self, http: httpx.AsyncClient) -> None:
        """Section 12.2."""
        for path in ("/health/live", "/health/ready"):
            answer = await http.get(path)
            assert (answer.status_code, answer.json()) == (200, {"status": "UP"})
        detailed = (await http.get("/health")).json()
        assert detailed == {"status": "UP", "databases": [{"name": "main", "database": "UP", "loaded": True}]}

    async def test_health__not_loaded__is_alive_and_not_ready(self, world: World) -> None:
        plane = world.plane()
        transport = httpx.ASGITransport(ClientApi(plane))
        async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
            assert (await http.get("/health/live")).status_code == 200
            for path in ("/health/ready", "/health"):
                answer = await http.get(path)
                assert (answer.status_code, answer.json()["status"]) == (503, "DOWN")
                assert answer.json()["code"] == "not_loaded"
        await plane.stop()

    async def test_health__draining__is_out_of_service(self, plane: DeliveryPlane, http: httpx.AsyncClient) -> None:
        plane.begin_drain()

        answer = await http.get("/health/ready")

        assert (answer.status_code, answer.json()["status"]) == (503, "OUT_OF_SERVICE")
        assert answer.json()["code"] == "draining"
        assert (await http.get("/health/live")).status_code == 200

    async def test_health__database_away_after_the_load__is_ready_and_says_so(
        self, world: World, plane: DeliveryPlane, http: httpx.AsyncClient
    ) -> None:
        """Promise 7: reads go on, so clients stay; the person on call sees which database and since when."""
        world.database.away = True
        world.bus.hint()
        await wait_until_async(lambda: plane.health().databases[0].away_since, 5, "outage")

        answer = await http.get("/health")

        assert answer.status_code == 200
        (database,) = answer.json()["databases"]
        assert database["database"] == "DOWN"
        assert database["reason"] == "refused"
        assert "behindSince" in database
        assert (await http.get("/health/ready")).status_code == 200

    async def test_health__unknown__is_404(self, http: httpx.AsyncClient) -> None:
        assert (await http.get("/health/other")).status_code == 404


class TestWithoutClients:
    async def test_node_that_serves_no_clients__answers_health_only(self, world: World) -> None:
        """`--roles management`: the plane runs for health, the protocol is not offered."""
        await world.publish("shop", "application", {"a": "1"})
        plane = world.plane(QUICK)
        await plane.start()
        transport = httpx.ASGITransport(ClientApi(plane, serves_clients=False))
        async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
            assert (await http.get("/health/ready")).status_code == 200
            for path in (configs("shop", "default", "application"), "/services/config", "/notifications/v2"):
                answer = await http.get(path)
                assert (answer.status_code, json.loads(answer.content)["code"]) == (404, "not_served_here")
            assert (await http.get("/health//x")).status_code == 400
        await plane.stop()
