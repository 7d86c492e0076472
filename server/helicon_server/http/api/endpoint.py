"""Routes as data: what an endpoint is, what it gets, what it gives back.

An endpoint must say which right it needs (``right=None`` opens it to everybody), so that a route without a decision
cannot be written. The OpenAPI document is generated from the same list that serves the requests.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from helicon_server.auth.sealing import Sealer
from helicon_server.auth.throttle import Throttle
from helicon_server.domain.actors import Right
from helicon_server.domain.names import (
    ClusterRef,
    NamespaceRef,
    parse_app_id,
    parse_cluster,
    parse_environment,
    parse_namespace,
)
from helicon_server.services import apps
from helicon_server.services.context import Caller
from helicon_server.storage.contract import ConfigDatabase, Storage

TEXT = "text"


class In(BaseModel):
    """What a client sends: types are taken as they are, unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Query(BaseModel):
    """Query parameters: text is converted, unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Out(BaseModel):
    """What the server answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f]*$"
_LINES = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"


def _without_control_characters(pattern: str) -> AfterValidator:
    """No database takes a NUL, and no terminal should be told to do things."""
    allowed = re.compile(pattern)

    def check(text: str) -> str:
        if not allowed.search(text):
            raise PydanticCustomError("control_character", "must not hold control characters")
        return text

    return AfterValidator(check)


# Texts for people. The pattern in the schema tells programs what the validator tells people.
_ONE_LINE_ONLY = (_without_control_characters(_ONE_LINE), Field(json_schema_extra={"pattern": _ONE_LINE}))
Label = Annotated[str, StringConstraints(max_length=200), *_ONE_LINE_ONLY]
UserName = Annotated[str, StringConstraints(max_length=128), *_ONE_LINE_ONLY]
Comment = Annotated[
    str,
    StringConstraints(max_length=1024),
    _without_control_characters(_LINES),
    Field(json_schema_extra={"pattern": _LINES}),
]
Number = Annotated[int, Field(ge=1, le=2**53 - 1)]  # an id or a revision, exact in every JSON parser


class PageQuery(Query):
    """Which part of a long list to answer."""

    limit: int = Field(50, ge=1, le=500, description="Entries of one page.")
    cursor: str | None = Field(None, max_length=256, description="`next_cursor` of the page before.")


InputT = TypeVar("InputT")


@dataclass(frozen=True, slots=True)
class Call(Generic[InputT]):
    """One authenticated and parsed request."""

    caller: Caller
    input: InputT  # the body model, the query model, or the text of a text body
    path: Mapping[str, str]
    revision: int  # of If-Match; 0 where the endpoint asks for none
    idempotency_key: str | None
    storage: Storage
    throttle: Throttle
    sealer: Sealer

    @property
    def environment(self) -> str:
        """The environment of the path."""
        return parse_environment(self.path["environment"])

    @property
    def app(self) -> str:
        """The app of the path."""
        return parse_app_id(self.path["app"])

    @property
    def cluster(self) -> ClusterRef:
        """The cluster of the path."""
        return ClusterRef(self.environment, self.app, parse_cluster(self.path["cluster"]))

    @property
    def namespace(self) -> NamespaceRef:
        """The namespace of the path."""
        of = self.cluster
        return NamespaceRef(of.environment, of.app, of.cluster, parse_namespace(self.path["namespace"]))

    @property
    def config(self) -> ConfigDatabase:
        """The database of the path's environment."""
        return self.storage.config(self.environment)

    async def require_app(self) -> str:
        """The app of the path, which must exist. Raises NotFound ``app_not_found``."""
        async with self.storage.control.read() as tx:
            return (await apps.require_app(tx, self.app)).app_id


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers; the endpoint's status unless it names its own."""

    body: BaseModel | str | None = None
    status: HTTPStatus | None = None
    revision: int | None = None  # becomes the ETag
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route of the API."""

    method: str
    path: str  # below /api/v1, with {name} for a segment and {name:path} for the rest
    handler: Callable[[Call[Any]], Awaitable[Reply]]
    summary: str
    right: Right | None
    input: type[BaseModel] | str | None = None  # query model of a GET, body model otherwise, or TEXT
    output: type[BaseModel] | str | None = None
    status: HTTPStatus = HTTPStatus.OK
    also: tuple[HTTPStatus, ...] = ()  # other statuses of success, with the same output
    needs_revision: bool = False  # If-Match must name the revision that the caller saw, of ``revised``
    idempotent: bool = False  # honours Idempotency-Key
    refusals: tuple[HTTPStatus, ...] = ()  # beyond those that every endpoint has

    @property
    def revised(self) -> str:
        """What has the revision that a write must name: a branch of its path, else the draft."""
        return "branch" if "{branch}" in self.path else "draft"
