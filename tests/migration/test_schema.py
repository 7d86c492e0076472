"""The schema that the migrations make is the one that the application defines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

import helicon_migrations
from helicon_migrations import HEAD, REVISIONS, SchemaState, SchemaStatus, migrate, schema_state
from helicon_migrations.revisions import VERSION_TABLE
from tests.migration import schema
from tests.support.postgres import PostgresServer

SCRIPTS = Path(helicon_migrations.__file__).parent


@pytest.fixture
def second_url(empty_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Another empty database of the same kind."""
    if empty_url.startswith("sqlite"):
        yield f"sqlite+aiosqlite:///{tmp_path / 'second.db'}"
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    url = postgres.create_database()
    yield url
    postgres.drop_database(url)


async def test_schema__fresh__equals_migrated(empty_url: str, second_url: str) -> None:
    migrate(empty_url)
    await schema.on(second_url, schema.make_all)
    assert await schema.on(empty_url, schema.differences) == []
    assert await schema.on(second_url, schema.reflected) == await schema.on(empty_url, schema.reflected)
    assert await schema.on(second_url, schema.catalogue) == await schema.on(empty_url, schema.catalogue)


def test_revisions__kept_by_hand__are_the_scripts_in_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert list(REVISIONS) == [script.revision for script in scripts.walk_revisions()][::-1]
    assert scripts.get_current_head() == HEAD


@pytest.mark.parametrize("script", sorted((SCRIPTS / "versions").glob("2*.py")), ids=lambda path: path.stem)
def test_revision__script__stands_alone_and_offers_no_way_back(script: Path) -> None:
    """Scripts must do the same in years to come, and a schema that lost columns cannot be brought back."""
    text = script.read_text()
    assert "helicon" not in text.replace("helicon_migrations", "").replace(f'"{VERSION_TABLE}"', "")
    assert "def downgrade" not in text
    assert f'revision = "{script.stem}"' in text


async def test_migrate__empty_database__makes_it_current_once(empty_url: str) -> None:
    assert SchemaState(SchemaStatus.EMPTY, None) == await schema_state(empty_url)
    assert migrate(empty_url) == list(REVISIONS)
    assert SchemaState(SchemaStatus.CURRENT, HEAD) == await schema_state(empty_url)
    assert migrate(empty_url) == []
