"""Releases: publish, history, one release, differences, rollback."""

from __future__ import annotations

import re
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from pydantic import Field

from helicon.protocol.names import DEFAULT_CLUSTER
from helicon_server.domain.actors import Right
from helicon_server.domain.draft import ChangeKind
from helicon_server.domain.errors import NotFound
from helicon_server.domain.model import Operation, ReleaseHead
from helicon_server.domain.names import NamespaceRef, parse_app_id, parse_cluster, parse_namespace
from helicon_server.services import history, publish
from helicon_server.services import rollback as rollback_service
from helicon_server.services.releasing import Note, Published

from .endpoint import Call, Comment, Endpoint, In, Label, Number, Out, PageQuery, Query, Reply
from .namespaces import NAMESPACE
from .paging import cursor_of, id_of

_ID = re.compile(r"[1-9][0-9]{0,17}")


class PublishTarget(In):
    """A namespace to publish."""

    app: str
    cluster: str = DEFAULT_CLUSTER
    namespace: str
    revision: Number = Field(description="The draft revision that was reviewed.")
    may_empty: bool = Field(False, description="Publish also when nothing is left of the live release.")


class Publish(In):
    """Namespaces to publish together: all of them or none."""

    namespaces: list[PublishTarget] = Field(max_length=1000)
    title: Label = ""
    comment: Comment = ""


class PublishedOut(Out):
    """A release that was made."""

    release_id: int
    release_key: str
    notification_id: int
    environment: str
    app: str
    cluster: str = Field(description="The name of the branch where it is one's release.")
    namespace: str
    operation: Operation


class PublishedList(Out):
    """The releases of one publish, in the order asked."""

    releases: list[PublishedOut]


class Rollback(In):
    """Which release to bring back."""

    to: Number = Field(description="Id of the release whose content becomes live again.")
    live: Number = Field(description="Id of the live release that was seen.")
    title: Label = ""
    comment: Comment = ""


class ReleaseOut(Out):
    """A release without its content."""

    id: int
    key: str
    operation: Operation
    live: bool
    title: str
    comment: str
    previous: int | None
    source: int | None = Field(description="What a rollback brought back, or what a branch was laid over.")
    draft_revision: int
    sha256: str
    size: int = Field(description="Characters of keys and values.")
    created_at: datetime
    created_by: str


class ReleasePage(Out):
    """Releases, newest first."""

    items: list[ReleaseOut]
    next_cursor: str | None


class ReleaseContentOut(Out):
    """A release with its content."""

    release: ReleaseOut
    configurations: dict[str, str]


Side = Annotated[str | None, Field(pattern=r"^(draft|live|[1-9][0-9]{0,17})$")]


class DiffQuery(Query):
    """What to compare: a release id, `draft`, or `live`."""

    from_: Side = Field("live", alias="from", description="A release id, `live` or `draft`.")
    to: Side = Field("draft", description="A release id, `live` or `draft`.")


class ChangeOut(Out):
    """One key that differs."""

    key: str
    kind: ChangeKind
    old: str | None
    new: str | None


class DiffOut(Out):
    """The changes from one content to another."""

    changes: list[ChangeOut]


async def publish_namespaces(call: Call[Publish]) -> Reply:
    environment, asked = call.environment, call.input
    targets = [
        publish.Target(
            NamespaceRef(environment, parse_app_id(t.app), parse_cluster(t.cluster), parse_namespace(t.namespace)),
            t.revision,
            t.may_empty,
        )
        for t in asked.namespaces
    ]
    note = Note(asked.title, asked.comment, call.idempotency_key)
    reviewed = await publish.review(call.config, call.caller, targets)
    async with call.config.write() as tx:
        made = await publish.publish(tx, call.caller, environment, reviewed, note)
    return Reply(PublishedList(releases=[published_out(one) for one in made]))


async def rollback(call: Call[Rollback]) -> Reply:
    note = Note(call.input.title, call.input.comment, call.idempotency_key)
    async with call.config.write() as tx:
        made = await rollback_service.rollback(
            tx, call.caller, call.namespace, to=call.input.to, seen_live=call.input.live, note=note
        )
    return Reply(published_out(made))


async def list_releases(call: Call[PageQuery]) -> Reply:
    page = call.input
    async with call.config.read() as tx:
        namespace, found = await history.list_releases(
            tx, call.caller, call.namespace, before_id=id_of(page.cursor), limit=page.limit + 1
        )
    shown = found[: page.limit]
    next_cursor = cursor_of(shown[-1].id) if len(found) > page.limit else None
    return Reply(ReleasePage(items=[_release(r, namespace.release_id) for r in shown], next_cursor=next_cursor))


async def get_release(call: Call[None]) -> Reply:
    if not _ID.fullmatch(call.path["release"]):
        raise NotFound("A release id is a number.", code="release_not_found")
    async with call.config.read() as tx:
        namespace, release = await history.get_release(tx, call.caller, call.namespace, int(call.path["release"]))
    return Reply(
        ReleaseContentOut(
            release=_release(release.head, namespace.release_id), configurations=dict(release.configurations)
        )
    )


async def compare(call: Call[DiffQuery]) -> Reply:
    async with call.config.read() as tx:
        changes = await history.compare(tx, call.caller, call.namespace, _side(call.input.from_), _side(call.input.to))
    return Reply(DiffOut(changes=[ChangeOut(key=c.key, kind=c.kind, old=c.old, new=c.new) for c in changes]))


def _side(text: str | None) -> history.Side:
    if text == "draft":
        return history.DRAFT
    return history.LIVE if text == "live" or text is None else history.OfRelease(int(text))


def published_out(made: Published) -> PublishedOut:
    """The wire form of a release that was made."""
    return PublishedOut(
        release_id=made.release_id,
        release_key=made.release_key,
        notification_id=made.message_id,
        environment=made.ref.environment,
        app=made.ref.app,
        cluster=made.ref.cluster,
        namespace=made.ref.namespace,
        operation=made.operation,
    )


def _release(head: ReleaseHead, live: int | None) -> ReleaseOut:
    return ReleaseOut(
        id=head.id,
        key=head.key,
        operation=head.operation,
        live=head.id == live,
        title=head.title,
        comment=head.comment,
        previous=head.previous_id,
        source=head.source_id,
        draft_revision=head.draft_revision,
        sha256=head.content_sha256,
        size=head.size,
        created_at=head.created_at,
        created_by=head.created_by,
    )


_RELEASES = NAMESPACE + "/releases"

ENDPOINTS = (
    Endpoint(
        "POST",
        "/environments/{environment}/releases",
        publish_namespaces,
        "Publish one or several namespaces, all or none",
        Right.PUBLISH,
        Publish,
        PublishedList,
        HTTPStatus.CREATED,
        idempotent=True,
        refusals=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    ),
    Endpoint(
        "GET",
        _RELEASES,
        list_releases,
        "List releases, newest first",
        Right.VIEW,
        PageQuery,
        ReleasePage,
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        _RELEASES + "/{release}",
        get_release,
        "Read a release with its content",
        Right.VIEW,
        None,
        ReleaseContentOut,
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        NAMESPACE + "/diff",
        compare,
        "Compare two releases, or a release and the draft",
        Right.VIEW,
        DiffQuery,
        DiffOut,
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
    Endpoint(
        "POST",
        NAMESPACE + "/rollback",
        rollback,
        "Bring back an earlier release's content as a new release",
        Right.PUBLISH,
        Rollback,
        PublishedOut,
        HTTPStatus.CREATED,
        idempotent=True,
        refusals=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    ),
)
