"""Checks constraints/*.txt: versions and hashes, no address, in step with the ranges of pyproject.toml."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tools.tree import ROOT, Finding, report

OWN = "helicon"
# Which groups of pyproject.toml each file covers; the project's own dependencies are in both.
FILES = {"run.txt": ("build",), "dev.txt": ("build", "test", "check")}
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def read_pins(path: Path) -> tuple[dict[str, Requirement], list[Finding]]:
    """Returns the pins of a constraints file by canonical name, and what it holds beside pins with hashes."""
    name = f"constraints/{path.name}"
    pins: dict[str, Requirement] = {}
    faults: list[Finding] = []
    number = 0
    logical = ""
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        logical += line.removesuffix("\\") + " "
        if line.endswith("\\") or not logical.strip():
            continue
        pin, *hashes = logical.split("--hash")
        logical = ""
        try:
            requirement = Requirement(pin.strip())
        except InvalidRequirement:
            faults.append(Finding(name, number, "is neither a pin nor a hash"))
            continue
        versions = list(requirement.specifier)
        if requirement.url or len(versions) != 1 or versions[0].operator != "==":
            faults.append(Finding(name, number, f"{requirement.name} is not pinned to one version"))
            continue
        if not hashes or not all(_HASH.fullmatch(f"--hash{text}".strip()) for text in hashes):
            faults.append(Finding(name, number, f"{requirement.name} has no hash, or a malformed one"))
        pins[canonicalize_name(requirement.name)] = requirement
    if logical.strip():
        faults.append(Finding(name, number, "ends in the middle of a pin"))
    return pins, faults


def check(root: Path = ROOT) -> Iterator[Finding]:
    """Finds faults of the constraints files, and direct dependencies that they lack or pin out of range."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    pinned: dict[str, dict[str, Requirement]] = {}
    for name, groups in FILES.items():
        pins, faults = read_pins(root / "constraints" / name)
        pinned[name] = pins
        yield from faults
        wanted = list(project["project"]["dependencies"])
        for group in groups:
            wanted += project["dependency-groups"][group]
        for text in wanted:
            requirement = Requirement(text)
            key = canonicalize_name(requirement.name)
            if key == OWN:
                continue
            pin = pins.get(key)
            if pin is None:
                yield Finding("pyproject.toml", 0, f"{text} is not pinned in constraints/{name}: make lock")
            elif not requirement.specifier.contains(next(iter(pin.specifier)).version, prereleases=True):
                yield Finding(f"constraints/{name}", 0, f"{pin} is out of the range {text}: make lock")
    # The tool that `make lock` runs is no dependency of the project; it is only pinned.
    yield from read_pins(root / "constraints" / "lock.txt")[1]
    for name, pin in pinned["run.txt"].items():
        other = pinned["dev.txt"].get(name)
        if other is None or other.specifier != pin.specifier:
            yield Finding("constraints/dev.txt", 0, f"differs from run.txt in {pin.name}: make lock")


if __name__ == "__main__":
    sys.exit(report(check()))
