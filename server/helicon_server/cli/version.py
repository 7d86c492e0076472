"""``helicon-server version``."""

from __future__ import annotations

import helicon_migrations
from helicon_server import __version__


def version() -> None:
    """Print the version and the schema it works with."""
    print(f"helicon-server {__version__} (schema {helicon_migrations.HEAD})")
