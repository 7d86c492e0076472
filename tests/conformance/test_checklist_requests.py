"""Rows 12 and 13 of the checklist (Apollo client protocol, section 19): where clients ask, and how untidily."""

from __future__ import annotations

import pytest

from tests.conformance.wire import Wire
from tests.conformance.world import World, configs, files, poll
from tests.support.server import ServerProcess

ABANDONED = 30


# --- row 12: discovery ------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/envs/PRO"])
def test_row_12_homepage_url__ends_in_a_slash_and_repeats_the_prefix(wire: Wire, prefix: str) -> None:
    services = wire.get(f"{prefix}/services/config?appId=shop&ip=10.1.2.3").json()

    assert services
    assert {one["homepageUrl"] for one in services} == {f"http://config.example{prefix}/"}
    assert all(one["appName"] and one["instanceId"] for one in services)


# --- row 13: untidy requests ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    ["?&ip=10.1.2.3&label=", "?", "?&", "?&&=&a", "?ip=&label=&dataCenter=&messages=&releaseKey=", "?ip", "?%zz=%zz"],
)
def test_row_13_query__untidy__is_read_as_if_it_were_tidy(world: World, wire: Wire, app: str, query: str) -> None:
    released = world.publish(app, "application", {"k": "v"})

    for target in (configs(app), files(app), files(app, form="json"), files(app, form="raw")):
        assert wire.get(target + query).status == 200, target
    assert wire.get(configs(app) + query + f"&releaseKey={released.key}").status in (200, 304)


def test_row_13_notification_id__missing__is_zero(world: World, wire: Wire, app: str) -> None:
    released = world.publish(app, "application", {"k": "v"})

    told = wire.get(poll(app, [{"namespaceName": "application"}, {"namespaceName": "never-released"}])).json()

    assert [one["notificationId"] for one in told] == [released.notification_id]


def test_row_13_early_disconnects__of_many_polls__harm_nobody(
    lasting_node: ServerProcess, world: World, wire: Wire, app: str
) -> None:
    known = world.publish(app, "application", {"k": "1"}).notification_id
    for _ in range(ABANDONED):
        with Wire(lasting_node.port) as leaving:
            leaving.ask(poll(app, {"application": known}))
    with Wire(lasting_node.port) as halfway:
        halfway.send(b"GET /notifications/v2?appId=")
    wire.ask(poll(app, {"application": known}))
    assert wire.silent()

    world.publish(app, "application", {"k": "2"})

    assert wire.receive().status == 200
    assert wire.get(configs(app)).json()["configurations"] == {"k": "2"}
