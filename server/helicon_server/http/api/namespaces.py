"""Namespaces: definitions of an app, and the namespaces of a cluster."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

from pydantic import Field

from helicon_server.domain.actors import Right
from helicon_server.domain.formats import Format
from helicon_server.domain.model import FIRST_REVISION, Namespace
from helicon_server.domain.names import NamespaceRef, parse_namespace
from helicon_server.services import inheritance, namespaces

from .endpoint import Call, Comment, Endpoint, In, Out, Reply


class NewNamespace(In):
    """A namespace to be created in all clusters of an app."""

    name: str = Field(description="Full name; its suffix says the format. Without suffix when `format` is given.")
    format: Format | None = Field(None, strict=False, description="Appends its suffix to the name.")
    public: bool = Field(False, description="Other apps may read it; the name is unique in the environment.")
    comment: Comment = ""


class DefinitionOut(Out):
    """Declares that an app owns a namespace of this name and format."""

    environment: str
    app: str
    name: str
    format: Format
    public: bool
    comment: str
    created_at: datetime
    created_by: str


class Association(In):
    """A public namespace of another app, to be overlaid."""

    name: str


class NamespaceOut(Out):
    """A namespace in one cluster: its draft's revision and its live release."""

    environment: str
    app: str
    cluster: str
    name: str
    format: Format
    revision: int = Field(description="Of the draft; name it in If-Match to change the draft.")
    pending: bool = Field(description="The draft was written since the live release was made of it.")
    live_release: int | None
    notification_id: int | None
    inherits: bool = Field(description="Its release is laid over that of cluster `default`, key by key.")
    updated_at: datetime
    updated_by: str


class Inheritance(In):
    """Whether the release of a namespace is laid over that of cluster `default`, key by key."""

    inherits: bool


class NamespaceList(Out):
    """Namespaces of a cluster by name."""

    items: list[NamespaceOut]


async def create_namespace(call: Call[NewNamespace]) -> Reply:
    app = await call.require_app()
    wanted = namespaces.NewNamespace(call.input.name, call.input.format, call.input.public, call.input.comment)
    async with call.config.write() as tx:
        made = await namespaces.create_namespace(tx, call.caller, call.environment, app, wanted)
    return Reply(
        DefinitionOut(
            environment=made.environment,
            app=made.app,
            name=made.name,
            format=made.format,
            public=made.public,
            comment=made.comment,
            created_at=made.created_at,
            created_by=made.created_by,
        ),
        revision=FIRST_REVISION,
    )


async def associate_namespace(call: Call[Association]) -> Reply:
    app, of = await call.require_app(), call.cluster
    ref = NamespaceRef(of.environment, app, of.cluster, parse_namespace(call.input.name))
    async with call.config.write() as tx:
        namespace = await namespaces.associate_namespace(tx, call.caller, ref)
    return Reply(namespace_out(namespace), revision=namespace.revision)


async def list_namespaces(call: Call[None]) -> Reply:
    await call.require_app()
    async with call.config.read() as tx:
        found = await namespaces.list_namespaces(tx, call.caller, call.cluster)
    return Reply(NamespaceList(items=[namespace_out(namespace) for namespace in found]))


async def get_namespace(call: Call[None]) -> Reply:
    async with call.config.read() as tx:
        namespace = await namespaces.get_namespace(tx, call.caller, call.namespace)
    return Reply(namespace_out(namespace), revision=namespace.revision)


async def set_inheritance(call: Call[Inheritance]) -> Reply:
    async with call.config.write() as tx:
        namespace = await inheritance.set_inheritance(tx, call.caller, call.namespace, inherits=call.input.inherits)
    return Reply(namespace_out(namespace), revision=namespace.revision)


def namespace_out(namespace: Namespace) -> NamespaceOut:
    """The wire form of a namespace."""
    ref = namespace.ref
    return NamespaceOut(
        environment=ref.environment,
        app=ref.app,
        cluster=ref.cluster,
        name=ref.namespace,
        format=namespace.format,
        revision=namespace.revision,
        pending=namespace.released_revision != namespace.revision,
        live_release=namespace.release_id,
        notification_id=namespace.message_id,
        inherits=namespace.inherits,
        updated_at=namespace.updated_at,
        updated_by=namespace.updated_by,
    )


_DEFINITIONS = "/environments/{environment}/apps/{app}/namespaces"
_CLUSTER = "/environments/{environment}/apps/{app}/clusters/{cluster}/namespaces"
NAMESPACE = _CLUSTER + "/{namespace}"

ENDPOINTS = (
    Endpoint(
        "POST",
        _DEFINITIONS,
        create_namespace,
        "Create a namespace in all clusters of an app",
        Right.MANAGE,
        NewNamespace,
        DefinitionOut,
        HTTPStatus.CREATED,
        refusals=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    ),
    Endpoint(
        "GET",
        _CLUSTER,
        list_namespaces,
        "List the namespaces of a cluster",
        Right.VIEW,
        None,
        NamespaceList,
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
    Endpoint(
        "POST",
        _CLUSTER,
        associate_namespace,
        "Overlay another app's public namespace",
        Right.MANAGE,
        Association,
        NamespaceOut,
        HTTPStatus.CREATED,
        refusals=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    ),
    Endpoint(
        "GET",
        NAMESPACE,
        get_namespace,
        "Read a namespace",
        Right.VIEW,
        None,
        NamespaceOut,
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
    Endpoint(
        "PUT",
        NAMESPACE + "/inheritance",
        set_inheritance,
        "Switch whether a namespace is laid over that of cluster `default`",
        Right.PUBLISH,
        Inheritance,
        NamespaceOut,
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
)
