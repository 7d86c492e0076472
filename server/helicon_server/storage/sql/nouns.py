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
        self.apps = SqlAppReader(session)
        self.users = SqlUserReader(session)
        self.tokens = SqlTokenReader(session)
        self.audit = SqlAuditReader(session)
        self.environments = SqlEnvironmentReader(session)
        self.clusters = SqlClusterReader(session)
        self.definitions = SqlDefinitionReader(session)
        self.namespaces = SqlNamespaceReader(session)
        self.items = SqlItemReader(session)
        self.releases = SqlReleaseReader(session)
        self.messages = SqlMessageReader(session)
        self.idempotency = SqlIdempotencyReader(session)


class SqlWrite:
    """Implements ControlWrite and ConfigWrite."""

    def __init__(self, session: Session) -> None:
        self.apps = SqlAppWriter(session)
        self.users = SqlUserWriter(session)
        self.tokens = SqlTokenWriter(session)
        self.audit = SqlAuditWriter(session)
        self.environments = SqlEnvironmentWriter(session)
        self.clusters = SqlClusterWriter(session)
        self.definitions = SqlDefinitionWriter(session)
        self.namespaces = SqlNamespaceWriter(session)
        self.items = SqlItemWriter(session)
        self.releases = SqlReleaseWriter(session)
        self.messages = SqlMessageWriter(session)
        self.idempotency = SqlIdempotencyWriter(session)
