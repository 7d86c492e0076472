"""Checks the documentation: links lead somewhere, decisions are listed, every setting is described."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote

from helicon._impl.settings import VARIABLES
from helicon_server.settings import PREFIX, Settings
from tools.tree import ROOT, Finding, files, report

_LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s*<?(\S+?)>?\s*$")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_FENCE = re.compile(r"^\s{0,3}(```+|~~~+)")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$")
_CODE_SPAN = re.compile(r"`[^`]*`")
_DECISION = re.compile(r"\d{4}-[a-z0-9-]+\.md")
_SETTING = re.compile(r"\bHELICON_[A-Z][A-Z0-9_]*[A-Z0-9]\b")

SETTINGS_PAGE = "docs/settings.md"


def _prose(text: str) -> Iterator[tuple[int, str]]:
    """Yields the numbered lines outside fenced blocks."""
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        mark = _FENCE.match(line)
        if mark is not None and not fence:
            fence = mark[1]
        elif mark is not None and mark[1].startswith(fence):
            fence = ""
        elif not fence:
            yield number, line


def anchors(text: str) -> set[str]:
    """Returns the anchors that headings of a Markdown text have on the usual forges."""
    found: dict[str, int] = {}
    result = set()
    for _, line in _prose(text):
        heading = _HEADING.match(line)
        if heading is None:
            continue
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1])
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        seen = found.get(slug, 0)
        found[slug] = seen + 1
        result.add(f"{slug}-{seen}" if seen else slug)
    return result


def check_links(root: Path, pages: list[Path]) -> Iterator[Finding]:
    """Finds relative links whose file, or whose heading in a Markdown file, does not exist."""
    for page in pages:
        name = str(page.relative_to(root))
        for number, line in _prose(page.read_text()):
            for match in _LINK.finditer(_CODE_SPAN.sub("", line)):
                target = match[1] or match[2]
                if _SCHEME.match(target) or target.startswith("//"):
                    continue
                path, _, anchor = unquote(target).partition("#")
                goal = (page.parent / path).resolve() if path else page
                if not goal.is_relative_to(root.resolve()):
                    yield Finding(name, number, f"the link {target} leaves the repository")
                elif not goal.exists():
                    yield Finding(name, number, f"the link {target} leads nowhere")
                elif anchor and goal.suffix == ".md" and anchor not in anchors(goal.read_text()):
                    yield Finding(name, number, f"the link {target} names a heading that does not exist")


def check_decisions(root: Path) -> Iterator[Finding]:
    """Finds decision records that the index omits, share a number, or have another form of name."""
    folder = root / "docs" / "decisions"
    index = folder / "README.md"
    if not index.exists():
        yield Finding("docs/decisions", 0, "has no README.md that lists the decisions")
        return
    listed = index.read_text()
    numbers: dict[str, str] = {}
    for record in sorted(folder.glob("*.md")):
        if record == index:
            continue
        name = f"docs/decisions/{record.name}"
        if not _DECISION.fullmatch(record.name):
            yield Finding(name, 0, "is not named like 0007-a-few-words.md")
            continue
        if f"({record.name})" not in listed:
            yield Finding(name, 0, "is not listed in docs/decisions/README.md")
        other = numbers.setdefault(record.name[:4], record.name)
        if other != record.name:
            yield Finding(name, 0, f"has the number of {other}")


def known_settings() -> dict[str, str]:
    """Returns the variables that the server and the client read, with the module that reads each."""
    server = dict.fromkeys(
        (PREFIX + name.upper() for name in Settings.model_fields), "server/helicon_server/settings.py"
    )
    return server | dict.fromkeys(VARIABLES, "client/helicon/_impl/settings.py")


def check_settings(page: Path, known: Mapping[str, str]) -> Iterator[Finding]:
    """Finds settings that the code knows and the settings page does not, and the reverse."""
    if not page.exists():
        return
    described = set(_SETTING.findall(page.read_text()))
    for name in sorted(known.keys() - described):
        yield Finding(known[name], 0, f"reads {name}, which {SETTINGS_PAGE} does not describe")
    for name in sorted(described - known.keys()):
        yield Finding(SETTINGS_PAGE, 0, f"describes {name}, which nothing reads")


def findings(root: Path = ROOT) -> Iterator[Finding]:
    pages = [path for path in files(root) if path.suffix == ".md"]
    yield from check_links(root, pages)
    yield from check_decisions(root)
    yield from check_settings(root / SETTINGS_PAGE, known_settings())


if __name__ == "__main__":
    sys.exit(report(findings()))
