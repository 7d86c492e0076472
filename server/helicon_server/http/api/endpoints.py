"""Every endpoint of ``/api/v1``, in the order of the documentation."""

from __future__ import annotations

from . import access_keys, apps, branches, drafts, environments, namespaces, observing, people, releases
from .endpoint import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    *apps.ENDPOINTS,
    *environments.ENDPOINTS,
    *namespaces.ENDPOINTS,
    *drafts.ENDPOINTS,
    *releases.ENDPOINTS,
    *branches.ENDPOINTS,
    *observing.ENDPOINTS,
    *access_keys.ENDPOINTS,
    *people.ENDPOINTS,
)
