"""The documentation check finds what it promises to find, and the documentation passes it."""

from __future__ import annotations

from pathlib import Path

from tools.check_docs import anchors, check_decisions, check_links, check_settings


def _messages(root: Path, text: str) -> list[str]:
    page = root / "page.md"
    page.write_text(text)
    return [finding.message for finding in check_links(root, [page])]


def test_links__file_and_heading_exist__nothing_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# The words: app, node\n")

    assert _messages(tmp_path, "[a](other.md) [b](other.md#the-words-app-node) [c](https://example.org/x)\n") == []


def test_links__file_missing__found_with_its_name(tmp_path: Path) -> None:
    assert _messages(tmp_path, "See [it](gone.md).\n") == ["the link gone.md leads nowhere"]


def test_links__heading_missing__found(tmp_path: Path) -> None:
    assert _messages(tmp_path, "# Here\n\n[it](#absent)\n") == ["the link #absent names a heading that does not exist"]


def test_links__out_of_the_repository__found(tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    root.mkdir()

    assert _messages(root, "[it](../x.md)\n") == ["the link ../x.md leaves the repository"]


def test_links__in_code__passed_over(tmp_path: Path) -> None:
    """An example is no link: neither in a fence nor in a span."""
    assert _messages(tmp_path, "```\n[a](gone.md)\n```\nand `[b](gone.md)`\n") == []


def test_anchors__same_heading_twice__numbered() -> None:
    assert {"add", "add-1"} == anchors("# Add\n## `Add`\n```\n# not one\n```\n")


def test_decisions__not_listed_and_same_number__found(tmp_path: Path) -> None:
    folder = tmp_path / "docs" / "decisions"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("- [One](0001-one.md)\n")
    for name in ("0001-one.md", "0001-two.md", "Three.md"):
        (folder / name).write_text("# x\n")

    assert [finding.message for finding in check_decisions(tmp_path)] == [
        "is not listed in docs/decisions/README.md",
        "has the number of 0001-one.md",
        "is not named like 0007-a-few-words.md",
    ]


def test_settings__known_and_described_differ__found_both_ways(tmp_path: Path) -> None:
    page = tmp_path / "settings.md"
    page.write_text("`HELICON_PORT` and `HELICON_GONE`\n")

    found = list(check_settings(page, {"HELICON_PORT": "a.py", "HELICON_NEW": "b.py"}))

    assert [finding.path for finding in found] == ["b.py", "docs/settings.md"]
    assert "HELICON_NEW" in found[0].message
    assert "HELICON_GONE" in found[1].message
