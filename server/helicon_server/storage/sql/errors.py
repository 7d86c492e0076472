"""From driver errors to domain errors, at the edge and only there.

Text of drivers goes no further than the ``__cause__`` of an ``Unavailable``: the message of a violated constraint or of
a refused parameter repeats the values.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import exc

from helicon_server.domain.errors import Conflict, HeliconError, Unavailable

from .dialects import Dialect, Trouble, dialect_of

# Constraint → code and sentence. The names are those of ``tables``.
_CONFLICTS = {
    "apps_pk": ("app_exists", "An app of this id exists already; ids that differ by case only count as one."),
    "apps_app_id_folded_key": ("app_exists", "An app of this id exists already, written in another case."),
    "users_pk": ("user_exists", "A user of this name exists already."),
    "users_name_folded_key": ("user_exists", "A user of this name exists already, written in another case."),
    "tokens_live_name_key": ("token_exists", "A token of this name is in use; revoke it first or choose another name."),
    "tokens_sha256_key": ("token_exists", "This token is stored already."),
    "environments_pk": ("environment_exists", "An environment of this name exists already."),
    "clusters_pk": ("cluster_exists", "The app has a cluster of this name already."),
    "clusters_environment_app_name_folded_key": (
        "cluster_exists",
        "The app has a cluster of this name already, written in another case.",
    ),
    "definitions_pk": ("namespace_exists", "The app has defined a namespace of this name already."),
    "definitions_public_name_key": (
        "public_namespace_exists",
        "An app of this environment has a public namespace of this name already.",
    ),
    "namespaces_environment_app_cluster_name_folded_key": (
        "namespace_exists",
        "The cluster has a namespace of this name already.",
    ),
    "items_namespace_id_key_folded_key": (
        "item_exists",
        "The namespace has an item of this key already; keys that differ by case only count as one.",
    ),
    "branches_environment_app_cluster_namespace_folded_name_key": (
        "branch_exists",
        "The namespace has a branch of this name already.",
    ),
    "idempotency_pk": ("idempotency_key_in_use", "This idempotency key was used meanwhile; repeat the request."),
}


def conflict(constraint: str) -> Conflict:
    """The Conflict of a violated unique constraint."""
    code, message = _CONFLICTS.get(constraint, (None, "The request contradicts what is stored."))
    return Conflict(message, code=code)


def translate(error: Exception, dialect: Dialect) -> Exception:
    """Returns what to raise instead of an error of SQLAlchemy or of a driver; other errors come back as they are.

    Conflict for a violated uniqueness, Unavailable for a database that does not serve, RuntimeError without any value
    for a statement that the database refused: a defect of ours.
    """
    if isinstance(error, exc.TimeoutError):
        return _because(Unavailable("The database is busy; try again.", details={"reason": "pool_exhausted"}), error)
    for link in _chain(error):
        trouble = dialect.trouble(link)
        if trouble != Trouble():
            return _meaning(trouble, error)
    if isinstance(error, exc.SQLAlchemyError):
        # Raised anew without its cause: the driver repeats parameters in its text.
        state = next((s for link in _chain(error) if (s := getattr(link, "sqlstate", None))), None)
        return RuntimeError(f"the database refused a statement: {type(error).__name__}, sqlstate {state}")
    return error


def reason_of(error: Exception, url: str) -> str:
    """The word for why the database of this address did not serve; ``error`` is whatever its driver's was made into."""
    found = translate(error, dialect_of(url))
    reason = found.details.get("reason") if isinstance(found, Unavailable) else None
    return str(reason or "unreachable")


def _meaning(trouble: Trouble, error: BaseException) -> HeliconError:
    if trouble.constraint is not None:
        return conflict(trouble.constraint)
    unavailable = Unavailable(
        "The database does not answer; nothing was changed, the request may be repeated.",
        details={"reason": trouble.reason},
    )
    return _because(unavailable, error)


def _because(raised: HeliconError, cause: BaseException) -> HeliconError:
    raised.__cause__ = cause
    return raised


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, then what it wraps: SQLAlchemy keeps the driver's error in ``orig``, its adapters in ``__cause__``."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = getattr(link, "orig", None) or link.__cause__
