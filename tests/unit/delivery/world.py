"""A small world for delivery tests: one in-memory database, a bus that can be muted, and shortcuts to publish."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote, quote_plus

from helicon.protocol.signature import headers as signature_headers
from helicon_server.delivery.hub import Waiter
from helicon_server.delivery.options import DeliveryOptions
from helicon_server.delivery.outcomes import Answer, Defer, Outcome, Park
from helicon_server.delivery.plane import DeliveryPlane
from helicon_server.domain.access_key import AccessKey, AccessKeyMode
from helicon_server.domain.errors import Unavailable
from helicon_server.domain.formats import Format
from helicon_server.domain.gray import GrayBranch, GrayRule
from helicon_server.domain.model import (
    Environment,
    MessageKind,
    Namespace,
    NamespaceDefinition,
    Operation,
    Release,
    ReleaseHead,
)
from helicon_server.domain.names import NamespaceRef
from helicon_server.domain.release import content_sha256, content_size
from helicon_server.storage.contract import ConfigDatabase, ConfigRead, ConfigWrite
from helicon_server.storage.memory import MemoryDatabase
from tests.support.wait import wait_until_async

NOW = datetime(2025, 1, 1, 8, 0, tzinfo=UTC)
CLOCK_S = 1735689600.0  # the timestamp of the protocol's test vectors
_NUMBERS = itertools.count(1)  # for release keys: no two are alike, whichever world writes them
QUICK = DeliveryOptions(hold_s=60.0, sweep_s=60.0, warm_up=False)
"""No timer does anything within a test: what happens, a hint or a request has caused."""


class ManualBus:
    """A bus that delivers hints at once, or not at all while ``muted``."""

    def __init__(self) -> None:
        self.muted = False
        self.started = self.stopped = False
        self._on_hint: Callable[[], None] | None = None

    async def start(self, on_hint: Callable[[], None]) -> None:
        self.started = True
        self._on_hint = on_hint

    def hint(self) -> None:
        if self._on_hint is not None and not self.muted:
            self._on_hint()

    async def stop(self) -> None:
        self.stopped = True
        self._on_hint = None


class FlakyDatabase:
    """A database whose reads fail while ``away``; notes when it was read (loop time, in seconds)."""

    def __init__(self, database: ConfigDatabase) -> None:
        self._database = database
        self.away = False
        self.read_at: list[float] = []

    @property
    def name(self) -> str:
        return self._database.name

    @property
    def reads(self) -> int:
        """How often it was read."""
        return len(self.read_at)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ConfigRead]:
        self.read_at.append(asyncio.get_running_loop().time())
        self._check()
        async with self._database.read() as tx:
            yield tx
            self._check()

    peek = read

    @asynccontextmanager
    async def write(self) -> AsyncIterator[ConfigWrite]:
        async with self._database.write() as tx:
            yield tx

    def _check(self) -> None:
        if self.away:
            raise Unavailable("The database does not answer.", details={"reason": "refused"})


class World:
    """Writes what the management plane would write, with as little ceremony as a test wants."""

    def __init__(self, name: str = "main", database: ConfigDatabase | None = None) -> None:
        """Works on a database in memory unless another one is given."""
        self.bus = ManualBus()
        self.released_at = "20250101080000"  # what the keys of the next releases begin with
        self.clock_s = CLOCK_S  # what planes take for now, in seconds since the epoch
        self.database = FlakyDatabase(database or MemoryDatabase(name=name, on_messages=self.bus.hint))

    def plane(self, options: DeliveryOptions = QUICK, default: str = "DEV") -> DeliveryPlane:
        """A plane over this world, not started."""
        return DeliveryPlane(
            [(self.database, self.bus)],
            default,
            options,
            open_secret=lambda key: key.sealed,
            now=lambda: self.clock_s,
        )

    async def environments(self, *names: str) -> None:
        async with self.database.write() as tx:
            for position, name in enumerate(names):
                await tx.environments.insert(Environment(name, position, NOW))
            await tx.messages.append(MessageKind.ENVIRONMENT, [NamespaceRef(name, "", "", "") for name in names])

    async def environments_more(self, name: str) -> None:
        """Creates one environment behind those that are there."""
        async with self.database.write() as tx:
            await tx.environments.insert(Environment(name, 99, NOW))
            await tx.messages.append(MessageKind.ENVIRONMENT, [NamespaceRef(name, "", "", "")])

    async def define(self, app: str, name: str, *, public: bool = False, environment: str = "DEV") -> None:
        async with self.database.write() as tx:
            format_ = Format.of_namespace(name)
            definition = NamespaceDefinition(environment, app, name, format_, public, "", NOW, "test")
            await tx.definitions.insert(definition)
            await tx.messages.append(MessageKind.DEFINITION, [NamespaceRef(environment, app, "", name)])

    async def publish(
        self,
        app: str,
        namespace: str,
        configurations: Mapping[str, str],
        *,
        cluster: str = "default",
        environment: str = "DEV",
    ) -> Release:
        """Makes a release; the namespace appears with its first one."""
        ref = NamespaceRef(environment, app, cluster, namespace)
        return (await self.publish_together({ref: configurations}))[0]

    async def publish_together(self, contents: Mapping[NamespaceRef, Mapping[str, str]]) -> list[Release]:
        """Makes several releases in one transaction."""
        async with self.database.write() as tx:
            changed = [await self._release(tx, ref, content) for ref, content in contents.items()]
            ids = await tx.messages.append(MessageKind.RELEASE, [namespace.ref for namespace, _ in changed])
            for (namespace, release), message_id in zip(changed, ids, strict=True):
                await tx.namespaces.touch(replace(namespace, release_id=release.head.id, message_id=message_id))
        return [release for _, release in changed]

    async def branch(
        self,
        app: str,
        namespace: str,
        configurations: Mapping[str, str],
        *rules: GrayRule,
        cluster: str = "default",
        priority: int = 0,
        environment: str = "DEV",
    ) -> GrayBranch:
        """Publishes a branch with a complete content; the namespace must exist."""
        ref = NamespaceRef(environment, app, cluster, namespace)
        name = f"20250101080000-{next(_NUMBERS):016x}"
        async with self.database.write() as tx:
            namespace_, release = await self._release(tx, ref, configurations, branch=name)
            made = GrayBranch(
                id=0,
                ref=namespace_.ref,
                name=name,
                title="",
                priority=priority,
                rules=rules,
                overlay=configurations,
                removed=(),
                release_id=release.head.id,
                revision=1,
                created_at=NOW,
                created_by="test",
                updated_at=NOW,
                updated_by="test",
            )
            stored = await tx.branches.insert(made)
            await self._announce(tx, namespace_)
        return stored

    async def change_branch(self, branch: GrayBranch) -> None:
        """Stores a branch anew."""
        async with self.database.write() as tx:
            await tx.branches.update(branch)
            (namespace,) = await tx.namespaces.lock([branch.ref])
            assert namespace is not None
            await self._announce(tx, namespace)

    async def delete_branch(self, branch: GrayBranch) -> None:
        async with self.database.write() as tx:
            await tx.branches.delete(branch.id)
            (namespace,) = await tx.namespaces.lock([branch.ref])
            assert namespace is not None
            await self._announce(tx, namespace)

    async def lose_release(self, release_id: int) -> None:
        """Makes a release's content disappear, which no part of the server does."""
        database = self.database._database
        assert isinstance(database, MemoryDatabase)
        del database._committed.releases[release_id]

    async def inherit(self, app: str, namespace: str, *, cluster: str, inherits: bool = True) -> None:
        """Lays a cluster's namespace over that of ``default``, or no more."""
        async with self.database.write() as tx:
            (found,) = await tx.namespaces.lock([NamespaceRef("DEV", app, cluster, namespace)])
            assert found is not None
            await self._announce(tx, replace(found, inherits=inherits))

    async def incremental(self, environment: str = "DEV", *, enabled: bool = True) -> None:
        async with self.database.write() as tx:
            assert await tx.environments.set_incremental(environment, enabled)
            await tx.messages.append(MessageKind.ENVIRONMENT, [NamespaceRef(environment, "", "", "")])

    async def key(
        self,
        app: str,
        secret: str,
        *,
        mode: AccessKeyMode = AccessKeyMode.FILTER,
        enabled: bool = True,
        environment: str = "DEV",
    ) -> AccessKey:
        """Gives an app an access key."""
        async with self.database.write() as tx:
            made = AccessKey(0, environment, app, f"uid{next(_NUMBERS)}", secret, mode, enabled, NOW, "test")
            stored = await tx.access_keys.insert(made)
            await tx.messages.append(MessageKind.ACCESS_KEY, [NamespaceRef(environment, app, "", "")])
        return stored

    async def delete_key(self, key: AccessKey) -> None:
        async with self.database.write() as tx:
            await tx.access_keys.delete(key.id)
            await tx.messages.append(MessageKind.ACCESS_KEY, [NamespaceRef(key.environment, key.app, "", "")])

    async def newest_message(self) -> int:
        async with self.database.read() as tx:
            return await tx.messages.newest_id()

    async def _announce(self, tx: ConfigWrite, namespace: Namespace) -> None:
        (message_id,) = await tx.messages.append(MessageKind.RELEASE, [namespace.ref])
        await tx.namespaces.touch(replace(namespace, message_id=message_id))

    async def _release(
        self, tx: ConfigWrite, ref: NamespaceRef, content: Mapping[str, str], branch: str | None = None
    ) -> tuple[Namespace, Release]:
        found = await tx.namespaces.get(ref)
        if found is None:
            format_ = Format.of_namespace(ref.namespace)
            made = Namespace(0, ref, format_, 1, None, None, None, NOW, "test")
            found = await tx.namespaces.insert(made)
        (locked,) = await tx.namespaces.lock([found.ref])
        assert locked is not None
        number = next(_NUMBERS)
        head = ReleaseHead(
            id=0,
            key=f"{self.released_at}-{number:016x}",
            ref=found.ref if branch is None else replace(found.ref, cluster=branch),
            namespace_id=found.id,
            operation=Operation.PUBLISH if branch is None else Operation.GRAY,
            title="",
            comment="",
            previous_id=locked.release_id,
            source_id=None,
            draft_revision=locked.revision,
            content_sha256=content_sha256(content),
            size=content_size(content),
            created_at=NOW,
            created_by="test",
        )
        return locked, await tx.releases.insert(Release(head, dict(content)))


class Client:
    """Asks a plane like an HTTP shell would, without HTTP."""

    def __init__(self, plane: DeliveryPlane) -> None:
        self.plane = plane
        self.headers: dict[bytes, bytes] = {}

    def sign(self, secret: str, target: str, *, at_s: float = CLOCK_S, app: str = "shop") -> None:
        """Signs the next requests, which must have this target."""
        signed = signature_headers(app, secret, int(at_s * 1000), target)
        self.headers.update({name.lower().encode(): value.encode() for name, value in signed.items()})

    def decide(self, target: str, method: str = "GET") -> Outcome:
        """The decision alone."""
        return self.plane.decide(method, target.encode(), self.headers.get, "127.0.0.1")

    async def get(self, target: str, method: str = "GET") -> Answer:
        """The answer, after whatever it has to wait for; not for requests that end in a held poll."""
        outcome = self.decide(target, method)
        if isinstance(outcome, Defer):
            outcome = await self.plane.resolve(outcome)
        assert isinstance(outcome, Answer), f"{target} was held"
        return outcome

    async def seen(self, world: World) -> None:
        """Returns when the plane has taken over everything that the world has published."""
        newest = await world.newest_message()
        await wait_until_async(
            lambda: self.plane.health().databases[0].seen_id >= newest, 5, f"message {newest} in the index"
        )

    def hold(self, target: str) -> HeldPoll:
        """Holds a poll that the decision parks."""
        outcome = self.decide(target)
        assert isinstance(outcome, Park), f"{target} was not held: {outcome}"
        return HeldPoll(self.plane, outcome)

    async def hold_after_a_look(self, target: str) -> HeldPoll:
        """Holds a poll that names an id which the plane has not seen: it looks for it first."""
        outcome = self.decide(target)
        assert isinstance(outcome, Defer), f"{target} waits for nothing: {outcome}"
        parked = await self.plane.resolve(outcome)
        assert isinstance(parked, Park), f"{target} was not held: {parked}"
        return HeldPoll(self.plane, parked)


class HeldPoll:
    """A parked poll that remembers its answers: there may never be two."""

    def __init__(self, plane: DeliveryPlane, park: Park) -> None:
        self.answers: list[Answer] = []
        self.waiter = plane.park(park, self.answers.append)

    def release(self) -> None:
        assert isinstance(self.waiter, Waiter)
        self.waiter.release()

    @property
    def answer(self) -> Answer | None:
        assert len(self.answers) < 2, "a poll was answered twice"
        return self.answers[0] if self.answers else None


def configs(app: str, cluster: str, namespace: str, **query: str) -> str:
    """The target of /configs."""
    path = "/configs/" + "/".join(quote(part, safe="") for part in (app, cluster, namespace))
    return path + _query(query.items())


def legacy(**query: str) -> str:
    """The target of the single-namespace poll."""
    return "/notifications" + _query(query.items())


def poll(app: str, cluster: str, seen: Mapping[str, int] | Iterable[object], **query: str) -> str:
    """The target of /notifications/v2; ``seen`` are names and ids, or raw entries."""
    entries: object
    if isinstance(seen, Mapping):
        entries = [{"namespaceName": name, "notificationId": known} for name, known in seen.items()]
    else:
        entries = list(seen)
    asked = {"appId": app, "cluster": cluster, "notifications": json.dumps(entries), **query}
    return "/notifications/v2" + _query(asked.items())


def body(answer: Answer) -> dict[str, object]:
    """The JSON object of an answer."""
    decoded = json.loads(answer.body)
    assert isinstance(decoded, dict)
    return decoded


def entries(answer: Answer) -> list[dict[str, object]]:
    """The notifications of an answer."""
    decoded = json.loads(answer.body)
    assert isinstance(decoded, list)
    return decoded


def header(answer: Answer, name: bytes) -> bytes | None:
    """One header of an answer."""
    return dict(answer.headers).get(name)


def _query(pairs: Iterable[tuple[str, str]]) -> str:
    encoded = "&".join(f"{name}={quote_plus(value)}" for name, value in pairs)
    return f"?{encoded}" if encoded else ""
