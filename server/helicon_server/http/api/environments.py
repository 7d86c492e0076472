"""``/environments`` and the clusters of an app in each of them."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

from pydantic import Field

from helicon_server.domain.actors import Right
from helicon_server.domain.model import Environment
from helicon_server.domain.names import ClusterRef, parse_environment
from helicon_server.services import clusters, environments

from .endpoint import Call, Endpoint, In, Out, Reply


class NewEnvironment(In):
    """An environment to be created."""

    name: str = Field(description="Letters, digits, '_' and '-'; stored in upper case.")


class EnvironmentOut(Out):
    """A complete, separate world of values."""

    name: str
    position: int
    created_at: datetime
    incremental_sync: bool = Field(description="Clients whose release is known are sent only what changed since.")


class IncrementalSync(In):
    """Whether clients of an environment are sent only what changed since the release that they hold."""

    enabled: bool = Field(description="There is no negotiation: switch it on when every client understands it.")


class EnvironmentList(Out):
    """Environments by position."""

    items: list[EnvironmentOut]


class NewCluster(In):
    """A cluster to be created."""

    name: str


class ClusterOut(Out):
    """A variant of an app's values inside an environment."""

    environment: str
    app: str
    name: str


class ClusterList(Out):
    """Clusters of an app, ``default`` first."""

    items: list[ClusterOut]


async def create_environment(call: Call[NewEnvironment]) -> Reply:
    async with call.storage.config(parse_environment(call.input.name)).write() as tx:
        environment = await environments.create_environment(tx, call.caller, call.input.name)
    return Reply(_environment(environment))


async def list_environments(call: Call[None]) -> Reply:
    found = await environments.list_environments(call.storage, call.caller)
    return Reply(EnvironmentList(items=[_environment(environment) for environment in found]))


async def set_incremental_sync(call: Call[IncrementalSync]) -> Reply:
    async with call.config.write() as tx:
        environment = await environments.set_incremental(tx, call.caller, call.environment, enabled=call.input.enabled)
    return Reply(_environment(environment))


async def create_cluster(call: Call[NewCluster]) -> Reply:
    ref = ClusterRef(call.environment, await call.require_app(), call.input.name)
    async with call.config.write() as tx:
        await clusters.create_cluster(tx, call.caller, ref)
    return Reply(ClusterOut(environment=ref.environment, app=ref.app, name=ref.cluster))


async def list_clusters(call: Call[None]) -> Reply:
    app = await call.require_app()
    async with call.config.read() as tx:
        names = await clusters.list_clusters(tx, call.caller, call.environment, app)
    return Reply(ClusterList(items=[ClusterOut(environment=call.environment, app=app, name=name) for name in names]))


def _environment(environment: Environment) -> EnvironmentOut:
    return EnvironmentOut(
        name=environment.name,
        position=environment.position,
        created_at=environment.created_at,
        incremental_sync=environment.incremental,
    )


_CLUSTERS = "/environments/{environment}/apps/{app}/clusters"

ENDPOINTS = (
    Endpoint("GET", "/environments", list_environments, "List environments", Right.VIEW, None, EnvironmentList),
    Endpoint(
        "POST",
        "/environments",
        create_environment,
        "Create an environment",
        Right.MANAGE,
        NewEnvironment,
        EnvironmentOut,
        HTTPStatus.CREATED,
        refusals=(HTTPStatus.CONFLICT,),
    ),
    Endpoint(
        "PUT",
        "/environments/{environment}/incremental-sync",
        set_incremental_sync,
        "Switch incremental sync for the clients of an environment",
        Right.MANAGE,
        IncrementalSync,
        EnvironmentOut,
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        _CLUSTERS,
        list_clusters,
        "List an app's clusters",
        Right.VIEW,
        None,
        ClusterList,
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
    Endpoint(
        "POST",
        _CLUSTERS,
        create_cluster,
        "Create a cluster",
        Right.MANAGE,
        NewCluster,
        ClusterOut,
        HTTPStatus.CREATED,
        refusals=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    ),
)
