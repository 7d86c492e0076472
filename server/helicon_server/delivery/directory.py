"""Which environments this node serves, and from which database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from helicon_server.delivery.follower import Follower
    from helicon_server.delivery.index import EnvironmentView


class Directory:
    """Environments by name, ignoring case; rebuilt when a database is loaded or gains an environment.

    A name that several databases hold is served from the last of them: the main database comes first, those that
    belong to one environment alone come behind it and win.
    """

    def __init__(self, default_environment: str) -> None:
        self._default = default_environment.upper()
        self._views: dict[str, EnvironmentView] = {}
        self.complete = False  # every database is loaded, so a name that is not here exists nowhere

    def rebuild(self, followers: Sequence[Follower]) -> None:
        """Takes over the environments of all databases."""
        views: dict[str, EnvironmentView] = {}
        for follower in followers:
            views.update({name.upper(): view for name, view in follower.views.items()})
        self._views = views
        self.complete = all(follower.loaded for follower in followers)

    def find(self, environment: str | None) -> EnvironmentView | None:
        """The environment of a prefix in upper case, or the default one for None."""
        return self._views.get(self._default if environment is None else environment)
