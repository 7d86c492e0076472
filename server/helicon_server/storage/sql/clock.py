"""The database's own clock, the same for all nodes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Float, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from .tables.types import Instant


class Ago(FunctionElement[Any]):
    """The moment that many seconds before now, in the form that ``Instant`` is stored in."""

    name = "ago"
    type = Instant()
    inherit_cache = True


def ago(parameter: str) -> ColumnElement[Any]:
    """The moment of the database's clock that lies the seconds of this bind parameter back."""
    return Ago(bindparam(parameter, type_=Float()))


NOW: ColumnElement[Any] = Ago(bindparam("no_seconds", 0.0, type_=Float()))


@compiles(Ago, "postgresql")
def _in_postgres(element: Ago, compiler: SQLCompiler, **options: Any) -> str:
    return f"(now() - make_interval(secs => {compiler.process(element.clauses, **options)}))"


@compiles(Ago, "sqlite")
def _in_sqlite(element: Ago, compiler: SQLCompiler, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    # The width that ``Instant`` writes; SQLite's clock has milliseconds.
    return f"(strftime('%Y-%m-%dT%H:%M:%f', 'now', (-{seconds}) || ' seconds') || '000+00:00')"
