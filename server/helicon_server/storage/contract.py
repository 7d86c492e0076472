"""The storage contract.

Two groups of tables: **control** (apps, users, tokens) and, per environment, **config**. A transaction is an async
context manager: it commits when its block ends and rolls back when the block raises. The read half of every noun is
a type of its own, so that a function that takes a ``ConfigRead`` cannot write. One suite (``tests/contract``) holds
all implementations to what stands here.

Every method, and entering or leaving a transaction, may raise ``Unavailable`` when the database does not answer;
nothing was written then unless the docstring of the transaction says otherwise. Uniqueness and lock conflicts surface
as ``Conflict`` with the code named at the method.

An error ends the transaction: whatever is called on it afterwards, and leaving it, raises the same error again. Who
wants to go on after a ``Conflict`` does so in a new transaction. A transaction belongs to one task; its calls follow
one another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from helicon_server.domain.access_key import AccessKey, AccessKeyMode
from helicon_server.domain.gray import GrayBranch, LiveBranch
from helicon_server.domain.instance import InstanceRelease
from helicon_server.domain.model import (
    App,
    AuditEntry,
    Cluster,
    Environment,
    IdempotentAnswer,
    Item,
    LiveRelease,
    Message,
    MessageKind,
    Namespace,
    NamespaceDefinition,
    Release,
    ReleaseHead,
    Token,
    User,
)
from helicon_server.domain.names import NamespaceRef
from helicon_server.domain.node import Node

# --- control --------------------------------------------------------------------------------------


class AppReader(Protocol):
    async def get(self, app_id: str) -> App | None:
        """Finds an app; the id is compared exactly."""
        ...

    async def list(self, *, after: str | None, limit: int) -> Sequence[App]:
        """Lists apps in the order of their ids, those behind ``after`` only."""
        ...


class AppWriter(AppReader, Protocol):
    async def insert(self, app: App) -> None:
        """Stores a new app. Raises Conflict ``app_exists``, also when only the case of the id differs."""
        ...


class UserReader(Protocol):
    async def get(self, name: str) -> User | None: ...

    async def list(self) -> Sequence[User]: ...

    async def any(self) -> bool:
        """Tells whether the database holds a user."""
        ...


class UserWriter(UserReader, Protocol):
    async def insert(self, user: User) -> None:
        """Stores a new user. Raises Conflict ``user_exists``, also when only the case of the name differs."""
        ...

    async def set_password(self, name: str, password_hash: str) -> bool:
        """Replaces the hash; False when there is no such user."""
        ...


class TokenReader(Protocol):
    async def find(self, sha256: str) -> Token | None:
        """Finds a token by the hash of its secret, also a revoked or expired one."""
        ...

    async def list(self) -> Sequence[Token]: ...

    async def any(self) -> bool: ...


class TokenWriter(TokenReader, Protocol):
    async def insert(self, token: Token) -> Token:
        """Stores a token and returns it with its id.

        Raises Conflict ``token_exists`` while another token of this name is not revoked.
        """
        ...

    async def revoke(self, name: str, *, at: datetime) -> bool:
        """Marks the live token of this name revoked at the aware time ``at``; False when there is none."""
        ...


class AuditReader(Protocol):
    async def list(self, *, environment: str, before_id: int | None, limit: int) -> Sequence[AuditEntry]:
        """Lists the entries of an environment, or with ``""`` those of apps, people and tokens.

        Newest first, those with an id below ``before_id`` only.
        """
        ...


class AuditWriter(AuditReader, Protocol):
    async def append(self, entry: AuditEntry) -> None:
        """Stores an entry; its ``id`` is ignored."""
        ...


# --- config ---------------------------------------------------------------------------------------


class EnvironmentReader(Protocol):
    async def get(self, name: str) -> Environment | None: ...

    async def list(self) -> Sequence[Environment]:
        """Lists the environments that this database holds, by position."""
        ...


class EnvironmentWriter(EnvironmentReader, Protocol):
    async def insert(self, environment: Environment) -> None:
        """Stores an environment. Raises Conflict ``environment_exists``."""
        ...

    async def set_incremental(self, name: str, enabled: bool) -> bool:
        """Switches incremental sync; False when there is no such environment."""
        ...


class ClusterReader(Protocol):
    async def get(self, environment: str, app: str, name: str) -> Cluster | None:
        """Finds a cluster that has a row; ``default`` never has one."""
        ...

    async def list(self, environment: str, app: str) -> Sequence[Cluster]:
        """Lists the clusters that have a row, by name."""
        ...


class ClusterWriter(ClusterReader, Protocol):
    async def insert(self, cluster: Cluster) -> None:
        """Stores a cluster. Raises Conflict ``cluster_exists``, also when only the case differs."""
        ...


class DefinitionReader(Protocol):
    async def get(self, environment: str, app: str, name: str) -> NamespaceDefinition | None:
        """Finds the app's definition of this name, ignoring the case of the name."""
        ...

    async def get_public(self, environment: str, name: str) -> NamespaceDefinition | None:
        """Finds the public definition of this name of whichever app, ignoring case."""
        ...

    async def list(self, environment: str, app: str) -> Sequence[NamespaceDefinition]:
        """Lists an app's definitions by name."""
        ...

    async def all(self) -> Sequence[NamespaceDefinition]:
        """Lists the definitions of every app and environment in this database, for the delivery index."""
        ...


class DefinitionWriter(DefinitionReader, Protocol):
    async def insert(self, definition: NamespaceDefinition) -> None:
        """Stores a definition. Raises Conflict ``namespace_exists`` for a second one of the app, ignoring case, and
        ``public_namespace_exists`` for a public name that some app of the environment has already."""
        ...


class NamespaceReader(Protocol):
    async def get(self, ref: NamespaceRef) -> Namespace | None:
        """Finds a namespace; its name is compared ignoring case, the app and the cluster exactly."""
        ...

    async def list(self, environment: str, app: str, cluster: str | None = None) -> Sequence[Namespace]:
        """Lists an app's namespaces by cluster and name."""
        ...

    async def live(self) -> Sequence[LiveRelease]:
        """Lists every live release of this database: the delivery index."""
        ...

    async def live_of(self, refs: Iterable[NamespaceRef]) -> Sequence[LiveRelease]:
        """The same for some namespaces; those without a release are left out."""
        ...


class NamespaceWriter(NamespaceReader, Protocol):
    async def insert(self, namespace: Namespace) -> Namespace:
        """Stores a namespace and returns it with its id. Raises Conflict ``namespace_exists``."""
        ...

    async def lock(self, refs: Sequence[NamespaceRef]) -> Sequence[Namespace | None]:
        """Reads namespaces for a change, in the order asked, and holds them until the transaction ends.

        Rows are locked in the order of their ids, so that two publishes of the same set cannot deadlock.
        """
        ...

    async def touch(self, namespace: Namespace) -> None:
        """Writes revision, release pointers, inheritance and update marks of a namespace that ``lock`` returned,
        nothing else."""
        ...


class ItemReader(Protocol):
    async def list(self, namespace_id: int) -> Sequence[Item]:
        """Lists a draft in its order, comment and blank lines included."""
        ...

    async def get(self, namespace_id: int, key: str) -> Item | None:
        """Finds an item by its key, ignoring case (``formats.keys.fold_key``)."""
        ...

    async def last(self, namespace_id: int) -> Item | None:
        """The item with the highest position."""
        ...


class ItemWriter(ItemReader, Protocol):
    async def insert(self, namespace_id: int, items: Sequence[Item]) -> None:
        """Stores new items. Raises Conflict ``item_exists`` when a key is there already, ignoring case."""
        ...

    async def update(self, items: Sequence[Item]) -> None:
        """Replaces stored items by id, one after the other in the order given; unknown ids are passed over.

        Raises Conflict ``item_exists`` when an item takes a key that another one has at that moment.
        """
        ...

    async def delete(self, ids: Sequence[int]) -> None: ...


class ReleaseReader(Protocol):
    async def get(self, environment: str, release_id: int) -> Release | None: ...

    async def history(self, namespace_id: int, *, before_id: int | None, limit: int) -> Sequence[ReleaseHead]:
        """Lists releases, newest first, those with an id below ``before_id`` only; none of a branch."""
        ...

    async def by_keys(self, environment: str, keys: Sequence[str]) -> Mapping[str, Release]:
        """Loads releases by release key; unknown keys are left out. For incremental sync: at most 20 keys a call."""
        ...

    async def contents(self, release_ids: Sequence[int]) -> Mapping[int, Release]:
        """Loads releases by id; unknown ids are left out. For delivery: at most 500 ids a call."""
        ...


class ReleaseWriter(ReleaseReader, Protocol):
    async def insert(self, release: Release) -> Release:
        """Stores a release and returns it with its id, which is greater than every earlier one's."""
        ...


class MessageReader(Protocol):
    async def newest_id(self) -> int:
        """The id of the newest message of this database, 0 when there is none."""
        ...

    async def after(self, message_id: int, *, limit: int) -> Sequence[Message]:
        """Lists messages with a greater id, oldest first. No id below a returned one can appear later.

        Kinds that only a newer version knows are left out.
        """
        ...


class MessageWriter(MessageReader, Protocol):
    async def append(self, kind: MessageKind, refs: Sequence[NamespaceRef]) -> Sequence[int]:
        """Stores one message for each reference and returns their ids.

        Serialised against every other transaction that appends, so that ids become visible in commit order; call it
        as late in the transaction as possible. The notice to other nodes goes out with the commit.
        """
        ...

    async def raise_to(self, message_id: int) -> None:
        """Makes every later id greater than ``message_id``; ids that are greater already stay as they are.

        For a database that was set back to an older state. Serialised like ``append``; may outlast a rollback.
        """
        ...


class BranchReader(Protocol):
    async def get(self, ref: NamespaceRef, name: str) -> GrayBranch | None:
        """Finds a branch; the namespace is compared as ``NamespaceReader.get`` does, the branch's name exactly."""
        ...

    async def list(self, ref: NamespaceRef) -> Sequence[GrayBranch]:
        """Lists the branches of a namespace in the order in which they are tried."""
        ...

    async def live(self) -> Sequence[LiveBranch]:
        """Lists every published branch of this database: the gray part of the delivery index."""
        ...

    async def live_of(self, refs: Iterable[NamespaceRef]) -> Sequence[LiveBranch]:
        """The same for some namespaces."""
        ...


class BranchWriter(BranchReader, Protocol):
    async def insert(self, branch: GrayBranch) -> GrayBranch:
        """Stores a branch and returns it with its id. Raises Conflict ``branch_exists``."""
        ...

    async def update(self, branch: GrayBranch) -> None:
        """Writes everything of a stored branch but its reference, name and creation."""
        ...

    async def delete(self, id_: int) -> None:
        """Removes a branch; its releases stay."""
        ...


class AccessKeyReader(Protocol):
    async def list(self, environment: str, app: str) -> Sequence[AccessKey]:
        """Lists an app's keys by id; the app is compared ignoring case."""
        ...

    async def all(self) -> Sequence[AccessKey]:
        """Lists the keys of every app and environment in this database, for delivery."""
        ...


class AccessKeyWriter(AccessKeyReader, Protocol):
    async def insert(self, key: AccessKey) -> AccessKey:
        """Stores a key and returns it with its id."""
        ...

    async def set(self, id_: int, *, enabled: bool, mode: AccessKeyMode) -> None: ...

    async def delete(self, id_: int) -> None: ...


class NodeReader(Protocol):
    async def list(self, *, beaten_within_s: float) -> Sequence[Node]:
        """Lists nodes with a heartbeat within the last seconds of the database's clock, by their start."""
        ...


class NodeWriter(NodeReader, Protocol):
    async def beat(self, node: Node) -> None:
        """Stores or renews a node's heartbeat at the database's own time; ``beat_at`` is ignored.

        The first heartbeat of a node removes those without one for a day.
        """
        ...

    async def remove(self, id_: str) -> None: ...


class InstanceReader(Protocol):
    async def list(
        self,
        environment: str,
        owner: str,
        namespace: str,
        *,
        release_key: str | None,
        limit: int,
        release_clusters: Sequence[str] | None = None,
    ) -> Sequence[InstanceRelease]:
        """Lists the instances that were served a namespace of ``owner``, last seen first.

        If asked, those of one release, or of releases of these clusters and branches, alone.
        """
        ...


class InstanceWriter(InstanceReader, Protocol):
    async def record(self, seen: Sequence[InstanceRelease]) -> None:
        """Stores or renews records, one for each instance, owner and namespace: at most 500 a call.

        ``delivered_at`` of a stored record stays as long as its release key does. A record that was seen before the
        stored one changes nothing.
        """
        ...

    async def forget_before(self, at: datetime, *, limit: int) -> int:
        """Removes records of instances that were not seen since, at most ``limit``; returns how many.

        Waits for nobody who writes records: one that is written meanwhile stays.
        """
        ...


class IdempotencyReader(Protocol):
    async def get(self, environment: str, actor: str, key: str) -> IdempotentAnswer | None: ...


class IdempotencyWriter(IdempotencyReader, Protocol):
    async def put(self, environment: str, actor: str, key: str, answer: IdempotentAnswer, *, at: datetime) -> None:
        """Stores an answer. Raises Conflict ``idempotency_key_in_use`` when the key was stored meanwhile."""
        ...

    async def forget_before(self, at: datetime) -> None:
        """Removes the answers that were stored before the aware datetime ``at``, of every environment."""
        ...


# --- transactions ---------------------------------------------------------------------------------


class ControlRead(Protocol):
    @property
    def apps(self) -> AppReader: ...
    @property
    def users(self) -> UserReader: ...
    @property
    def tokens(self) -> TokenReader: ...
    @property
    def audit(self) -> AuditReader: ...


class ControlWrite(Protocol):
    @property
    def apps(self) -> AppWriter: ...
    @property
    def users(self) -> UserWriter: ...
    @property
    def tokens(self) -> TokenWriter: ...
    @property
    def audit(self) -> AuditWriter: ...


class ConfigRead(Protocol):
    @property
    def environments(self) -> EnvironmentReader: ...
    @property
    def clusters(self) -> ClusterReader: ...
    @property
    def definitions(self) -> DefinitionReader: ...
    @property
    def namespaces(self) -> NamespaceReader: ...
    @property
    def items(self) -> ItemReader: ...
    @property
    def releases(self) -> ReleaseReader: ...
    @property
    def branches(self) -> BranchReader: ...
    @property
    def messages(self) -> MessageReader: ...
    @property
    def access_keys(self) -> AccessKeyReader: ...
    @property
    def nodes(self) -> NodeReader: ...
    @property
    def instances(self) -> InstanceReader: ...
    @property
    def idempotency(self) -> IdempotencyReader: ...
    @property
    def audit(self) -> AuditReader: ...


class ConfigWrite(Protocol):
    @property
    def environments(self) -> EnvironmentWriter: ...
    @property
    def clusters(self) -> ClusterWriter: ...
    @property
    def definitions(self) -> DefinitionWriter: ...
    @property
    def namespaces(self) -> NamespaceWriter: ...
    @property
    def items(self) -> ItemWriter: ...
    @property
    def releases(self) -> ReleaseWriter: ...
    @property
    def branches(self) -> BranchWriter: ...
    @property
    def messages(self) -> MessageWriter: ...
    @property
    def access_keys(self) -> AccessKeyWriter: ...
    @property
    def nodes(self) -> NodeWriter: ...
    @property
    def instances(self) -> InstanceWriter: ...
    @property
    def idempotency(self) -> IdempotencyWriter: ...
    @property
    def audit(self) -> AuditWriter: ...


class ControlDatabase(Protocol):
    """Where apps, people and tokens live."""

    def read(self) -> AbstractAsyncContextManager[ControlRead]: ...

    def peek(self) -> AbstractAsyncContextManager[ControlRead]:
        """The same for reads that need no common snapshot: each sees what was committed when it began.

        Cheaper than ``read`` by two exchanges with a database server.
        """
        ...

    def write(self) -> AbstractAsyncContextManager[ControlWrite]: ...


class ConfigDatabase(Protocol):
    """Where the configuration of one or several environments lives."""

    @property
    def name(self) -> str:
        """For logs and health answers: ``main`` or the environment's name. Never an address."""
        ...

    def read(self) -> AbstractAsyncContextManager[ConfigRead]:
        """One consistent snapshot; cannot write."""
        ...

    def peek(self) -> AbstractAsyncContextManager[ConfigRead]:
        """As ``ControlDatabase.peek``."""
        ...

    def write(self) -> AbstractAsyncContextManager[ConfigWrite]:
        """One atomic change.

        When ``Unavailable`` is raised on leaving, the commit may or may not have happened: callers that cannot tell
        repeat with the same idempotency key.
        """
        ...


@dataclass(frozen=True, slots=True)
class Storage:
    """Every database of an installation.

    ``dedicated`` holds the environments that have a database of their own; all others live in ``main``.
    ``close`` releases the pools.
    """

    control: ControlDatabase
    main: ConfigDatabase
    dedicated: Mapping[str, ConfigDatabase]
    close: Callable[[], Awaitable[None]]

    def config(self, environment: str) -> ConfigDatabase:
        """The database of an environment; whether the environment exists is for the transaction to say."""
        return self.dedicated.get(environment, self.main)

    @property
    def config_databases(self) -> tuple[ConfigDatabase, ...]:
        """Main first, then the dedicated ones, each once."""
        return (self.main, *self.dedicated.values())
