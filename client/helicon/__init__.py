"""Reads configuration from Helicon and every other Apollo-compatible configuration center.

Importing this package starts nothing and costs next to nothing: the names below load on first use, so
that the `helicon` command does not pay for the SDK.
"""

from __future__ import annotations

from helicon._impl import version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from helicon._impl.errors import BindError as BindError
    from helicon._impl.errors import HeliconError as HeliconError
    from helicon._impl.errors import SettingsError as SettingsError
    from helicon.client import Client as Client
    from helicon.config import Config as Config
    from helicon.events import Change as Change
    from helicon.events import ChangeEvent as ChangeEvent
    from helicon.events import ChangeKind as ChangeKind
    from helicon.snapshot import Snapshot as Snapshot
    from helicon.snapshot import Source as Source
    from helicon.status import ClientStatus as ClientStatus
    from helicon.status import Connection as Connection
    from helicon.status import NamespaceStatus as NamespaceStatus

__version__ = version.VERSION

_HOMES = {
    "BindError": "helicon._impl.errors",
    "Change": "helicon.events",
    "ChangeEvent": "helicon.events",
    "ChangeKind": "helicon.events",
    "Client": "helicon.client",
    "ClientStatus": "helicon.status",
    "Config": "helicon.config",
    "Connection": "helicon.status",
    "HeliconError": "helicon._impl.errors",
    "NamespaceStatus": "helicon.status",
    "SettingsError": "helicon._impl.errors",
    "Snapshot": "helicon.snapshot",
    "Source": "helicon.snapshot",
}

__all__ = [
    "__version__",
    *_HOMES,
]


if not TYPE_CHECKING:  # else a type checker would believe in any name

    def __getattr__(name: str) -> object:
        """Loads a public name on first use (PEP 562)."""
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module 'helicon' has no attribute {name!r}")
        from importlib import import_module  # imported late: the command never needs it

        value = getattr(import_module(home), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
