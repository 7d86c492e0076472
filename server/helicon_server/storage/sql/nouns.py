"""What a transaction offers: every noun, to read or to write."""

from __future__ import annotations

from .apps import SqlAppReader, SqlAppWriter
from .audit import SqlAuditReader, SqlAuditWriter
from .clusters import SqlClusterReader, SqlClusterWriter
from .definitions import SqlDefinitionReader, SqlDefinitionWriter
from .environments import SqlEnvironmentReader, SqlEnvironmentWriter
from .idempotency import SqlIdempotencyReader, SqlIdempotencyWriter
from .items import SqlItemReader, SqlItemWriter
from .messages import SqlMessageReader, SqlMessageWriter
from .namespaces import SqlNamespaceReader, SqlNamespaceWriter
from .releases import SqlReleaseReader, SqlReleaseWriter
from .session import Session
from .tokens import SqlTokenReader, SqlTokenWriter
from .users import SqlUserReader, SqlUserWriter


class SqlRead:
    """Implements ControlRead and ConfigRead."""

    def __init__(self, session: Session) -> None:
        self.apps: SqlAppReader = SqlAppReader(session)
        self.users: SqlUserReader = SqlUserReader(session)
        self.tokens: SqlTokenReader = SqlTokenReader(session)
        self.audit: SqlAuditReader = SqlAuditReader(session)
        self.environments: SqlEnvironmentReader = SqlEnvironmentReader(session)
        self.clusters: SqlClusterReader = SqlClusterReader(session)
        self.definitions: SqlDefinitionReader = SqlDefinitionReader(session)
        self.namespaces: SqlNamespaceReader = SqlNamespaceReader(session)
        self.items: SqlItemReader = SqlItemReader(session)
        self.releases: SqlReleaseReader = SqlReleaseReader(session)
        self.messages: SqlMessageReader = SqlMessageReader(session)
        self.idempotency: SqlIdempotencyReader = SqlIdempotencyReader(session)


class SqlWrite:
    """Implements ControlWrite and ConfigWrite."""

    def __init__(self, session: Session) -> None:
        self.apps: SqlAppWriter = SqlAppWriter(session)
        self.users: SqlUserWriter = SqlUserWriter(session)
        self.tokens: SqlTokenWriter = SqlTokenWriter(session)
        self.audit: SqlAuditWriter = SqlAuditWriter(session)
        self.environments: SqlEnvironmentWriter = SqlEnvironmentWriter(session)
        self.clusters: SqlClusterWriter = SqlClusterWriter(session)
        self.definitions: SqlDefinitionWriter = SqlDefinitionWriter(session)
        self.namespaces: SqlNamespaceWriter = SqlNamespaceWriter(session)
        self.items: SqlItemWriter = SqlItemWriter(session)
        self.releases: SqlReleaseWriter = SqlReleaseWriter(session)
        self.messages: SqlMessageWriter = SqlMessageWriter(session)
        self.idempotency: SqlIdempotencyWriter = SqlIdempotencyWriter(session)
