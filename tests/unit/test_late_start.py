"""Databases that were away at the start are used only after somebody has looked at them."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from helicon_server import late_start
from helicon_server.domain.errors import Conflict, Unavailable
from helicon_server.late_start import LateStart
from helicon_server.storage.gated import GatedDatabase
from helicon_server.storage.memory import MemoryDatabase
from tests.support.wait import wait_until_async


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_start, "_LONGEST_PAUSE_S", 0.01)


class Installation:
    """Two databases, of which some answer, and what was done with them."""

    def __init__(self) -> None:
        self.gates = {name: GatedDatabase(MemoryDatabase(name)) for name in ("main", "PRO")}
        self.answering: set[str] = set()
        self.opened: list[str] = []
        self.prepared = 0
        self.failures: list[Exception] = []
        self.late = LateStart(self.gates, self._kept_out_by, on_open=self.opened.append, prepare=self._prepare)

    async def _kept_out_by(self, name: str) -> str | None:
        return None if name in self.answering else "refused"

    async def _prepare(self) -> None:
        if self.failures:
            raise self.failures.pop()
        self.prepared += 1


def test_database__not_looked_at__refuses_every_transaction() -> None:
    gate = GatedDatabase(MemoryDatabase())
    for begin in (gate.read, gate.write):
        with pytest.raises(Unavailable) as refused:
            begin()
        assert refused.value.details["reason"] == "not_checked"


async def test_database__looked_at_in_vain__says_why() -> None:
    """Of the last look; who only reads that nothing was checked looks in the wrong place."""
    made = Installation()
    made.answering.add("PRO")
    await made.late.look()
    with pytest.raises(Unavailable) as refused:
        made.gates["main"].read()
    assert refused.value.details["reason"] == "refused"


async def test_database__let_in__is_the_database() -> None:
    gate = GatedDatabase(MemoryDatabase("PRO"))
    gate.let_in()
    async with gate.write() as tx:
        assert await tx.messages.newest_id() == 0
    assert gate.name == "PRO"


async def test_databases__are_let_in_one_by_one_and_prepared_together() -> None:
    """One that is away keeps nobody from the other."""
    made = Installation()
    made.answering.add("main")
    assert not await made.late.look()
    assert made.gates["main"].open
    assert not made.gates["PRO"].open
    made.late.start()
    made.answering.add("PRO")
    await wait_until_async(lambda: made.prepared, 5, "prepared databases")
    assert made.opened == ["main", "PRO"]
    await made.late.stop()


async def test_prepare__database_away_again__is_repeated() -> None:
    made = Installation()
    made.answering = {"main", "PRO"}
    made.failures = [Unavailable("away"), Unavailable("away")]
    made.late.start()
    await wait_until_async(lambda: made.prepared == 1, 5, "prepared databases")
    await made.late.stop()


async def test_prepare__refused__is_told_and_disturbs_nobody() -> None:
    """Such as another master key: the next start says it too."""
    made = Installation()
    made.answering = {"main", "PRO"}
    made.failures = [Conflict("no", code="environment_in_main_database")]
    with capture_logs() as logs:
        made.late.start()
        await wait_until_async(lambda: logs, 5, "a line in the log")
    assert (logs[0]["event"], logs[0]["code"]) == ("node.prepare_failed", "environment_in_main_database")
    assert all(gate.open for gate in made.gates.values())
    await made.late.stop()
