"""Column types that mean the same on SQLite and PostgreSQL, and the one MetaData."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

import orjson
from sqlalchemy import BigInteger, DateTime, Dialect, Integer, MetaData, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

# Constraints have names so that errors can be told apart and migrations can drop them.
NAMING = {
    "pk": "%(table_name)s_pk",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "fk": "%(table_name)s_%(column_0_N_name)s_fk",
    "ck": "%(table_name)s_%(constraint_name)s_check",
}

metadata = MetaData(naming_convention=NAMING)

# 64 bits on both. SQLite gives its row id only to a column that is declared INTEGER.
Identifier = BigInteger().with_variant(Integer(), "sqlite")

# Compared and sorted by code point on both, whatever the locale of the PostgreSQL database: paging by name and the
# order of lists must not depend on where the database was created.
Name = Text().with_variant(Text(collation="C"), "postgresql")


class Instant(TypeDecorator[datetime]):
    """An aware datetime in UTC: ``timestamptz`` on PostgreSQL, ISO 8601 text of fixed width on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(Text())
        return dialect.type_descriptor(DateTime(timezone=True))

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any]:
        textual = dialect.name == "sqlite"

        def process(value: datetime | None) -> Any:
            if value is None:
                return None
            if value.tzinfo is None:
                raise ValueError("a stored time must be aware")
            utc = value.astimezone(UTC)
            return utc.isoformat(timespec="microseconds") if textual else utc

        return process

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        if dialect.name != "sqlite":
            return None

        def process(value: Any) -> datetime | None:
            return None if value is None else datetime.fromisoformat(value)

        return process


class Document(TypeDecorator[Mapping[str, Any]]):
    """A JSON object kept as text with the order of its keys; a database's own JSON type would sort them."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Mapping[str, Any] | None], str | None]:
        def process(value: Mapping[str, Any] | None) -> str | None:
            return None if value is None else orjson.dumps(dict(value)).decode()

        return process

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], dict[str, Any] | None]:
        def process(value: str | None) -> dict[str, Any] | None:
            return None if value is None else orjson.loads(value)

        return process


class Content(Document):
    """The content of a release. One that was damaged until it is no JSON reads as empty: its hash tells so, and a
    thing that cannot be decoded would keep everything that is read with it from being read."""

    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], dict[str, Any] | None]:
        decode = super().result_processor(dialect, coltype)

        def process(value: str | None) -> dict[str, Any] | None:
            try:
                return decode(value)
            except ValueError:
                return {}

        return process


E_co = TypeVar("E_co", bound=StrEnum)


class Word(TypeDecorator[E_co]):
    """A member of a StrEnum, kept as its value. No CHECK constraint: a new word must not need a migration."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[E_co]) -> None:
        super().__init__()
        self.words = words

    def bind_processor(self, dialect: Dialect) -> Callable[[E_co | None], str | None]:
        return lambda value: None if value is None else value.value

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], E_co | None]:
        members = {word.value: word for word in self.words}
        return lambda value: None if value is None else members[value]


class Words(TypeDecorator[frozenset[E_co]]):
    """A set of members of a StrEnum, kept as their values in order, a blank between two."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[E_co]) -> None:
        super().__init__()
        self.words = words

    def bind_processor(self, dialect: Dialect) -> Callable[[frozenset[E_co] | None], str | None]:
        return lambda value: None if value is None else " ".join(sorted(word.value for word in value))

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], frozenset[E_co] | None]:
        words = self.words
        return lambda value: None if value is None else frozenset(words(word) for word in value.split())
