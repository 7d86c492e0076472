"""Checks every tracked text: no trailing white space, no path of this machine, no host of a package registry."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from tools.tree import ROOT, Finding, files, report, text_of

# Folders of one person's machine. `/home/helicon` is what a guide may call the service's own.
_HOMES = re.compile(r"(?<![\w.])/(?:home|Users)/(?!helicon\b)[a-z_][\w.-]*/|\.py[e]nv/|[A-Z]:\\Users\\", re.ASCII)
# The shapes that an index address takes, whoever's host it is on.
_ADDRESSES = re.compile(
    r"https?://[^\s\"'<>]*/simple\b|--(?:extra-)?index-url[ =]\S|--find-links[ =]\S|\"resolved\"\s*:"
    r"|\b(?:[\w-]+\.)*(?:pypi|pythonhosted|npmjs)\.[a-z]{2,}\b|^\s*(?:extra-)?index-url\s*=",
    re.IGNORECASE,
)
_MARKDOWN_BREAK = re.compile(r"\S  $")


def machine_paths(root: Path) -> list[str]:
    """Returns the checkout and its neighbours on this disk: none of them exists on the reader's machine."""
    if len(root.parts) <= 2:  # a checkout such as /app is no address of a machine
        return []
    return sorted(str(folder) for folder in root.parent.iterdir() if folder.is_dir())


def registry_hosts() -> set[str]:
    """Returns the hosts that pip, uv and npm are configured with here, as their settings files name them."""
    texts = [value for key, value in os.environ.items() if re.match(r"(?i)(pip|uv|npm_config)_", key)]
    pip = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    texts += pip.stdout.splitlines()
    npmrc = Path.home() / ".npmrc"
    if npmrc.exists():
        parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
        parser.read_string("[npm]\n" + npmrc.read_text())
        texts += [value for _, value in parser.items("npm") if value]
    addresses = (match for text in texts for match in re.findall(r"https?://[^\s'\"]+", text))
    return {host for host in (urlsplit(address).hostname for address in addresses) if host and "." in host}


def check_text(name: str, text: str, paths: Iterable[str], hosts: Iterable[str]) -> Iterator[Finding]:
    """Finds the faults of one file's text."""
    own = [re.compile(rf"(?<![\w./-]){re.escape(path)}(?![\w-])") for path in paths]
    for number, line in enumerate(text.splitlines(), start=1):
        if line != line.rstrip() and not (name.endswith(".md") and _MARKDOWN_BREAK.search(line)):
            yield Finding(name, number, "ends in white space")
        if _HOMES.search(line) or any(pattern.search(line) for pattern in own):
            yield Finding(name, number, "names a path that exists on one machine only")
        if _ADDRESSES.search(line) or any(host in line for host in hosts):
            yield Finding(name, number, "names a package registry; pip and npm are told by their own settings")
    if text and not text.endswith("\n"):
        yield Finding(name, 0, "does not end with a line break")


def findings(root: Path = ROOT) -> Iterator[Finding]:
    paths, hosts = machine_paths(root), registry_hosts()
    for path in files(root):
        text = text_of(path)
        if text is not None:
            yield from check_text(str(path.relative_to(root)), text, paths, hosts)


if __name__ == "__main__":
    sys.exit(report(findings()))
