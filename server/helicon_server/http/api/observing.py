"""Running clients and nodes, to be looked at."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

from pydantic import Field

from helicon_server.domain.actors import Right
from helicon_server.services import observing

from .endpoint import Call, Endpoint, Number, Out, Query, Reply
from .namespaces import NAMESPACE


class InstanceQuery(Query):
    """Which instances to list."""

    release: Number | None = Field(None, description="Id of a release: those that hold it.")
    limit: int = Field(100, ge=1, le=500, description="How many; the last seen come first.")


class InstanceOut(Out):
    """A running client, and the release that it was served or holds."""

    app: str
    cluster: str = Field(description="The cluster that it asks for.")
    data_center: str
    ip: str
    label: str
    release_key: str
    branch: str | None = Field(description="The gray branch whose release it is.")
    delivered_at: datetime = Field(description="First time with this release.")
    seen_at: datetime = Field(description="Last time.")


class InstanceList(Out):
    """Instances, last seen first."""

    items: list[InstanceOut]


class NodeOut(Out):
    """A server process that gave a sign of life within a day.

    Every worker of a node is a row of its own, with the address that they share; a node that starts again is a new one.
    """

    id: str
    url: str = Field(description="Where clients reach it. Workers of one node have the same.")
    roles: list[str]
    version: str
    started_at: datetime
    beat_at: datetime = Field(description="Its last sign of life, by the clock of the database.")
    alive: bool = Field(description="It has not missed three heartbeats; one that has is told to no client.")


class NodeList(Out):
    """Nodes by their start."""

    items: list[NodeOut]


async def list_instances(call: Call[InstanceQuery]) -> Reply:
    asked = call.input
    async with call.config.read() as tx:
        found = await observing.list_instances(
            tx, call.caller, call.namespace, release_id=asked.release, limit=asked.limit
        )
    own = call.cluster.cluster
    return Reply(
        InstanceList(
            items=[
                InstanceOut(
                    app=seen.app,
                    cluster=seen.cluster,
                    data_center=seen.data_center,
                    ip=seen.ip,
                    label=seen.label,
                    release_key=seen.release_key,
                    branch=None if seen.release_cluster == own else seen.release_cluster,
                    delivered_at=seen.delivered_at,
                    seen_at=seen.seen_at,
                )
                for seen in found
            ]
        )
    )


async def list_nodes(call: Call[None]) -> Reply:
    found = await observing.list_nodes(call.storage, call.caller)
    return Reply(
        NodeList(
            items=[
                NodeOut(
                    id=listed.node.id,
                    url=listed.node.url,
                    roles=list(listed.node.roles),
                    version=listed.node.version,
                    started_at=listed.node.started_at,
                    beat_at=listed.node.beat_at,
                    alive=listed.alive,
                )
                for listed in found
            ]
        )
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        NAMESPACE + "/instances",
        list_instances,
        "List the clients that were served a namespace, its branches included",
        Right.VIEW,
        InstanceQuery,
        InstanceList,
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
    Endpoint("GET", "/nodes", list_nodes, "List the nodes of the installation", Right.MANAGE, None, NodeList),
)
