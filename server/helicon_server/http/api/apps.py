"""``/apps``."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

from pydantic import Field

from helicon_server.domain.actors import Right
from helicon_server.domain.model import App
from helicon_server.services import apps

from .endpoint import Call, Endpoint, In, Label, Out, PageQuery, Reply
from .paging import cursor_of, position_of


class NewApp(In):
    """An app to be created."""

    app_id: str = Field(description="Letters, digits, '_', '-' and '.'; clients send it with every request.")
    name: Label = Field("", description="For people; the id when empty.")
    department: Label = ""
    owner: Label = Field("", description="Who answers for it; the caller when empty.")


class AppOut(Out):
    """A program that reads configuration."""

    app_id: str
    name: str
    department: str
    owner: str
    created_at: datetime
    created_by: str


class AppPage(Out):
    """Apps by id."""

    items: list[AppOut]
    next_cursor: str | None


async def create_app(call: Call[NewApp]) -> Reply:
    new = call.input
    async with call.storage.control.write() as tx:
        app = await apps.create_app(
            tx, call.caller, app_id=new.app_id, name=new.name, department=new.department, owner=new.owner
        )
    return Reply(_app(app), location=f"/apps/{app.app_id}")


async def get_app(call: Call[None]) -> Reply:
    async with call.storage.control.read() as tx:
        return Reply(_app(await apps.get_app(tx, call.caller, call.app)))


async def list_apps(call: Call[PageQuery]) -> Reply:
    page = call.input
    async with call.storage.control.read() as tx:
        found = await apps.list_apps(tx, call.caller, after=position_of(page.cursor), limit=page.limit + 1)
    more = len(found) > page.limit
    shown = found[: page.limit]
    return Reply(AppPage(items=[_app(app) for app in shown], next_cursor=cursor_of(shown[-1].app_id) if more else None))


def _app(app: App) -> AppOut:
    return AppOut(
        app_id=app.app_id,
        name=app.name,
        department=app.department,
        owner=app.owner,
        created_at=app.created_at,
        created_by=app.created_by,
    )


ENDPOINTS = (
    Endpoint("GET", "/apps", list_apps, "List apps", Right.VIEW, PageQuery, AppPage),
    Endpoint(
        "POST",
        "/apps",
        create_app,
        "Create an app",
        Right.MANAGE,
        NewApp,
        AppOut,
        HTTPStatus.CREATED,
        refusals=(HTTPStatus.CONFLICT,),
    ),
    Endpoint("GET", "/apps/{app}", get_app, "Read an app", Right.VIEW, None, AppOut, refusals=(HTTPStatus.NOT_FOUND,)),
)
