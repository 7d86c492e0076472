"""A management plane in memory for tests of the use cases: one database, callers with chosen rights, shortcuts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from helicon_server.domain.actors import ALL_RIGHTS, Actor, Origin, Right
from helicon_server.domain.model import AuditEntry, Item, Namespace, ReleaseHead
from helicon_server.domain.names import NamespaceRef
from helicon_server.services import apps, drafts, environments, history, namespaces, publish, rollback
from helicon_server.services.context import Caller, Limits
from helicon_server.services.namespaces import NewNamespace
from helicon_server.services.publish import Target
from helicon_server.services.releasing import Note, Published
from helicon_server.storage.contract import Storage
from helicon_server.storage.memory import MemoryDatabase

ENVIRONMENT = "DEV"
APP = "shop"
VALUE = "v-that-no-audit-may-show"
NOW = datetime(2025, 1, 1, 12, tzinfo=UTC)


class World:
    """An environment with an app; time stands still unless a test moves it."""

    def __init__(self) -> None:
        self.hints = 0
        self.database = MemoryDatabase(on_messages=self._hint)
        self.now = NOW
        self.limits = Limits()

    def _hint(self) -> None:
        self.hints += 1

    @property
    def storage(self) -> Storage:
        """The database as an installation of one database."""
        return Storage(self.database, self.database, {}, self.database.close)

    @property
    def committed(self) -> object:
        """What is committed; the same object as long as no write succeeds."""
        return self.database._committed

    def caller(self, *rights: Right, name: str = "token:ci") -> Caller:
        """Somebody with these rights, or with all of them when none is named."""
        actor = Actor(name, frozenset(rights) or ALL_RIGHTS)
        return Caller(actor, Origin("request-1", "192.0.2.7"), self.limits, self.now)

    def later(self, **units: float) -> None:
        """Lets time pass."""
        self.now += timedelta(**units)

    async def prepare(self) -> None:
        """Makes the environment and the app."""
        async with self.database.write() as tx:
            await environments.create_environment(tx, self.caller(), ENVIRONMENT)
            await apps.create_app(tx, self.caller(), app_id=APP, name="Shop")

    async def namespace(self, name: str = "application", text: str | None = None, app: str = APP) -> NamespaceRef:
        """Makes a namespace whose draft reads ``text``."""
        async with self.database.write() as tx:
            made = await namespaces.create_namespace(tx, self.caller(), ENVIRONMENT, app, NewNamespace(name))
        ref = NamespaceRef(ENVIRONMENT, app, "default", made.name)
        if text is not None:
            await self.write(ref, text)
        return ref

    async def write(
        self, ref: NamespaceRef, text: str, *, seen: int | None = None, by: Caller | None = None
    ) -> Namespace:
        """Makes a draft read ``text``, seen as it is now unless told otherwise."""
        caller = by or self.caller()
        revision = (await self.get(ref)).revision if seen is None else seen
        checked = await drafts.checked_text(caller, ref, text)
        async with self.database.write() as tx:
            return await drafts.write_text(tx, caller, ref, checked, seen=revision)

    async def publish(
        self, *refs: NamespaceRef, note: Note | None = None, by: Caller | None = None, **seen: int
    ) -> Sequence[Published]:
        """Publishes namespaces as they are now; ``seen`` names another revision by the name of a namespace."""
        targets = [Target(ref, seen.get(ref.namespace, (await self.get(ref)).revision)) for ref in refs]
        return await self.publish_targets(targets, by or self.caller(), note or Note())

    async def publish_targets(
        self, targets: Sequence[Target], caller: Caller, note: Note, environment: str = ENVIRONMENT
    ) -> Sequence[Published]:
        reviewed = await publish.review(self.database, caller, targets)
        async with self.database.write() as tx:
            return await publish.publish(tx, caller, environment, reviewed, note)

    async def release(self, ref: NamespaceRef, text: str) -> int:
        """Writes and publishes ``text``; returns the id of the release."""
        await self.write(ref, text)
        (published,) = await self.publish(ref)
        return published.release_id

    async def rollback(
        self, ref: NamespaceRef, *, to: int, live: int, note: Note | None = None, by: Caller | None = None
    ) -> Published:
        async with self.database.write() as tx:
            return await rollback.rollback(tx, by or self.caller(), ref, to=to, seen_live=live, note=note or Note())

    async def get(self, ref: NamespaceRef) -> Namespace:
        async with self.database.read() as tx:
            return await namespaces.get_namespace(tx, self.caller(), ref)

    async def text(self, ref: NamespaceRef) -> str:
        async with self.database.read() as tx:
            _, text = await drafts.read_text(tx, self.caller(), ref)
        return text

    async def items(self, ref: NamespaceRef) -> Sequence[Item]:
        async with self.database.read() as tx:
            _, items = await drafts.read_items(tx, self.caller(), ref)
        return items

    async def releases(self, ref: NamespaceRef) -> Sequence[ReleaseHead]:
        async with self.database.read() as tx:
            _, heads = await history.list_releases(tx, self.caller(), ref, before_id=None, limit=100)
        return heads

    async def content(self, ref: NamespaceRef, release_id: int) -> dict[str, str]:
        async with self.database.read() as tx:
            _, release = await history.get_release(tx, self.caller(), ref, release_id)
        return dict(release.configurations)

    async def audit(self, environment: str = ENVIRONMENT) -> list[AuditEntry]:
        """All entries of an environment, or with "" those of apps, people and tokens; oldest first."""
        async with self.database.read() as tx:
            return list(reversed(await tx.audit.list(environment=environment, before_id=None, limit=1000)))


def limited(caller: Caller, **limits: int) -> Caller:
    """A caller with other bounds."""
    return replace(caller, limits=replace(caller.limits, **limits))
