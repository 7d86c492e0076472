"""A batch of records of running clients with one that the database refuses."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from helicon_server.delivery.index import EnvironmentView, Resolution
from helicon_server.delivery.instances import InstanceRecorder
from helicon_server.domain.model import LiveRelease
from helicon_server.domain.names import NamespaceRef
from helicon_server.storage.sql import SqlDatabase

BAD = "k\ud800"  # half a character, which no database can store


async def test_batch__with_a_record_that_is_refused__is_stored_without_it(
    sql_url: str, open_sql: Callable[[str], SqlDatabase]
) -> None:
    database = open_sql(sql_url)
    recorder = InstanceRecorder(3600)
    recorder.start([database])
    view = EnvironmentView("DEV", cast("Any", SimpleNamespace(database=database)))
    for number in range(60):
        release = LiveRelease(
            NamespaceRef("DEV", "shop", "default", "application"), 1, BAD if number == 7 else "k", 1, 1
        )
        recorder.on_served(view, "shop", "default", "", f"10.0.0.{number}", "", Resolution(release, None))
    for text in ("1\x002", "x"):
        recorder.on_served(view, "shop", "default", "", text, "", Resolution(release, None))
        recorder.on_served(view, "shop", "default", "\x00", "10.0.1.1", text, Resolution(release, None))
    await recorder.stop()
    async with database.read() as tx:
        found = await tx.instances.list("DEV", "shop", "application", release_key=None, limit=100)
    assert {record.ip for record in found} == {f"10.0.0.{number}" for number in range(60)} - {"10.0.0.7"}
    assert (recorder.written, recorder.dropped) == (59, 1)
