"""Users, tokens, sign-in and the first start."""

from __future__ import annotations

import asyncio

import pytest

from helicon_server.auth import passwords, tokens
from helicon_server.auth.throttle import Throttle
from helicon_server.domain.actors import ALL_RIGHTS, Right
from helicon_server.domain.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from helicon_server.domain.model import Token
from helicon_server.services import demo, people, sign_in
from helicon_server.services.bootstrap import FirstStart, bootstrap
from helicon_server.services.environments import list_environments
from helicon_server.services.people import NewToken
from helicon_server.storage.contract import Storage
from helicon_server.storage.memory import MemoryDatabase
from tests.unit.services.world import World

PASSWORD = "correct horse battery"


async def token(world: World, name: str, *rights: Right) -> Token:
    async with world.database.write() as tx:
        made, _ = await people.create_token(tx, world.caller(), NewToken(name, frozenset(rights)))
    return made


async def test_token__is_stored_as_a_hash_only(world: World) -> None:
    """Who reads the database cannot use it."""
    async with world.database.write() as tx:
        made, secret = await people.create_token(tx, world.caller(), NewToken("ci", frozenset({Right.VIEW})))
    assert made.sha256 == tokens.sha256_of(secret)
    assert secret not in repr(world.committed)
    assert made.prefix == secret[:8]


async def test_token__bad__is_refused(world: World) -> None:
    """No right, an end in the past, a name that could not stand in a URL."""
    manager = world.caller()
    for new, code in (
        (NewToken("t", frozenset()), "no_rights"),
        (NewToken("t", ALL_RIGHTS, world.now), "expires_in_the_past"),
        (NewToken("a b", ALL_RIGHTS), "invalid_token_name"),
        (NewToken("../x", ALL_RIGHTS), "invalid_token_name"),
    ):
        with pytest.raises(InvalidInput) as refused:
            async with world.database.write() as tx:
                await people.create_token(tx, manager, new)
        assert refused.value.code == code


async def test_token__with_more_rights_than_its_maker__is_refused(world: World) -> None:
    """The right to manage is not every right."""
    before = world.committed
    new = NewToken("t", frozenset({Right.MANAGE, Right.PUBLISH}))
    with pytest.raises(Forbidden) as refused:
        async with world.database.write() as tx:
            await people.create_token(tx, world.caller(Right.MANAGE), new)
    assert refused.value.details == {"right": "publish"}
    assert world.committed is before


async def test_token__name_in_use__is_free_again_behind_its_revocation(world: World) -> None:
    """A rotated token keeps its name."""
    await token(world, "ci", Right.VIEW)
    with pytest.raises(Conflict):
        await token(world, "ci", Right.VIEW)
    async with world.database.write() as tx:
        await people.revoke_token(tx, world.caller(), "ci")
    assert (await token(world, "ci", Right.VIEW)).revoked_at is None


class SignIns:
    """Sign-ins of one user, with a fake clock and a cheap password check."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.seconds = 0.0
        self.checked = 0
        self.throttle = Throttle(lambda: self.seconds)
        monkeypatch.setattr(passwords, "verify_password", self._verify)

    async def _verify(self, stored_hash: str | None, password: str) -> bool:
        self.checked += 1
        await asyncio.sleep(0)
        return stored_hash is not None and password == PASSWORD

    async def __call__(self, password: str, user: str = "ana", database: MemoryDatabase | None = None) -> str:
        """Tries; returns what came of it, the name of a token or a code."""
        try:
            made, _ = await sign_in.sign_in(
                database or self.world.database, self.throttle, self.world.caller(), user, password
            )
        except (Unauthenticated, TooManyRequests, Unavailable) as error:
            return error.code
        return made.name


@pytest.fixture
async def sign_ins(world: World, monkeypatch: pytest.MonkeyPatch) -> SignIns:
    async with world.database.write() as tx:
        await people.create_user(tx, world.caller(), "ana", PASSWORD)
    return SignIns(world, monkeypatch)


async def test_sign_in__right_password__gives_a_token_of_the_user_for_some_hours(sign_ins: SignIns) -> None:
    """Each time another one, so that they end apart."""
    names = {await sign_ins(PASSWORD) for _ in range(3)}
    assert len(names) == 3
    async with sign_ins.world.database.read() as tx:
        made = await people.list_tokens(tx, sign_ins.world.caller())
    assert {t.name for t in made} == names
    assert {t.expires_at for t in made} == {sign_ins.world.now + sign_in.LIFETIME}
    assert all(t.name.startswith("ana@") and t.rights == ALL_RIGHTS and t.created_by == "user:ana" for t in made)


async def test_sign_in__wrong_again_and_again__is_refused_unchecked_and_then_free_again(sign_ins: SignIns) -> None:
    """While the delay lasts not even the right password is looked at; behind it the right one works."""
    assert [await sign_ins("wrong") for _ in range(5)] == ["sign_in_failed"] * 5
    assert await sign_ins(PASSWORD) == "sign_in_throttled"
    assert sign_ins.checked == 5
    sign_ins.seconds += 61
    assert (await sign_ins(PASSWORD)).startswith("ana@")
    assert [await sign_ins("wrong") for _ in range(5)] == ["sign_in_failed"] * 5


async def test_sign_in__a_thousand_guesses_at_once__are_no_thousand_free_ones(sign_ins: SignIns) -> None:
    """A try counts from its beginning."""
    outcomes = await asyncio.gather(*(sign_ins("wrong") for _ in range(1000)))
    assert outcomes.count("sign_in_failed") == sign_ins.checked == 5
    assert outcomes.count("sign_in_throttled") == 995


async def test_sign_in__many_users_guessed_from_one_address__is_slowed_down_too(sign_ins: SignIns) -> None:
    """One password tried on every user of a list."""
    outcomes = [await sign_ins("wrong", f"user{n}") for n in range(200)]
    assert outcomes.count("sign_in_failed") == sign_in.FREE_FAILURES_OF_A_PEER
    assert outcomes[-1] == "sign_in_throttled"


async def test_sign_in__many_people_behind_one_address__are_not_slowed_down(sign_ins: SignIns) -> None:
    """Whoever succeeds has not failed: an office or a busy script is no guesser."""
    for _ in range(300):
        assert (await sign_ins(PASSWORD)).startswith("ana@")


async def test_sign_in__own_success__does_not_wipe_the_slate_of_an_address(sign_ins: SignIns) -> None:
    """A guesser with an account of its own gains nothing by using it between guesses."""
    outcomes = []
    for n in range(200):
        outcomes.append(await sign_ins("wrong", f"user{n}"))
        await sign_ins(PASSWORD)
    assert outcomes.count("sign_in_failed") == sign_in.FREE_FAILURES_OF_A_PEER


async def test_sign_in__database_away__counts_for_nobody(sign_ins: SignIns, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage must not lock people out behind it."""

    class Away(MemoryDatabase):
        def read(self) -> object:  # type: ignore[override]  # it never yields a transaction
            raise Unavailable("away")

    for _ in range(20):
        assert await sign_ins(PASSWORD, database=Away()) == "database_unavailable"
    assert (await sign_ins(PASSWORD)).startswith("ana@")


# --- first start ------------------------------------------------------------------------------------


def installed(database: MemoryDatabase, **dedicated: MemoryDatabase) -> Storage:
    return Storage(database, database, dedicated, database.close)


async def names(storage: Storage, world: World) -> list[str]:
    return [e.name for e in await list_environments(storage, world.caller())]


async def test_bootstrap__empty_database__gets_environments_and_an_administrator(world: World) -> None:
    """In the order of the setting; the password is returned once and works."""
    storage = installed(MemoryDatabase())
    password = await bootstrap(storage, FirstStart(["DEV", "PRO"], None, None))
    assert password is not None
    assert await names(storage, world) == ["DEV", "PRO"]
    async with storage.control.read() as tx:
        (admin,) = await tx.users.list()
        assert not await tx.tokens.any()
    assert (admin.name, admin.rights) == ("admin", ALL_RIGHTS)
    assert await passwords.verify_password(admin.password_hash, password)
    assert await bootstrap(storage, FirstStart(["DEV", "PRO", "MORE"], None, None)) is None
    assert await names(storage, world) == ["DEV", "PRO"]


async def test_bootstrap__given_password_and_token__are_used_once(world: World) -> None:
    """And never for a database that has a user or a token."""
    storage = installed(MemoryDatabase())
    assert await bootstrap(storage, FirstStart(["DEV"], PASSWORD, "first-token")) is None
    assert await bootstrap(storage, FirstStart(["DEV"], "another password", "another-token")) is None
    async with storage.control.read() as tx:
        (admin,) = await tx.users.list()
        (only,) = await tx.tokens.list()
    assert await passwords.verify_password(admin.password_hash, PASSWORD)
    assert (only.sha256, only.prefix, only.rights) == (tokens.sha256_of("first-token"), "", ALL_RIGHTS)


async def test_bootstrap__database_with_users_of_other_names__gets_no_administrator(world: World) -> None:
    """Whoever removed `admin` on purpose does not get it back with a password that stands in a variable."""
    storage = installed(MemoryDatabase())
    async with storage.control.write() as tx:
        await people.create_user(tx, world.caller(), "ana", PASSWORD)
    assert await bootstrap(storage, FirstStart(["DEV"], "another password", None)) is None
    async with storage.control.read() as reading:
        assert [user.name for user in await reading.users.list()] == ["ana"]


async def test_bootstrap__by_several_nodes_at_once__is_done_once(world: World) -> None:
    """Exactly one of them shows the password that works."""
    storage = installed(MemoryDatabase())
    first = FirstStart(["DEV", "PRO"], None, "token")
    shown = [p for p in await asyncio.gather(*(bootstrap(storage, first) for _ in range(3))) if p is not None]
    assert await names(storage, world) == ["DEV", "PRO"]
    async with storage.control.read() as tx:
        (admin,) = await tx.users.list()
        assert len(await tx.tokens.list()) == 1
    assert len(shown) == 1
    assert await passwords.verify_password(admin.password_hash, shown[0])


async def test_bootstrap__environment_with_its_own_database__is_made_there_also_later(world: World) -> None:
    """It is named by an address, so that it must exist where the address leads."""
    main, pro = MemoryDatabase(), MemoryDatabase("PRO")
    await bootstrap(installed(main), FirstStart(["DEV"], PASSWORD, None))
    storage = installed(main, PRO=pro)
    await bootstrap(storage, FirstStart(["DEV", "PRO"], PASSWORD, None))
    async with main.read() as tx:
        assert [e.name for e in await tx.environments.list()] == ["DEV"]
    async with pro.read() as tx:
        assert [e.name for e in await tx.environments.list()] == ["PRO"]


async def test_demo__empty_installation__gets_a_published_app_once(world: World) -> None:
    """Not where an app exists already, and by one of several nodes."""
    storage = installed(MemoryDatabase())
    await bootstrap(storage, FirstStart(["DEV"], PASSWORD, None))
    loaded = await asyncio.gather(*(demo.load(storage, world.caller(), "DEV") for _ in range(3)))
    assert sorted(loaded) == [False, False, True]
    async with storage.main.read() as tx:
        live = await tx.namespaces.live()
    assert {release.ref.app for release in live} == {demo.APP}
    assert len(live) == 2
    assert not await demo.load(world.storage, world.caller(), "DEV")
