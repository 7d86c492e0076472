"""The composition root: the only place that names adapters."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from helicon_migrations import (
    DatabaseUnreachable,
    MigrationFailed,
    SchemaState,
    SchemaStatus,
    migrate,
    schema_state,
)

from . import __version__, logs, node_key, own_address
from .auth.sealing import Sealer
from .auth.throttle import Throttle
from .bus.contract import Bus
from .bus.in_process import InProcessBus
from .bus.postgres import PostgresBus
from .bus.sqlite import SqliteBus
from .delivery.instances import InstanceRecorder
from .delivery.options import DeliveryOptions
from .delivery.plane import DeliveryPlane
from .delivery.registry import ALIVE_BEATS, Registry
from .delivery.snapshot.encoding import StateUnreadableError, decode
from .delivery.snapshot.file import SnapshotFile, SnapshotUnusableError
from .http.api.dispatch import Management
from .http.client_api.asgi import ClientApi
from .http.metrics import METRICS_PATH, Exchange, MetricsPage, counted
from .http.site import management_site
from .late_start import LateStart
from .services.bootstrap import ADMINISTRATOR, FirstStart, bootstrap
from .services.context import Limits
from .settings import Settings, load
from .storage.contract import Storage
from .storage.gated import GatedDatabase
from .storage.sql import SqlDatabase, open_database, reason_of

SQLITE = "sqlite+aiosqlite:///"
MAIN = "main"
_SHORTEST_KEEP_ALIVE_S = 10
_KEEP_ALIVE_SHARE = 0.8  # of the time that a poll is held

_log = structlog.get_logger("helicon.node")


def limits(settings: Settings) -> Limits:
    """The bounds of the management plane."""
    return Limits(value_characters=settings.value_limit, node_silent_s=ALIVE_BEATS * settings.heartbeat_s)


def database_urls(settings: Settings) -> dict[str, str]:
    """Every database of the installation by its name: ``main`` first, then the environments with their own."""
    return {MAIN: settings.main_database_url, **settings.dedicated_database_urls}


def sqlite_file(url: str) -> Path | None:
    """The file of an embedded database; None for a database server."""
    return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None


def open_bus(url: str, *, workers: int) -> Bus:
    """The bus that fits a database: notices of PostgreSQL, a change check between workers, or this process only."""
    file = sqlite_file(url)
    if file is None:
        return PostgresBus(url)
    return SqliteBus(file) if workers > 1 else InProcessBus()


def open_storage(
    settings: Settings, buses: dict[str, Bus] | None = None, gates: dict[str, GatedDatabase] | None = None
) -> Storage:
    """Opens every database; nothing is connected yet. Committed messages are hinted to the bus of their database.

    With ``gates``, which it fills, the databases are closed until they are let in.
    """
    opened: dict[str, SqlDatabase] = {}
    for name, url in database_urls(settings).items():
        bus = (buses or {}).get(name)
        opened[name] = open_database(url, name=name, on_messages=bus.hint if bus else _nobody_listens)

    async def close() -> None:
        for database in opened.values():
            await database.close()

    used: dict[str, SqlDatabase | GatedDatabase] = dict(opened)
    if gates is not None:
        gates.update({name: GatedDatabase(database) for name, database in opened.items()})
        used.update(gates)
    main = used[MAIN]
    dedicated = {name: database for name, database in used.items() if name != MAIN}
    return Storage(control=main, main=main, dedicated=dedicated, close=close)


def first_start(settings: Settings) -> FirstStart:
    """What databases are given that hold nothing yet."""
    password, token = settings.bootstrap_password, settings.bootstrap_token
    return FirstStart(
        environments=[environment.name for environment in settings.environments],
        password=password.get_secret_value() if password else None,
        token=token.get_secret_value() if token else None,
    )


def snapshot_files(settings: Settings) -> dict[str, SnapshotFile]:
    """Where this node keeps what it serves of each database; empty when it keeps nothing."""
    if settings.snapshot == "off" or "delivery" not in settings.roles:
        return {}
    folder = settings.data_dir.absolute() / "snapshot"
    return {name: SnapshotFile(folder / f"{name}.db", _label_of(url)) for name, url in database_urls(settings).items()}


def _label_of(url: str) -> str:
    """What tells one database of an installation from another: its kind and name.

    Not its host or user: a database that was moved, or is reached by another way, is the same.
    """
    file = sqlite_file(url)
    return f"postgresql/{url.partition('?')[0].rpartition('/')[2]}" if file is None else f"sqlite/{file.name}"


async def can_start_from_snapshots(settings: Settings, *, trust_schema: bool) -> bool:
    """Tells whether there is a snapshot of every database that is away.

    A database that has the right schema is not away, unless its schema is not trusted: a file may be damaged behind
    its first page.
    """
    files = snapshot_files(settings)
    for name, url in database_urls(settings).items():
        try:
            if trust_schema and (await schema_state(url)).status is SchemaStatus.CURRENT:
                continue
        except (DatabaseUnreachable, OSError):
            pass
        try:
            if name not in files:
                return False
            saved = files[name].load()
            decode(saved.head, saved.parts)
        except SnapshotUnusableError as error:
            _log.warning("delivery.snapshot_ignored", database=name, reason=error.reason)
            return False
        except StateUnreadableError:
            _log.warning("delivery.snapshot_ignored", database=name, reason="unreadable")
            return False
        finally:
            for file in files.values():
                file.close()
    return True


def _nobody_listens() -> None:
    """The hint of a process without a delivery plane; other processes hear of the commit from the database."""


class DataDirUnusable(Exception):
    """The folder of the embedded database cannot be made or written."""


def prepare_data_dir(settings: Settings) -> None:
    """Makes the folders of the embedded databases, closed to others. Raises DataDirUnusable."""
    for url in database_urls(settings).values():
        file = sqlite_file(url)
        if file is None:
            continue
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=file.parent):
                pass
        except OSError as error:
            raise DataDirUnusable(
                f"The data dir {file.parent} cannot be written: {error.strerror or error}."
            ) from error


async def migrate_embedded(settings: Settings) -> None:
    """Brings embedded databases to the current schema. Databases on servers are left to ``helicon-server migrate``.

    A database of a newer version is left as it is, for the caller's schema check to refuse.
    """
    for url in database_urls(settings).values():
        if sqlite_file(url) is None:
            continue
        if (await schema_state(url)).status in (SchemaStatus.EMPTY, SchemaStatus.OUTDATED):
            _log.info("schema.migrated", revisions=await asyncio.to_thread(migrate, url))


class Helicon:
    """One node as an ASGI application: the delivery plane first and bare, the management site behind it."""

    def __init__(self, settings: Settings, worker: int = 1) -> None:
        """``worker`` is the number of this process among those that share the port, from 1."""
        self._settings = settings
        self._worker = worker
        self._storage: Storage | None = None
        self._plane: DeliveryPlane | None = None
        self._late_start: LateStart | None = None
        self._listens_on = (settings.host, settings.port)
        self._client_api: ClientApi | None = None
        self._metrics: MetricsPage | None = None
        self._site: ASGIApp = _no_management

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            client_api = self._client_api
            if client_api is not None and client_api.handles(scope["path"]):
                await client_api(scope, receive, send)
            elif scope["path"] == METRICS_PATH and self._metrics is not None:
                await self._metrics(scope, receive, send)
            else:
                await self._site(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    @property
    def delivery(self) -> DeliveryPlane | None:
        """The plane that a shell below ASGI asks; None on a node that serves no clients and before it is open."""
        return self._plane if "delivery" in self._settings.roles else None

    @property
    def keep_alive_s(self) -> int:
        """Seconds that a connection stays open on which nothing is asked.

        Shorter than a poll is held: a client that vanished costs one poll and this, less than two polls together.
        """
        return max(_SHORTEST_KEEP_ALIVE_S, int(self._settings.long_poll_s * _KEEP_ALIVE_SHARE))

    def listens_on(self, host: str, port: int) -> None:
        """Says where clients reach this node, before it opens."""
        self._listens_on = host, port

    async def open(self) -> None:
        """Opens storage, starts following, builds the faces.

        Raises Unavailable when a database cannot be read and there is no snapshot of it.
        """
        settings = self._settings
        sealer = Sealer(node_key.load(settings))
        buses = {name: open_bus(url, workers=settings.workers) for name, url in database_urls(settings).items()}
        gates: dict[str, GatedDatabase] = {}
        self._storage = storage = open_storage(settings, buses, gates)
        self._late_start = late_start = LateStart(
            gates, self._kept_out_by, on_open=lambda name: buses[name].hint(), prepare=lambda: self._prepare(storage)
        )
        complete = await late_start.look()
        serves_clients = "delivery" in settings.roles
        instances = InstanceRecorder() if serves_clients else None
        plane = DeliveryPlane(
            sources=[(database, buses[database.name]) for database in storage.config_databases],
            default_environment=settings.unprefixed_environment,
            options=DeliveryOptions(
                hold_s=settings.long_poll_s,
                sweep_s=settings.sweep_s,
                max_waiters_bytes=settings.poll_memory_mb * 1024 * 1024,
                max_waiters_per_client=settings.polls_per_client,
                max_waiters_per_peer=settings.polls_per_address,
                max_waiters_per_app=settings.polls_per_app,
                requests_per_client=settings.requests_per_client,
                requests_per_address=settings.requests_per_address,
                access_key_tolerance_s=settings.access_key_tolerance_s,
                memory_limit_bytes=None if settings.memory_limit_mb is None else settings.memory_limit_mb * 1024 * 1024,
                content_budget_bytes=settings.content_memory_mb * 1024 * 1024,
            ),
            open_secret=sealer.open_access_key,
            on_served=instances.on_served if instances else None,
            registry=self._registry() if serves_clients else None,
            instances=instances,
            snapshots=snapshot_files(settings),
        )
        await plane.start()
        self._plane = plane
        if not complete:
            late_start.start()
        if "management" in settings.roles:
            management = Management(storage, limits(settings), settings.body_limit, Throttle(time.monotonic), sealer)
            self._site = management_site(management, __version__)
        self._site = counted(self._site, plane.traffic.tallies["management"])
        self._metrics = self._metrics_of(plane)
        self._metrics.start()
        self._client_api = ClientApi(plane, settings.public_url, serves_clients=serves_clients)
        _log.info("node.ready", version=__version__, roles=sorted(settings.roles))

    def _registry(self) -> Registry:
        settings = self._settings
        url = own_address.node_url(settings.node_url, *self._listens_on)
        return Registry(url, settings.roles, __version__, beat_s=settings.heartbeat_s)

    async def _kept_out_by(self, name: str) -> str | None:
        """Why a database does not answer with this version's schema, None if it does; brings an embedded one there."""
        url = database_urls(self._settings)[name]
        try:
            state = await schema_state(url)
            if state.status is SchemaStatus.OUTDATED and sqlite_file(url) is not None:
                _log.info("schema.migrated", revisions=await asyncio.to_thread(migrate, url))
                state = await schema_state(url)
        except (DatabaseUnreachable, MigrationFailed, OSError) as error:
            return reason_of(error, url)
        if state.status is SchemaStatus.CURRENT:
            return None
        _log.error("schema.unfit", database=name, status=state.status.value, revision=state.revision)
        return "schema_unfit"

    async def _prepare(self, storage: Storage) -> None:
        """What ``serve`` does at a start with its databases, for one that was without."""
        await node_key.prepare(self._settings, storage)
        password = await bootstrap(storage, first_start(self._settings))
        if password is not None:  # another database than before, and an empty one
            sys.stdout.write(f"Administrator: {ADMINISTRATOR}   password: {password}   (shown once, keep it)\n")
            sys.stdout.flush()

    def _metrics_of(self, plane: DeliveryPlane) -> MetricsPage:
        settings = self._settings
        token = settings.metrics_token
        folder = settings.data_dir / "metrics"
        return MetricsPage(
            plane,
            __version__,
            worker=self._worker,
            exchange=Exchange(folder, self._worker) if settings.workers > 1 else None,
            token=token.get_secret_value() if token else None,
        )

    def begin_drain(self) -> None:
        """Answers held polls and refuses new ones, so that the process can end within its grace time."""
        if self._plane is not None:
            self._plane.begin_drain()

    async def close(self) -> None:
        """Releases everything that ``open`` took."""
        if self._late_start is not None:
            await self._late_start.stop()
        if self._metrics is not None:
            await self._metrics.stop()
        if self._plane is not None:
            await self._plane.stop()
        if self._storage is not None:
            await self._storage.close()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.open()
        except Exception as error:  # noqa: BLE001  # whatever fails here must stop the start, with its trace in the log
            _log.exception("node.start_failed")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})


async def _no_management(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers everything that is not the delivery plane's on a node without the management role."""
    body = b'{"status":404,"code":"no_such_endpoint","detail":"This node serves clients only."}'
    headers = [(b"content-type", b"application/problem+json")]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def from_environment(worker: int = 1) -> Helicon:
    """The application of a worker process: settings come from the environment that ``serve`` prepared."""
    settings = load()
    logs.configure(settings.log_format)
    return Helicon(settings, worker)


async def schema_states(settings: Settings) -> dict[str, SchemaState]:
    """The schema state of every database by name."""
    return {name: await schema_state(url) for name, url in database_urls(settings).items()}
