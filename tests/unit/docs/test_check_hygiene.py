"""The hygiene check finds addresses and paths of one machine; the samples are put together here, not written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.check_hygiene import check_text, machine_paths

# In pieces, so that this file passes the check.
INDEX = "https://mirror.example.org/" + "simple" + "/"
HOME = "/" + "home/maria/src"


def _found(text: str, paths: list[str] | None = None, hosts: set[str] | None = None, name: str = "x.toml") -> int:
    return len(list(check_text(name, text, paths or [], hosts or set())))


@pytest.mark.parametrize(
    "line",
    [
        INDEX,
        "--index-" + "url https://x",
        "index-" + "url = 'x'",
        '"resol' + 'ved": "https://x/y.tgz"',
        "files.python" + "hosted.org",
        "registry.npm" + "js.org",
        HOME,
        "C:\\" + "Users\\maria",
    ],
)
def test_hygiene__address_or_home__found(line: str) -> None:
    assert _found(line + "\n") == 1


@pytest.mark.parametrize(
    "line",
    ["a simple thing", "https://example.org/docs", "/home/helicon/data", "docs/users/guide", "resolved: yes"],
)
def test_hygiene__ordinary_line__passes(line: str) -> None:
    assert _found(line + "\n") == 0


def test_hygiene__host_of_this_machines_settings__found() -> None:
    """The hosts come from the configuration of pip and npm where the check runs."""
    assert _found("see packages.corp.example\n", hosts={"packages.corp.example"}) == 1


def test_hygiene__path_of_the_checkout__found_as_a_whole_path_only(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    paths = machine_paths(checkout)

    assert [str(checkout)] == paths
    assert _found(f"cd {checkout}/docs\n", paths) == 1
    assert _found(f"cd {checkout}-of-another\n", paths) == 0


def test_hygiene__trailing_white_space__found_but_not_a_markdown_break() -> None:
    assert _found("x \n") == 1
    assert _found("x \n", name="x.md") == 1
    assert _found("x  \n", name="x.md") == 0


def test_hygiene__no_line_break_at_the_end__found() -> None:
    assert _found("x") == 1
