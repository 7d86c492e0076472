"""A backup that could not be written is written as soon as it can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from helicon._impl import backup as backup_module
from helicon._impl import progress
from helicon._impl.backup import Copy, Identity
from tests.support.clients import OpenClient
from tests.support.scripted_server import ScriptedServer
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at namespaces all the time instead of every few minutes."""
    monkeypatch.setattr(progress, "RECHECK_SECONDS", (0.01, 0.01))
    monkeypatch.setattr(progress, "REFRESH_SECONDS", 0.02)


def test_client__backup_folder_comes_late__keeps_the_release_at_a_later_look(
    apollo: ScriptedServer, open_client: OpenClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "mount").write_text("in the way")
    caplog.set_level("INFO", "helicon")
    client = open_client(apollo.url, cache_dir=tmp_path / "mount" / "state")

    def problem() -> str | None:
        return client.status().namespaces["application"].backup_problem

    eventually(problem, "the failed write")
    looks = apollo.count("configs")
    eventually(lambda: apollo.count("configs") > looks + 4, "several more looks")
    assert sum("backup_not_kept" in record.message for record in caplog.records) == 1, "told at every try"

    (tmp_path / "mount").unlink()

    eventually(lambda: problem() is None, "the backup")
    assert "backup_kept_again" in caplog.text
    client.close()
    apollo.stop()
    offline = open_client(apollo.url, cache_dir=tmp_path / "mount" / "state")
    assert offline.namespace().get("http.timeout") == "2500"


def test_client__release_too_large_for_a_backup__is_not_built_again_and_again(
    apollo: ScriptedServer, open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_module, "SIZE_LIMIT", 10)
    built: list[object] = []
    encode = backup_module.encode

    def counted(identity: Identity, copy: Copy) -> bytes:
        built.append(copy.release_key)
        return encode(identity, copy)

    monkeypatch.setattr(backup_module, "encode", counted)
    client = open_client(apollo.url)
    eventually(lambda: client.status().namespaces["application"].notification_id > 0, "the confirmed id")
    eventually(lambda: client.status().namespaces["application"].backup_problem, "the reason")
    looks = apollo.count("configs")
    eventually(lambda: apollo.count("configs") > looks + 4, "several more looks")
    assert len(built) <= 2, "at most once unconfirmed and once confirmed"
