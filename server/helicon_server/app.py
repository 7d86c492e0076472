"""The composition root: the only place that names adapters."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from helicon_migrations import SchemaState, SchemaStatus, migrate, schema_state

from . import __version__, logs, node_key
from .auth.sealing import Sealer
from .auth.throttle import Throttle
from .bus.contract import Bus
from .bus.in_process import InProcessBus
from .bus.postgres import PostgresBus
from .bus.sqlite import SqliteBus
from .delivery.options import DeliveryOptions
from .delivery.plane import DeliveryPlane
from .http.api.dispatch import Management
from .http.client_api.asgi import ClientApi
from .http.metrics import METRICS_PATH, Exchange, MetricsPage, counted
from .http.site import management_site
from .services.context import Limits
from .settings import Settings, load
from .storage.contract import Storage
from .storage.sql import SqlDatabase, open_database

SQLITE = "sqlite+aiosqlite:///"
MAIN = "main"
_SHORTEST_KEEP_ALIVE_S = 10
_KEEP_ALIVE_SHARE = 0.8  # of the time that a poll is held

_log = structlog.get_logger("helicon.node")


def limits(settings: Settings) -> Limits:
    """The bounds of the management plane."""
    return Limits(value_characters=settings.value_limit)


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


def open_storage(settings: Settings, buses: dict[str, Bus] | None = None) -> Storage:
    """Opens every database; nothing is connected yet. Committed messages are hinted to the bus of their database."""
    opened: dict[str, SqlDatabase] = {}
    for name, url in database_urls(settings).items():
        bus = (buses or {}).get(name)
        opened[name] = open_database(url, name=name, on_messages=bus.hint if bus else _nobody_listens)

    async def close() -> None:
        for database in opened.values():
            await database.close()

    main = opened[MAIN]
    dedicated = {name: database for name, database in opened.items() if name != MAIN}
    return Storage(control=main, main=main, dedicated=dedicated, close=close)


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

    async def open(self) -> None:
        """Opens storage, starts following, builds the faces. Raises Unavailable when a database cannot be read."""
        settings = self._settings
        sealer = Sealer(node_key.load(settings))
        buses = {name: open_bus(url, workers=settings.workers) for name, url in database_urls(settings).items()}
        self._storage = storage = open_storage(settings, buses)
        plane = DeliveryPlane(
            sources=[(database, buses[database.name]) for database in storage.config_databases],
            default_environment=settings.unprefixed_environment,
            options=DeliveryOptions(
                hold_s=settings.long_poll_s,
                sweep_s=settings.sweep_s,
                max_waiters_per_peer=settings.polls_per_address,
                max_waiters_per_app=settings.polls_per_app,
                requests_per_client=settings.requests_per_client,
                requests_per_address=settings.requests_per_address,
                access_key_tolerance_s=settings.access_key_tolerance_s,
                memory_limit_bytes=None if settings.memory_limit_mb is None else settings.memory_limit_mb * 1024 * 1024,
                content_budget_bytes=settings.content_memory_mb * 1024 * 1024,
            ),
            open_secret=sealer.open_access_key,
        )
        await plane.start()
        self._plane = plane
        if "management" in settings.roles:
            management = Management(storage, limits(settings), settings.body_limit, Throttle(time.monotonic), sealer)
            self._site = management_site(management, __version__)
        self._site = counted(self._site, plane.traffic.tallies["management"])
        self._metrics = self._metrics_of(plane)
        self._metrics.start()
        self._client_api = ClientApi(plane, settings.public_url, serves_clients="delivery" in settings.roles)
        _log.info("node.ready", version=__version__, roles=sorted(settings.roles))

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
