"""Gray branches of a namespace: what they change, whom their rules select, and their publishing."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from pydantic import Field, StringConstraints

from helicon_server.domain.actors import Right
from helicon_server.domain.gray import GrayBranch, GrayRule
from helicon_server.services import gray, gray_publish
from helicon_server.services.gray_common import BranchDraft
from helicon_server.services.releasing import Note

from .endpoint import Call, Comment, Endpoint, In, Label, Number, Out, Reply
from .namespaces import NAMESPACE
from .releases import PublishedOut, published_out

_CLIENT_APP = "The app whose instances are meant; in a private namespace its own."
_IPS = "Addresses, CIDR blocks, or `*` for everybody."
_LABELS = "Labels that clients name themselves with, or `*` for everybody; case counts."
_PERCENT = "Share of the app's instances, 0 to 100 with two decimals. A larger share only adds instances."
_PRIORITY = "The branch with the smallest is tried first; of equal ones the older."
_SET = "Keys that the branch changes or adds. A namespace that is one text has the one key `content`."
_REMOVE = "Keys that the branch leaves out."

Entry = Annotated[str, StringConstraints(max_length=200)]
Priority = Annotated[int, Field(ge=0, le=1000, description=_PRIORITY)]


class GrayRuleIn(In):
    """Selects instances of one app: by address, by label, or a share of all; one match is enough, and one is needed."""

    client_app: str = Field(description=_CLIENT_APP)
    ips: list[Entry] = Field([], max_length=1000, description=_IPS)
    labels: list[Entry] = Field([], max_length=1000, description=_LABELS)
    # Bounds are told here and held by the domain, which names the rule that is wrong.
    percent: float | None = Field(None, description=_PERCENT, json_schema_extra={"minimum": 0, "maximum": 100})


class GrayRuleOut(Out):
    """A rule as it is kept: addresses in their usual spelling, nothing twice."""

    client_app: str = Field(description=_CLIENT_APP)
    ips: list[str] = Field(description=_IPS)
    labels: list[str] = Field(description=_LABELS)
    percent: float | None = Field(description=_PERCENT)


class NewBranch(In):
    """A branch to be created. Nobody sees it until it is published."""

    title: Label = ""
    priority: Priority = 100
    rules: list[GrayRuleIn] = Field([], max_length=1000)
    set: dict[str, str] = Field({}, description=_SET)
    remove: list[str] = Field([], max_length=50_000, description=_REMOVE)


class BranchValue(In):
    """What the branch of the path is to become, as a whole."""

    title: Label
    priority: Priority
    rules: list[GrayRuleIn] = Field(max_length=1000)
    set: dict[str, str] = Field(description=_SET)
    remove: list[str] = Field(max_length=50_000, description=_REMOVE)


class BranchPublish(In):
    """Which state of a branch to publish."""

    revision: Number = Field(description="The revision of the branch that was reviewed.")
    may_empty: bool = Field(False, description="Publish also when nothing is left for the branch's clients.")
    title: Label = ""
    comment: Comment = ""


class BranchOut(Out):
    """A gray branch of a namespace."""

    name: str = Field(description="Stands in the place of the cluster in what its clients are answered.")
    title: str
    priority: int = Field(description=_PRIORITY)
    rules: list[GrayRuleOut] = Field(description="Of a published branch they count as they stand here.")
    set: dict[str, str] = Field(description=_SET)
    remove: list[str] = Field(description=_REMOVE)
    revision: int = Field(description="Name it in If-Match to change the branch.")
    release: int | None = Field(description="Id of the release that its clients get; null until it is published.")
    pending: bool = Field(description="`set` and `remove` were changed since they were published.")
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str


class BranchList(Out):
    """The branches of a namespace in the order in which they are tried."""

    items: list[BranchOut]


async def create_branch(call: Call[NewBranch]) -> Reply:
    checked = await gray.checked_draft(call.caller, call.namespace, _draft(call.input))
    async with call.config.write() as tx:
        branch = await gray.create_branch(tx, call.caller, call.namespace, checked)
    ref = branch.ref
    location = BRANCH.format(
        environment=ref.environment, app=ref.app, cluster=ref.cluster, namespace=ref.namespace, branch=branch.name
    )
    return Reply(_branch(branch), revision=branch.revision, location=location)


async def list_branches(call: Call[None]) -> Reply:
    async with call.config.read() as tx:
        found = await gray.list_branches(tx, call.caller, call.namespace)
    return Reply(BranchList(items=[_branch(branch) for branch in found]))


async def get_branch(call: Call[None]) -> Reply:
    async with call.config.read() as tx:
        branch = await gray.get_branch(tx, call.caller, call.namespace, call.path["branch"])
    return Reply(_branch(branch), revision=branch.revision)


async def change_branch(call: Call[BranchValue]) -> Reply:
    checked = await gray.checked_draft(call.caller, call.namespace, _draft(call.input))
    async with call.config.write() as tx:
        branch = await gray.change_branch(
            tx, call.caller, call.namespace, call.path["branch"], checked, seen=call.revision
        )
    return Reply(_branch(branch), revision=branch.revision)


async def delete_branch(call: Call[None]) -> Reply:
    async with call.config.write() as tx:
        await gray.delete_branch(tx, call.caller, call.namespace, call.path["branch"], seen=call.revision)
    return Reply()


async def publish_branch(call: Call[BranchPublish]) -> Reply:
    asked = call.input
    reviewed = await gray_publish.review_branch(
        call.config,
        call.caller,
        call.namespace,
        call.path["branch"],
        seen=asked.revision,
        may_empty=asked.may_empty,
    )
    note = Note(asked.title, asked.comment, call.idempotency_key)
    async with call.config.write() as tx:
        made = await gray_publish.publish_branch(tx, call.caller, call.namespace, reviewed, note)
    return Reply(published_out(made))


def _draft(wanted: NewBranch | BranchValue) -> BranchDraft:
    rules = [GrayRule(rule.client_app, tuple(rule.ips), tuple(rule.labels), rule.percent) for rule in wanted.rules]
    return BranchDraft(wanted.title, wanted.priority, rules, wanted.set, wanted.remove)


def _branch(branch: GrayBranch) -> BranchOut:
    return BranchOut(
        name=branch.name,
        title=branch.title,
        priority=branch.priority,
        rules=[
            GrayRuleOut(client_app=r.client_app, ips=list(r.ips), labels=list(r.labels), percent=r.percent)
            for r in branch.rules
        ],
        set=dict(branch.overlay),
        remove=list(branch.removed),
        revision=branch.revision,
        release=branch.release_id,
        pending=branch.release_id is None
        or (branch.overlay, branch.removed) != (branch.live_overlay, branch.live_removed),
        created_at=branch.created_at,
        created_by=branch.created_by,
        updated_at=branch.updated_at,
        updated_by=branch.updated_by,
    )


_BRANCHES = NAMESPACE + "/branches"
BRANCH = _BRANCHES + "/{branch}"
_STALE = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)

ENDPOINTS = (
    Endpoint(
        "GET",
        _BRANCHES,
        list_branches,
        "List the gray branches of a namespace",
        Right.VIEW,
        None,
        BranchList,
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
    Endpoint(
        "POST",
        _BRANCHES,
        create_branch,
        "Create a gray branch",
        Right.EDIT,
        NewBranch,
        BranchOut,
        HTTPStatus.CREATED,
        refusals=_STALE,
    ),
    Endpoint(
        "GET",
        BRANCH,
        get_branch,
        "Read a gray branch",
        Right.VIEW,
        None,
        BranchOut,
        refusals=(HTTPStatus.NOT_FOUND,),
    ),
    Endpoint(
        "PUT",
        BRANCH,
        change_branch,
        "Replace what a gray branch changes and whom it selects",
        Right.EDIT,
        BranchValue,
        BranchOut,
        needs_revision=True,
        refusals=_STALE,
    ),
    Endpoint(
        "DELETE",
        BRANCH,
        delete_branch,
        "Abandon a gray branch: its clients get the namespace's release again",
        Right.PUBLISH,
        None,
        None,
        HTTPStatus.NO_CONTENT,
        needs_revision=True,
        refusals=_STALE,
    ),
    Endpoint(
        "POST",
        BRANCH + "/publish",
        publish_branch,
        "Release a gray branch to the clients that its rules select",
        Right.PUBLISH,
        BranchPublish,
        PublishedOut,
        HTTPStatus.CREATED,
        idempotent=True,
        refusals=_STALE,
    ),
)
