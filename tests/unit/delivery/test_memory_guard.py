"""Near a limit of memory the node holds no more polls than it did, and forgets content that can be read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from helicon_server.delivery.hub import WatchHub
from helicon_server.delivery.memory_guard import Memory, MemoryGuard, ProcessMemory
from helicon_server.delivery.options import MIB
from helicon_server.delivery.store import Content, ReleaseStore


class FullHub(WatchHub):
    """A hub that holds so many polls."""

    def __init__(self, held: int) -> None:
        super().__init__(max_waiters=1_000, slice_size=10, hold_s=60)
        self.held = held

    def __len__(self) -> int:
        return self.held


class Guarded:
    """A guard over memory that a test sets."""

    def __init__(self, held: int = 100) -> None:
        self.hub = FullHub(held)
        self.store = ReleaseStore(8 * MIB)
        self.shares: list[float] = []
        self.guard = MemoryGuard(self.hub, self.store, self._read)

    def at(self, *shares: float) -> MemoryGuard:
        self.shares = list(shares)
        self.guard.look()
        return self.guard

    def _read(self) -> list[Memory]:
        return [Memory("setting", int(share * 1000), 1000) for share in self.shares]


def test_memory__below_nine_tenths__changes_nothing() -> None:
    guarded = Guarded()
    assert not guarded.at(0.89).short
    assert guarded.hub.ceiling is None
    assert guarded.store.budget_bytes == 8 * MIB


def test_memory__without_a_limit__is_never_short() -> None:
    assert not Guarded().at().short


def test_memory__short__lowers_the_ceiling_and_the_budget() -> None:
    """Fault A8. The fullest limit counts."""
    guarded = Guarded()
    assert guarded.at(0.2, 0.91).short
    assert guarded.hub.ceiling == 90
    assert guarded.store.budget_bytes == 4 * MIB


def test_memory__that_stays__does_not_lower_it_further() -> None:
    """What was freed need not come back to the machine: the node would end up holding nobody."""
    guarded = Guarded()
    guarded.at(0.91)
    guarded.hub.held = 40
    guarded.at(0.91)
    guarded.at(0.90)
    assert guarded.hub.ceiling == 90


def test_memory__that_grows_on__lowers_it_further() -> None:
    guarded = Guarded()
    guarded.at(0.91)
    guarded.hub.held = 85
    guarded.at(0.95)
    assert guarded.hub.ceiling == 76


def test_memory__that_grows_on_without_polls__does_not_lower_it() -> None:
    """Whatever grows, it is not they; refused for ever, they would never come back."""
    guarded = Guarded()
    guarded.at(0.91)
    guarded.hub.held = 0
    guarded.at(0.95)
    assert guarded.hub.ceiling == 90


@pytest.mark.parametrize(("share", "short"), [(0.86, True), (0.84, False)])
def test_memory__falling__is_well_below_85_per_cent_only(share: float, short: bool) -> None:
    """Two bounds, so that it does not flicker."""
    guarded = Guarded()
    guarded.at(0.91)
    assert guarded.at(share).short is short
    assert (guarded.hub.ceiling is None) is not short
    assert (guarded.store.budget_bytes == 8 * MIB) is not short


def test_store__given_a_smaller_budget__forgets_the_oldest_at_once() -> None:
    store = ReleaseStore(8 * MIB)
    for number in range(6):
        store.put_content((None, number, "key"), Content(b"x" * MIB))  # type: ignore[arg-type]  # an id of nobody
    store.resize(3 * MIB)
    assert store.used_bytes <= 3 * MIB
    assert store.evictions == 4


class TestLimits:
    def test_setting__is_compared_with_resident_memory(self) -> None:
        (memory,) = [each for each in ProcessMemory(1 << 40)() if each.name == "setting"]
        assert memory.limit == 1 << 40
        assert memory.used == pytest.approx(ProcessMemory(None).sizes()[1], rel=0.2)

    @pytest.mark.parametrize("limit_at", ["own", "parent"])
    def test_control_group__second_version__is_found_up_the_tree(self, tmp_path: Path, limit_at: str) -> None:
        proc, groups = tmp_path / "proc", tmp_path / "groups"
        own = groups / "pods" / "helicon"
        own.mkdir(parents=True)
        proc.mkdir()
        (proc / "cgroup").write_text("0::/pods/helicon\n")
        (own / "memory.max").write_text("max\n")
        place = own if limit_at == "own" else own.parent
        (place / "memory.max").write_text("1000\n")
        (place / "memory.current").write_text("700\n")
        (place / "memory.stat").write_text("anon 1\ninactive_file 200\n")
        found = [each for each in ProcessMemory(None, proc, groups)() if each.name == "control_group"]
        assert found == [Memory("control_group", 500, 1000)]

    def test_control_group__first_version__is_found(self, tmp_path: Path) -> None:
        proc, group = tmp_path / "proc", tmp_path / "groups" / "memory" / "docker"
        group.mkdir(parents=True)
        proc.mkdir()
        (proc / "cgroup").write_text("12:cpu:/docker\n4:memory:/docker\n")
        (group / "memory.limit_in_bytes").write_text("2000\n")
        (group / "memory.usage_in_bytes").write_text("500\n")
        (group.parent / "memory.limit_in_bytes").write_text(f"{2**63 - 4096}\n")
        found = [each for each in ProcessMemory(None, proc, tmp_path / "groups")() if each.name == "control_group"]
        assert found == [Memory("control_group", 500, 2000)]

    def test_machine__that_tells_nothing__has_no_limit(self, tmp_path: Path) -> None:
        assert not [each for each in ProcessMemory(None, tmp_path, tmp_path)() if each.name == "control_group"]
