"""The nouns of the control group, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from helicon_server.domain.model import App, AuditEntry, Token, User

from .session import Session


class MemoryApps:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, app_id: str) -> App | None:
        return self._session.state.apps.get(app_id)

    async def list(self, *, after: str | None, limit: int) -> Sequence[App]:
        apps = self._session.state.apps
        return [apps[app_id] for app_id in sorted(apps) if app_id > (after or "")][:limit]

    async def insert(self, app: App) -> None:
        apps = self._session.state.apps
        if any(app.app_id.casefold() == other.casefold() for other in apps):
            self._session.refuse("app_exists", "An app of this id exists already.")
        apps[app.app_id] = app


class MemoryUsers:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, name: str) -> User | None:
        return self._session.state.users.get(name)

    async def list(self) -> Sequence[User]:
        users = self._session.state.users
        return [users[name] for name in sorted(users)]

    async def any(self) -> bool:
        return bool(self._session.state.users)

    async def insert(self, user: User) -> None:
        users = self._session.state.users
        if any(user.name.casefold() == other.casefold() for other in users):
            self._session.refuse("user_exists", "A user of this name exists already.")
        users[user.name] = user

    async def set_password(self, name: str, password_hash: str) -> bool:
        users = self._session.state.users
        if name not in users:
            return False
        users[name] = replace(users[name], password_hash=password_hash)
        return True


class MemoryTokens:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def find(self, sha256: str) -> Token | None:
        return next((t for t in self._session.state.tokens.values() if t.sha256 == sha256), None)

    async def list(self) -> Sequence[Token]:
        return list(self._session.state.tokens.values())

    async def any(self) -> bool:
        return bool(self._session.state.tokens)

    async def insert(self, token: Token) -> Token:
        state = self._session.state
        for other in state.tokens.values():
            in_use = token.revoked_at is None and other.revoked_at is None and other.name == token.name
            if in_use or other.sha256 == token.sha256:
                self._session.refuse("token_exists", "A token of this name is in use.")
        stored = replace(token, id=state.next_id())
        state.tokens[stored.id] = stored
        return stored

    async def revoke(self, name: str, *, at: datetime) -> bool:
        tokens = self._session.state.tokens
        live = next((t for t in tokens.values() if t.name == name and t.revoked_at is None), None)
        if live is None:
            return False
        tokens[live.id] = replace(live, revoked_at=at)
        return True


class MemoryAudit:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, *, environment: str, before_id: int | None, limit: int) -> Sequence[AuditEntry]:
        audit = self._session.state.audit
        newest_first = (audit[id_] for id_ in sorted(audit, reverse=True) if before_id is None or id_ < before_id)
        return [entry for entry in newest_first if entry.environment == environment][:limit]

    async def append(self, entry: AuditEntry) -> None:
        state = self._session.state
        id_ = state.next_id()
        state.audit[id_] = replace(entry, id=id_)
