"""Access keys: who is let in, on every path (Apollo client protocol, section 11; faults F3 and F6)."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from helicon.protocol.signature import sign
from helicon_server.delivery.access import AppKeys, Signer
from helicon_server.delivery.observed import Notes, Observed
from helicon_server.delivery.outcomes import Answer, Park
from helicon_server.delivery.plane import DeliveryPlane
from helicon_server.domain.access_key import AccessKey, AccessKeyMode
from tests.support.wait import wait_until_async
from tests.unit.delivery.backups import Backup
from tests.unit.delivery.world import CLOCK_S, Client, World, body, configs, header, legacy, poll

SECRET = "9f2c4e6a8b0d4c1e9a7b5d3f1e2c4a6b"
READ = configs("shop", "default", "application")


@pytest.fixture
async def locked(world: World, client: Client) -> None:
    """The app ``shop`` has a release and a key; ``shop-api`` too, for the vectors of the protocol."""
    for app in ("shop", "shop-api"):
        await world.publish(app, "application", {"a": "1"})
        await world.key(app, SECRET)
    await client.seen(world)


def refusal(answer: object) -> str:
    assert isinstance(answer, Answer)
    assert answer.status == 401
    error = body(answer)
    assert error["error"] == "Unauthorized"
    assert error["status"] == 401
    return str(error["code"])


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize(
    ("target", "signature"),
    [
        ("/configs/shop-api/default/application", "TmzGFDk4RCQ5aCjh9mCBHVXfkz0="),
        ("/configs/shop-api/default/application?ip=10.1.2.3", "Bb/93fn1hs6uDjp2AVDRsSUzNo4="),
        ("/configfiles/json/shop-api/default/application?&ip=10.1.2.3&label=", "3bFDCyvX4mR1B9ifRdBLGWTrkl4="),
        (
            (
                "/notifications/v2?appId=shop-api&cluster=default&notifications="
                "%5B%7B%22namespaceName%22%3A%22application%22%2C%22notificationId%22%3A-1%7D%5D"
            ),
            "Z0KqazYYrRsS1/p6WlZSAZKvFAo=",
        ),
    ],
)
async def test_vectors_of_the_protocol__pass(client: Client, target: str, signature: str) -> None:
    """Section 11.3."""
    client.headers = {b"authorization": b"Apollo shop-api:" + signature.encode(), b"timestamp": b"1735689600000"}

    assert (await client.get(target)).status == 200


@pytest.mark.usefixtures("locked")
async def test_scheme_and_app_of_the_header__are_not_looked_at(client: Client) -> None:
    """Section 11.3: the second piece between colons is the signature, whatever stands around it."""
    client.sign(SECRET, READ)
    signature = client.headers[b"authorization"].rpartition(b":")[2]

    client.headers[b"authorization"] = b"anything:" + signature + b":more"

    assert (await client.get(READ)).status == 200


_ALIASES = [
    "/configs/shop/default/application",
    "/configs/SHOP/default/application",
    "/configs/sh%6Fp/default/application",
    "/configs/shop/elsewhere/application.properties",
    "/configs/shop/default/none",
    "/envs/DEV/configs/shop/default/application",
    "/envs/dev/configs/Shop/default/application",
    "/configfiles/shop/default/application",
    "/configfiles/json/shop/default/application",
    "/configfiles/raw/shop/default/application",
    "/configfiles/raw/sHop/default/application",
    "/envs/DEV/configfiles/raw/shop/default/application",
    poll("shop", "default", {"application": -1}),
    poll("Shop", "default", {"application": -1}),
    poll("shop", "default", {"application": 99}),
    "/notifications/v2?appId=shop",
    "/notifications/v2?%61ppId=sh%6fp&cluster=default",
    "/notifications/v2?appId=shop&appId=other&cluster=default",
    "/envs/DEV" + poll("shop", "default", {"application": -1}),
    legacy(appId="shop", cluster="default"),
    legacy(appId="SHOP", cluster="default"),
    legacy(appId="shop"),
    "/envs/DEV" + legacy(appId="shop", cluster="default"),
]


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize("target", _ALIASES)
async def test_f3__unsigned_on_any_path__is_refused_alike(client: Client, target: str) -> None:
    """F3: letter case, escapes, prefixes, the bare poll and the raw files lead to one decision."""
    assert refusal(await client.get(target)) == "request_time_skewed"

    client.headers = {b"timestamp": b"1735689600000", b"authorization": b"Apollo shop:AAAAAAAAAAAAAAAAAAAAAAAAAAA="}
    assert refusal(await client.get(target)) == "invalid_signature"
    assert refusal(await client.get(target, method="HEAD")) == "invalid_signature"


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize("target", _ALIASES)
async def test_f3__signed_on_any_path__is_let_in(client: Client, target: str) -> None:
    """The raw target is what is signed, prefix and escapes included."""
    client.sign(SECRET, target)
    outcome = client.decide(target)

    assert not isinstance(outcome, Answer) or outcome.status != 401


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize("app", ["shop.", "shop%20", "%20shop", "shop%00", "shop%2F", "sho\u212a".encode().hex()])
async def test_f3__another_app_id__never_reads_what_belongs_to_the_app(client: Client, app: str) -> None:
    for surface in ("configs", "configfiles", "configfiles/raw", "configfiles/json"):
        answer = await client.get(f"/{surface}/{app}/default/application")
        assert answer.status in (400, 404), answer.status


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize("app", ["", "a%20b", ".a", "a%2Bb", "%C3%A9"])
@pytest.mark.parametrize("path", ["/notifications", "/notifications/v2"])
async def test_app_id_that_is_none__is_400_with_or_without_keys(client: Client, path: str, app: str) -> None:
    """Section 11.2, step 2."""
    answer = await client.get(f"{path}?appId={app}&cluster=default")

    assert answer.status == 400
    assert body(answer)["code"] == "invalid_app_id"


@pytest.mark.usefixtures("locked")
async def test_f6__query_in_another_order__does_not_fit_the_signature(client: Client) -> None:
    client.sign(SECRET, READ + "?ip=10.1.2.3&label=a")

    assert (await client.get(READ + "?ip=10.1.2.3&label=a")).status == 200
    assert refusal(await client.get(READ + "?label=a&ip=10.1.2.3")) == "invalid_signature"
    assert refusal(await client.get(READ + "?ip=10.1.2.4&label=a")) == "invalid_signature"
    assert refusal(await client.get(READ)) == "invalid_signature"


@pytest.mark.usefixtures("locked")
async def test_empty_query__is_signed_without_its_question_mark(client: Client) -> None:
    """Section 11.3: `?` only if the query is non-empty."""
    client.sign(SECRET, READ)
    assert (await client.get(READ + "?")).status == 200

    client.sign(SECRET, READ + "?a=?")
    assert (await client.get(READ + "?a=?")).status == 200


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize(
    ("off_s", "status"), [(0, 200), (59.999, 200), (-59.999, 200), (60, 401), (-60, 401), (300, 401)]
)
async def test_f6__clock_skew__is_bounded_strictly(client: Client, off_s: float, status: int) -> None:
    """Section 11.2, step 4: strictly below the tolerance. A replay within it is answered."""
    client.sign(SECRET, READ, at_s=CLOCK_S + off_s)

    for _ in range(2):
        answer = await client.get(READ)
        assert answer.status == status
        assert status == 200 or body(answer)["code"] == "request_time_skewed"


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize(
    "timestamp", [b"", b"soon", b"-1735689600000", b"+1735689600000", b"1735689600000.0", b"9" * 400]
)
async def test_timestamp_that_is_no_number__counts_as_0(client: Client, timestamp: bytes) -> None:
    client.sign(SECRET, READ)
    client.headers[b"timestamp"] = timestamp

    assert refusal(await client.get(READ)) == "request_time_skewed"


@pytest.mark.usefixtures("locked")
async def test_remembered_path__is_checked_each_time(client: Client) -> None:
    """The short way answers nobody whom the long way would refuse."""
    client.sign(SECRET, READ)
    assert (await client.get(READ)).status == 200
    assert (await client.get(READ)).status == 200

    client.headers = {}
    assert refusal(await client.get(READ)) == "request_time_skewed"


@pytest.mark.usefixtures("locked")
async def test_several_keys__any_enabled_one_fits(world: World, client: Client) -> None:
    """Section 11.2, step 5."""
    await world.key("Shop", "second")
    await world.key("shop", "disabled", enabled=False)
    await world.key("shop", "observer", mode=AccessKeyMode.OBSERVER)
    await client.seen(world)

    for secret, status in ((SECRET, 200), ("second", 200), ("disabled", 401), ("observer", 401), ("none", 401)):
        client.sign(secret, READ)
        assert (await client.get(READ)).status == status, secret


async def test_no_key__an_authorization_header_is_ignored(world: World, client: Client) -> None:
    """Clients, section 3: some always send one; very old ones send Basic."""
    await world.publish("shop", "application", {"a": "1"})
    await world.key("shop", SECRET, enabled=False)
    await client.seen(world)

    for authorization in (b"Apollo shop:wrong", b"Basic dXNlcjpwYXNz", b"\xff"):
        client.headers = {b"authorization": authorization}
        assert (await client.get(READ)).status == 200


async def test_key__is_of_one_environment(world: World, client: Client) -> None:
    await world.publish("shop", "application", {"a": "1"}, environment="PRO")
    await world.key("shop", SECRET, environment="DEV")
    await client.seen(world)

    assert (await client.get("/envs/PRO" + READ)).status == 200
    assert refusal(await client.get(READ))


async def test_owner_of_a_public_namespace__protects_itself_only(world: World, client: Client) -> None:
    """Section 11.3: the requesting app's key counts."""
    await world.define("base", "common", public=True)
    await world.publish("base", "common", {"a": "1"})
    await world.key("base", SECRET)
    await client.seen(world)

    assert (await client.get(configs("shop", "default", "common"))).status == 200
    assert refusal(await client.get(configs("base", "default", "common")))


async def test_placeholder_app__is_an_app_like_any_other(world: World, client: Client) -> None:
    await world.key("ApolloNoAppIdPlaceHolder", SECRET)
    await client.seen(world)

    assert refusal(await client.get(configs("apollonoappidplaceholder", "default", "application")))


async def test_observer_key__notes_and_lets_pass(world: World, client: Client) -> None:
    """Section 11.2, step 6. The note tells neither secret nor signature, and comes once for many."""
    await world.publish("shop", "application", {"a": "1"})
    await world.key("shop", SECRET, mode=AccessKeyMode.OBSERVER)
    await client.seen(world)
    client.headers = {b"authorization": b"Apollo shop:WRONGSIGNATURE", b"timestamp": b"1735689600000"}

    with capture_logs() as logs:
        for _ in range(3):
            assert (await client.get(READ)).status == 200

    (note,) = [each for each in logs if each["event"] == "delivery.access_observed"]
    assert note["app"] == "shop"
    assert note["environment"] == "DEV"
    assert note["code"] == "invalid_signature"
    assert SECRET not in str(logs)
    assert "WRONGSIGNATURE" not in str(logs)


async def test_observer_key__notes_where_each_kind_of_fault_comes_from(world: World, client: Client) -> None:
    """Once a minute for each: one client that signs badly must not hide another that does not sign."""
    await world.publish("shop", "application", {"a": "1"})
    await world.key("shop", SECRET, mode=AccessKeyMode.OBSERVER)
    await client.seen(world)

    with capture_logs() as logs:
        for ip, peer in (("10.0.0.7", "192.0.2.1"), ("10.0.0.8", "192.0.2.2"), ("<script>", "192.0.2.3")):
            if peer == "192.0.2.3":
                client.headers = {b"timestamp": b"1"}
            client.plane.decide("GET", f"{READ}?ip={ip}".encode(), client.headers.get, peer)

    notes = [(each["code"], each["peer"], each["ip"]) for each in logs]
    assert notes == [("unsigned", "192.0.2.1", "10.0.0.7"), ("request_time_skewed", "192.0.2.3", "")]


def test_note__of_a_fault__counts_those_since_the_last_one() -> None:
    clock = [0.0]
    observed, notes = Observed(lambda: clock[0]), Notes()
    with capture_logs() as logs:
        for clock[0] in (0.0, 1.0, 59.0, 60.0, 61.0):
            observed.found(notes, "unsigned", b"/?a=1&ip=2001%3Adb8::1", "192.0.2.1", environment="DEV", app="shop")
    assert [(each["unnoted"], each["ip"]) for each in logs] == [(0, "2001:db8::1"), (2, "2001:db8::1")]
    assert observed.counts == {"unsigned": 5}


async def test_observer_key__says_nothing_of_a_fitting_signature(world: World, client: Client) -> None:
    await world.publish("shop", "application", {"a": "1"})
    await world.key("shop", SECRET, mode=AccessKeyMode.OBSERVER)
    await client.seen(world)
    client.sign(SECRET, READ)

    with capture_logs() as logs:
        assert (await client.get(READ)).status == 200

    assert not logs


async def test_key_that_cannot_be_opened__shuts_its_app(world: World) -> None:
    """Default deny: also beside a key that fits. The log names the key and nothing of its content."""

    def open_secret(key: AccessKey) -> str:
        if key.sealed == "torn":
            raise ValueError("torn")
        return key.sealed

    await world.publish("shop", "application", {"a": "1"})
    await world.key("shop", SECRET)
    await world.key("shop", "torn")
    plane = DeliveryPlane([(world.database, world.bus)], "DEV", open_secret=open_secret, now=lambda: CLOCK_S)
    with capture_logs() as logs:
        await plane.start()
    client = Client(plane)
    client.sign(SECRET, READ)

    assert refusal(await client.get(READ)) == "invalid_signature"
    (note,) = [each for each in logs if each["event"] == "delivery.access_key_unreadable"]
    assert note["app"] == "shop"
    assert "torn" not in str(logs)
    await plane.stop()


async def test_plane_without_a_way_to_open_keys__lets_nobody_of_the_app_in(world: World) -> None:
    await world.publish("shop", "application", {"a": "1"})
    await world.key("shop", SECRET)
    plane = DeliveryPlane([(world.database, world.bus)], "DEV", now=lambda: CLOCK_S)
    await plane.start()
    client = Client(plane)
    client.sign(SECRET, READ)

    assert refusal(await client.get(READ)) == "invalid_signature"
    await plane.stop()


async def test_key_made_later__counts_for_remembered_paths(world: World, client: Client) -> None:
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    assert (await client.get(READ)).status == 200

    key = await world.key("shop", SECRET)
    await client.seen(world)
    assert refusal(await client.get(READ))

    await world.delete_key(key)
    await client.seen(world)
    assert (await client.get(READ)).status == 200


async def test_first_key__lets_held_polls_of_the_app_ask_again(world: World, client: Client) -> None:
    """A poll that would be refused now must not be told of what comes."""
    await world.publish("shop", "application", {"a": "1"})
    await world.publish("other", "application", {"a": "1"})
    await client.seen(world)
    newest = await world.newest_message()
    held = client.hold(poll("Shop", "default", {"application": newest}))
    other = client.hold(poll("other", "default", {"application": newest}))

    await world.key("shop", SECRET)
    await wait_until_async(lambda: held.answer, 5, "the poll to be let go")

    assert held.answer is not None
    assert held.answer.status == 304
    assert other.answer is None


@pytest.mark.usefixtures("locked")
async def test_another_key__leaves_held_polls_alone_until_the_first_one_goes(world: World, client: Client) -> None:
    target = poll("shop", "default", {"application": await world.newest_message()})
    client.sign(SECRET, target)
    held = client.hold(target)

    await world.key("shop", "second")
    await client.seen(world)
    assert not held.answers

    async with world.database.read() as tx:
        first = (await tx.access_keys.list("DEV", "shop"))[0]
    await world.delete_key(first)
    await wait_until_async(lambda: held.answer, 5, "the poll to be let go")
    assert held.answer is not None
    assert held.answer.status == 304


async def test_restored_database__its_keys_count_at_once(world: World, client: Client) -> None:
    """What was locked when the backup was made is locked again, remembered paths and held polls included."""
    await world.publish("shop", "application", {"a": "1"})
    key = await world.key("shop", SECRET)
    backup = Backup(world)
    await world.delete_key(key)
    await client.seen(world)
    assert (await client.get(READ)).status == 200
    held = client.hold(poll("shop", "default", {"application": await world.newest_message()}))

    backup.restore()
    world.bus.hint()
    await wait_until_async(lambda: held.answer, 5, "the poll to be let go")

    assert refusal(await client.get(READ)) == "request_time_skewed"


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize("target", ["/services/config", "/health", "/services/config?appId=shop"])
async def test_discovery_and_health__ask_for_no_signature(client: Client, target: str) -> None:
    """Section 11.1."""
    assert not isinstance(client.decide(target), Answer | Park)


@pytest.mark.usefixtures("locked")
async def test_refusal__shows_no_header_and_no_query(client: Client) -> None:
    client.headers = {b"authorization": b"Apollo shop:SIGNATURE", b"timestamp": b"1735689600000"}
    answer = await client.get(READ + "?token=" + quote("hidden"))

    assert b"SIGNATURE" not in answer.body
    assert b"hidden" not in answer.body
    assert header(answer, b"content-type") == b"application/json;charset=UTF-8"


@given(st.text(max_size=200), st.binary(max_size=300))
@example("s" * 64, b"")
@example("s" * 65, b"")
def test_signer__signs_as_the_wire_does(secret: str, path: bytes) -> None:
    """Secrets of any length: longer ones than a block are hashed first."""
    target = "/" + path.hex()

    assert Signer(secret.encode()).sign(f"1735689600000\n{target}".encode()).decode() == sign(
        secret, 1735689600000, target
    )


def test_keys__show_no_secret() -> None:
    keys = AppKeys("DEV", "shop", (Signer(b"hidden"),), (Signer(b"hidden"),))

    assert "hidden" not in repr(keys)
    assert "hidden" not in repr(keys.filters)
