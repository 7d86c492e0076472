"""What delivery nodes note of running clients, behind their answers (Apollo client protocol, section 14)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

VALID_FOR: Final = timedelta(hours=25)  # an instance that asked for nothing for longer is gone


@dataclass(frozen=True, slots=True)
class InstanceRelease:
    """One instance and one release that it was served, or holds already: a record of each pair's newest moment.

    The first six fields name the instance; ``owner``, ``release_cluster`` and ``namespace`` the release's namespace,
    with the branch's name as the cluster of a gray release.
    """

    environment: str
    app: str
    cluster: str
    data_center: str  # "" for none
    ip: str
    label: str  # "" for none
    owner: str
    release_cluster: str
    namespace: str
    release_key: str
    delivered_at: datetime  # first time with this release key
    seen_at: datetime  # last time
