"""What the package promises to keep."""

from __future__ import annotations

import pickle
import tomllib
from pathlib import Path

import pytest

import helicon
from helicon._impl.errors import HeliconError, RequestError, SettingsError, UnavailableError

PUBLIC = [
    "BindError",
    "Change",
    "ChangeEvent",
    "ChangeKind",
    "Client",
    "ClientStatus",
    "Config",
    "Connection",
    "HeliconError",
    "NamespaceStatus",
    "SettingsError",
    "Snapshot",
    "Source",
    "__version__",
]


def public(kind: type) -> list[str]:
    return sorted(name for name in vars(kind) if not name.startswith("_"))


def test_package__names__are_pinned() -> None:
    assert sorted(helicon.__all__) == PUBLIC
    assert dir(helicon) == PUBLIC
    for name in PUBLIC:
        assert getattr(helicon, name) is not None
    with pytest.raises(AttributeError, match="AsyncClient"):
        helicon.AsyncClient  # type: ignore[attr-defined]  # noqa: B018


def test_client_and_config__methods__are_pinned() -> None:
    assert public(helicon.Client) == ["close", "from_env", "namespace", "status"]
    assert public(helicon.Config) == [
        "bind",
        "content",
        "get",
        "json",
        "name",
        "on_change",
        "remove_listener",
        "snapshot",
    ]


def test_version__is_that_of_the_distribution() -> None:
    project = Path(helicon.__file__).parents[1] / "pyproject.toml"
    assert tomllib.loads(project.read_text())["project"]["version"] == helicon.__version__


def test_distribution__needs_nothing() -> None:
    project = Path(helicon.__file__).parents[1] / "pyproject.toml"
    assert tomllib.loads(project.read_text())["project"]["dependencies"] == []


def test_errors__across_processes__keep_their_code() -> None:
    for error in (
        SettingsError("missing_setting", "x", variable="HELICON_META"),
        UnavailableError("timeout", "y", retry_after=3.0),
    ):
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is type(error)
        assert (copy.code, str(copy), vars(copy)) == (error.code, str(error), vars(error))
    assert issubclass(RequestError, HeliconError)
