"""Access keys against real nodes: who is let in, by which path, and what a recording is worth.

Apollo client protocol, section 11; faults F3 and F6.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.delivery.guarded import (
    APP,
    FOLLOWS_S,
    OTHER_SECRET,
    READ,
    SECRET,
    SURFACES,
    UNSIGNED,
    VALUE,
    WRONG,
    Guarded,
    ask,
    ask_signed,
    poll_of,
    signed,
)
from tests.support.management import Management
from tests.support.server import Servers
from tests.support.wait import wait_until


@pytest.fixture(scope="module")
def enforced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A node on which the app's clients must sign; no test changes it."""
    servers = Servers(tmp_path_factory.mktemp("enforced"))
    try:
        guarded = Guarded(servers.start())
        with Management(guarded.node.url, environment="PRO") as production:
            production.create_namespace(APP, "application")
            production.release(APP, "application", f"greeting = {VALUE}\n")
        guarded.create("filter", OTHER_SECRET, environment="PRO")
        guarded.enforce()
        wait_until(lambda: ask(guarded.node, f"/envs/PRO{READ}").status == 401, FOLLOWS_S, "key of PRO")
        yield guarded
    finally:
        servers.close()


@pytest.mark.parametrize("target", SURFACES)
def test_request__signed_with_the_key__is_answered(enforced: Guarded, target: str) -> None:
    answer = ask_signed(enforced.node, target)
    assert answer.status == 200
    assert VALUE.encode() in answer.body or b"notificationId" in answer.body


@pytest.mark.parametrize("target", SURFACES)
def test_request__not_signed_or_with_a_wrong_secret__is_refused_and_told_nothing(
    enforced: Guarded, target: str
) -> None:
    """The same refusal for what exists and what does not."""
    absent = target.replace("application", "absent")
    for answer in (ask(enforced.node, target), ask(enforced.node, absent)):
        assert answer.verdict == UNSIGNED
    for secret in (OTHER_SECRET, SECRET[:-1], SECRET.upper(), ""):
        for where in (target, absent):
            assert ask_signed(enforced.node, where, secret).verdict == WRONG


@pytest.mark.parametrize("target", ["/services/config", "/services/meta", "/health", "/health/ready"])
def test_discovery_and_health__need_no_signature(enforced: Guarded, target: str) -> None:
    """Section 11.1: they tell where servers are, and nothing of an app."""
    assert ask(enforced.node, target).status == 200


ALIASES = [
    "/configs/SHOP/default/application",
    "/configs/%73hop/default/application",
    "/configs/%73%68%6F%70/default/application",
    "/configs/%53hop/DEFAULT/application.properties",
    "/configs/shop/default/APPLICATION?ip=10.0.0.1&releaseKey=x",
    "/configs/shop/default/application?releaseKey=-1&messages=%7B%22details%22%3A%7B%7D%7D",
    "/configfiles/Shop/default/application",
    "/configfiles/%73hop/default/application",
    "/configfiles/json/SHOP/default/application",
    "/configfiles/raw/SHOP/default/application",
    "/configfiles/raw/%73hop/default/application",
    "/envs/DEV/configs/shop/default/application",
    "/envs/dev/configs/shop/default/application",
    "/envs/%44EV/configs/shop/default/application",
    "/envs/dev/configfiles/raw/SHOP/default/application",
    "/notifications?appId=%73hop&cluster=default&namespace=application&notificationId=-1",
    "/notifications?%61ppId=shop&cluster=default&namespace=application&notificationId=-1",
    "/envs/dev/notifications?appId=shop&cluster=default&namespace=application&notificationId=-1",
    poll_of(app="SHOP"),
    poll_of(app="%73hop"),
    "/envs/DEV" + poll_of(),
]


@pytest.mark.parametrize("target", ALIASES)
def test_f3_alias__of_a_guarded_path__meets_the_same_decision(enforced: Guarded, target: str) -> None:
    """Fault F3: other letter case, percent-encoding, short and long path, prefix. Signed as it was sent it passes."""
    assert ask(enforced.node, target).verdict == UNSIGNED
    assert ask_signed(enforced.node, target, OTHER_SECRET).verdict == WRONG
    assert ask_signed(enforced.node, target).status == 200


def test_f3_alias__of_the_legacy_poll_in_other_case__is_guarded_alike(enforced: Guarded) -> None:
    """It takes names as they are, so that nothing wakes this one; nobody may wait on it unsigned nevertheless."""
    target = "/notifications?appId=SHOP&cluster=default&namespace=application&notificationId=-1"
    assert ask(enforced.node, target).verdict == UNSIGNED
    assert ask_signed(enforced.node, target, OTHER_SECRET).verdict == WRONG


@pytest.mark.parametrize("target", [alias for alias in ALIASES if "%" in alias])
def test_f3_alias__signed_in_its_canonical_spelling__is_refused(enforced: Guarded, target: str) -> None:
    """What is signed is the raw target: never decoded, so that nothing can stand between two spellings."""
    canonical = target.replace("%73%68%6F%70", "shop").replace("%73", "s").replace("%44", "D").replace("%61", "a")
    if canonical == target:
        canonical = target.replace("%", "%25")
    assert ask_signed(enforced.node, target, of=canonical).verdict == WRONG


@pytest.mark.parametrize(
    "target",
    [
        "//configs/shop/default/application",
        "/configs//shop/default/application",
        "/./configs/shop/default/application",
        "/x/../configs/shop/default/application",
        "/configs;x=1/shop/default/application",
        "/configs/shop;x=1/default/application",
        "/configs/shop/default/application/",
        "/configs/shop%2Fdefault/application",
        "/configs/x%2F..%2Fshop/default/application",
        "/configs/shop%00/default/application",
        "/configs/shop./default/application",
        "/configs/shop%20/default/application",
        "/configs/%20shop/default/application",
        "/configs/shop%E2%80%8B/default/application",
        "/configs/%EF%BD%93hop/default/application",
        "/configs/raw/shop/default/application",
        "/configfiles/json/raw/shop/default/application",
        "/configfiles/RAW/shop/default/application",
        "/Configs/shop/default/application",
        "/envs/DEV/envs/DEV/configs/shop/default/application",
        "/envs//configs/shop/default/application",
        "/notifications/?appId=shop&cluster=default&namespace=application&notificationId=-1",
        "/notifications/v2/?appId=shop&cluster=default&notifications=%5B%5D",
        "/notifications?appId=shop%20&cluster=default&namespace=application&notificationId=-1",
        "/notifications?appId=&appId=shop&cluster=default&namespace=application&notificationId=-1",
        "/notifications?appId=shop&appId=x&cluster=default&namespace=application&notificationId=-1",
        "http://node/configs/shop/default/application",
        "/configs/shop/default/application%3Fappid=x",
    ],
)
def test_f3_other_spelling__never_leads_to_the_value(enforced: Guarded, target: str) -> None:
    """Fault F3, and F5: what is no name of the app is not found or not understood, and never answered as if it were."""
    answer = ask(enforced.node, target)
    assert answer.status in (400, 401, 404), answer
    assert VALUE.encode() not in answer.body


@pytest.mark.parametrize(
    "header",
    [
        "Authorization: Basic dXNlcjo=",
        f"Authorization: Apollo {APP}:",
        f"Authorization: Bearer {SECRET}",
        f"Authorization: Apollo {APP}:{SECRET}",
        "X-Forwarded-For: 127.0.0.1",
        "X-Original-URL: /health",
        "User-Agent: helicon-server",
    ],
)
def test_header__that_is_no_signature__opens_nothing(enforced: Guarded, header: str) -> None:
    fresh = signed(READ)[1]
    assert fresh.startswith("Timestamp: ")
    assert ask(enforced.node, READ, header).verdict == UNSIGNED
    assert ask(enforced.node, READ, fresh, header).verdict == WRONG


def test_environments__keys_are_their_own(enforced: Guarded) -> None:
    """The prefix leads to another world of keys, and is part of what is signed."""
    pro = f"/envs/PRO{READ}"
    assert ask_signed(enforced.node, pro, OTHER_SECRET).status == 200
    assert ask_signed(enforced.node, pro, SECRET).verdict == WRONG
    assert ask_signed(enforced.node, READ, OTHER_SECRET).verdict == WRONG
    assert ask_signed(enforced.node, pro, OTHER_SECRET, of=READ).verdict == WRONG


def test_public_namespace__is_guarded_by_the_key_of_who_asks(enforced: Guarded) -> None:
    """Section 11.3: the owner's key is irrelevant to consumers."""
    with Management(enforced.node.url) as management:
        management.create_app("consumer")
        management.create_namespace(APP, "shared", public=True)
        published = management.release(APP, "shared", f"greeting = {VALUE}\n")
    theirs, ours = "/configs/consumer/default/shared", f"/configs/{APP}/default/shared"
    wait_until(
        lambda: published.release_key.encode() in ask(enforced.node, theirs).body, FOLLOWS_S, "release to the consumer"
    )
    assert ask(enforced.node, ours).verdict == UNSIGNED
    assert ask_signed(enforced.node, ours).status == 200


# --- F6: what a recorded request is worth ---------------------------------------------------------


def test_f6_replay__within_the_tolerance__is_answered_again(enforced: Guarded) -> None:
    """Fault F6: a bounded window and no nonce, as Apollo's clients need; a repeated request only reads."""
    headers = signed(READ)
    assert [ask(enforced.node, READ, *headers).status for _ in range(3)] == [200] * 3


@pytest.mark.parametrize("age_s", [60, 300, 86_400, -60.5, -300, -86_400])
def test_f6_replay_or_clock__beyond_the_tolerance__is_refused(enforced: Guarded, age_s: float) -> None:
    """60 seconds, to the past and to the future, the end not included."""
    margin = -10 if age_s < 0 else 0  # time goes on while the request travels
    assert ask_signed(enforced.node, READ, age_s=age_s + margin).verdict == UNSIGNED


@pytest.mark.parametrize("age_s", [30, -55])
def test_f6_clock__off_by_less_than_the_tolerance__is_answered(enforced: Guarded, age_s: float) -> None:
    assert ask_signed(enforced.node, READ, age_s=age_s).status == 200


QUERY = READ + "?ip=10.0.0.1&label=blue&releaseKey=x"


@pytest.mark.parametrize(
    "sent",
    [
        READ + "?label=blue&ip=10.0.0.1&releaseKey=x",
        READ + "?ip=10.0.0.2&label=blue&releaseKey=x",
        READ + "?ip=10.0.0.1&label=blue",
        READ + "?ip=10.0.0.1&label=blue&releaseKey=x&",
        READ + "?&ip=10.0.0.1&label=blue&releaseKey=x",
        READ + "?ip=10.0.0.1&label=bl%75e&releaseKey=x",
        READ,
        READ + ".json?ip=10.0.0.1&label=blue&releaseKey=x",
        "/envs/DEV" + QUERY,
        f"/configfiles/{APP}/default/application?ip=10.0.0.1&label=blue&releaseKey=x",
    ],
)
def test_f6_recording__changed_in_any_way__is_refused(enforced: Guarded, sent: str) -> None:
    """Another order, another value, one parameter less: each is another signature."""
    assert ask_signed(enforced.node, QUERY).status == 200
    assert ask_signed(enforced.node, sent, of=QUERY).verdict == WRONG


def test_f6_recording__with_a_newer_timestamp__is_refused(enforced: Guarded) -> None:
    """The timestamp is signed with the rest."""
    authorization, _ = signed(READ, age_s=120)
    _, timestamp = signed(READ)
    assert ask(enforced.node, READ, authorization, timestamp).verdict == WRONG
