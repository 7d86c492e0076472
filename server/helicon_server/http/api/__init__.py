"""Our own management API, ``/api/v1``: JSON, problem documents, revisions, idempotency keys."""
