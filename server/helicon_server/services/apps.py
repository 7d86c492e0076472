"""Apps: create, find, list."""

from __future__ import annotations

from collections.abc import Sequence

from helicon_server.domain.actors import Right
from helicon_server.domain.errors import NotFound
from helicon_server.domain.model import App
from helicon_server.domain.names import parse_app_id
from helicon_server.storage.contract import ControlRead, ControlWrite

from .context import Caller, audit


async def create_app(
    tx: ControlWrite, caller: Caller, *, app_id: str, name: str, department: str = "", owner: str = ""
) -> App:
    """Creates an app. Raises InvalidName, and Conflict ``app_exists``."""
    caller.may(Right.MANAGE)
    app = App(
        app_id=parse_app_id(app_id),
        name=name or app_id,
        department=department,
        owner=owner or caller.actor.name,
        created_at=caller.now,
        created_by=caller.actor.name,
    )
    await tx.apps.insert(app)
    await audit(tx.audit, caller, "app.create", app=app.app_id)
    return app


async def get_app(tx: ControlRead, caller: Caller, app_id: str) -> App:
    """Finds an app. Raises NotFound ``app_not_found``."""
    caller.may(Right.VIEW)
    return await require_app(tx, app_id)


async def list_apps(tx: ControlRead, caller: Caller, *, after: str | None, limit: int) -> Sequence[App]:
    """Lists apps by id, those behind ``after`` only."""
    caller.may(Right.VIEW)
    return await tx.apps.list(after=after, limit=limit)


async def require_app(tx: ControlRead, app_id: str) -> App:
    """Finds an app whoever asks; raises NotFound ``app_not_found``."""
    app = await tx.apps.get(app_id)
    if app is None:
        raise NotFound(f"There is no app {app_id!r}.", code="app_not_found")
    return app
