"""What a transaction offers: every noun, to read or to write."""

from __future__ import annotations

from .access_keys import SqlAccessKeyReader, SqlAccessKeyWriter
from .apps import SqlAppReader, SqlAppWriter
from .audit import SqlAuditReader, SqlAuditWriter
from .branches import SqlBranchReader, SqlBranchWriter
from .clusters import SqlClusterReader, SqlClusterWriter
from .definitions import SqlDefinitionReader, SqlDefinitionWriter
from .environments import SqlEnvironmentReader, SqlEnvironmentWriter
from .idempotency import SqlIdempotencyReader, SqlIdempotencyWriter
from .instances import SqlInstanceReader, SqlInstanceWriter
from .items import SqlItemReader, SqlItemWriter
from .messages import SqlMessageReader, SqlMessageWriter
from .namespaces import SqlNamespaceReader, SqlNamespaceWriter
from .nodes import SqlNodeReader, SqlNodeWriter
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
        self.branches: SqlBranchReader = SqlBranchReader(session)
        self.access_keys: SqlAccessKeyReader = SqlAccessKeyReader(session)
        self.nodes: SqlNodeReader = SqlNodeReader(session)
        self.instances: SqlInstanceReader = SqlInstanceReader(session)


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
        self.branches: SqlBranchWriter = SqlBranchWriter(session)
        self.access_keys: SqlAccessKeyWriter = SqlAccessKeyWriter(session)
        self.nodes: SqlNodeWriter = SqlNodeWriter(session)
        self.instances: SqlInstanceWriter = SqlInstanceWriter(session)
