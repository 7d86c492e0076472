"""Every endpoint of ``/api/v1``, in the order of the documentation."""

from __future__ import annotations

from . import access_keys, apps, drafts, environments, namespaces, people, releases
from .endpoint import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    *apps.ENDPOINTS,
    *environments.ENDPOINTS,
    *namespaces.ENDPOINTS,
    *drafts.ENDPOINTS,
    *releases.ENDPOINTS,
    *access_keys.ENDPOINTS,
    *people.ENDPOINTS,
)
