"""The short way of reads: what a raw path was answered with at one version of its environment.

A hit is a look-up, the reading of a short query, and prepared bytes. Access keys are checked and gray rules asked here
too, with the same functions as on the long way (docs/decisions/0003-one-decision-two-shells.md and 0015).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from helicon_server.delivery.access import AccessGuard, AppKeys
from helicon_server.delivery.ahead import is_ahead
from helicon_server.delivery.answers import NOT_MODIFIED
from helicon_server.delivery.asking import Asking, asking
from helicon_server.delivery.compress import Compressor
from helicon_server.delivery.gray import AppRules
from helicon_server.delivery.index import EnvironmentView, Resolution
from helicon_server.delivery.outcomes import Answer
from helicon_server.delivery.requests import HeaderOf, Request, form_decoded, parse_query_lazily
from helicon_server.delivery.store import Kept
from helicon_server.delivery.told import newest_named

OnServed = Callable[[EnvironmentView, str, str, str, str, str, Resolution], None]
"""Told of what an instance was served: view, app, cluster, data centre, ip, label, releases. Must be quick."""

_HIT_LIMIT: Final = 50_000  # remembered paths; they are found again when dropped
_HIT_BYTES: Final = 16 * 1024 * 1024  # of all remembered paths, roughly: escapes can make one thousands of bytes long
_HIT_OVERHEAD: Final = 400  # bytes of the objects around one
_VARIANTS_LIMIT: Final = 64  # of one path: each is what one choice of branches leads to
_NOTED_LIMIT: Final = 100_000  # instances that were told of lately, of all paths together
_TOLD_EVERY_S: Final = 60
_NOTED_LENGTH: Final = 128  # characters of an address and a label; longer ones are told of again
_NO_PARAMETERS: Final[dict[str, str]] = {}

Choice = tuple[int, ...]
"""Which branch each of a path's rules selects for a client, 0 for none."""


_NO_VARIANTS: Final[dict[Choice, Hit]] = {}  # shared by all that have none, and never written
_NOBODY_NOTED: Final[set[object]] = set()  # likewise


class Hit:
    """What a path was answered with at one version of its environment."""

    __slots__ = (
        "app",
        "cluster",
        "conditional",
        "data_center",
        "gray",
        "incremental",
        "kept",
        "keys",
        "noted",
        "noted_in",
        "release_key",
        "resolution",
        "variants",
        "version",
        "view",
    )

    def __init__(
        self,
        view: EnvironmentView,
        app: str,
        cluster: str,
        data_center: str,
        resolution: Resolution,
        release_key: str,
        kept: Kept,
        *,
        conditional: bool,
    ) -> None:
        self.view = view
        self.version = view.version
        self.app = app
        self.cluster = cluster
        self.data_center = data_center
        self.resolution = resolution
        self.release_key = release_key
        self.kept = kept
        self.conditional = conditional  # /configs knows releaseKey and messages, /configfiles does not
        self.incremental = conditional and view.incremental
        self.keys: AppKeys | None = view.access(app)
        self.gray: tuple[AppRules, ...] = ()  # what decides which of the variants a client gets; mostly nothing
        self.variants: dict[Choice, Hit] = _NO_VARIANTS
        self.noted: set[object] = _NOBODY_NOTED  # who was told of, in the round ``noted_in``
        self.noted_in = -1


class ShortWay:
    """Remembers answers of raw paths; changes nothing else."""

    def __init__(self, guard: AccessGuard, compressor: Compressor, on_served: OnServed | None) -> None:
        self.remembered_bytes = 0  # an upper bound
        self._guard = guard
        self._compressor = compressor
        self._on_served = on_served
        self._hits: dict[bytes | tuple[bytes, str], Hit] = {}
        self._round = 0  # of telling of instances
        self._noted = 0  # in this round
        self._seconds = 0  # of it

    def answer(self, path: bytes, query: bytes, target: bytes, header: HeaderOf, peer: str) -> Answer | None:
        """The answer to a GET or HEAD that can be given at once; None sends it the long way."""
        hit = self._hits.get(path)
        if hit is None:
            return None
        parameters = parse_query_lazily(query) if query else _NO_PARAMETERS
        if parameters is None:
            return None
        data_center = parameters.get("dataCenter")
        if data_center and form_decoded(data_center) != hit.cluster:
            other = self._hits.get((path, form_decoded(data_center)))
            if other is None:
                return None
            hit = other
        if hit.version != hit.view.version:
            return None
        if hit.keys is not None:
            refusal = self._guard.refusal(hit.keys, target, header, peer)
            if refusal is not None:
                return refusal
        if hit.gray:
            variant = hit.variants.get(choice(hit.gray, _asking(parameters, header, peer)))
            if variant is None:
                return None
            hit = variant
        kept = hit.kept
        answer: Answer | None
        if hit.conditional:
            messages = parameters.get("messages")
            if messages and newest_named(messages) > hit.view.follower.seen_id:
                return None
            held = parameters.get("releaseKey")
            if held:
                held = form_decoded(held)
                if held == hit.release_key:
                    if self._on_served is not None:
                        self._note(hit, parameters, header, peer)
                    return NOT_MODIFIED
                if hit.incremental or (held > hit.release_key and is_ahead(held, hit.release_key)):
                    return None
        kept.used = True
        answer = self._compressor.pick(kept, header) if kept.large else kept.answer
        if self._on_served is not None and answer is not None:
            self._note(hit, parameters, header, peer)
        return answer

    def remember(self, request: Request, hit: Hit, gray: tuple[AppRules, ...], client: Asking) -> None:
        """Remembers what a request was answered with; ``gray`` are the rules that its path depends on."""
        # A character beyond ASCII takes four bytes at most, in the names as in the path's escapes.
        names = len(hit.data_center) + len(hit.cluster) + len(hit.app)
        cost = 2 * len(request.path) + 4 * names + _HIT_OVERHEAD
        if gray:  # the one that the variants hang on, and the choice that leads to this one
            cost += _HIT_OVERHEAD + 8 * len(gray)
        if len(self._hits) >= _HIT_LIMIT or self.remembered_bytes + cost > _HIT_BYTES:
            self._hits.clear()
            self.remembered_bytes = 0
        self.remembered_bytes += cost
        data_center = hit.data_center
        apart = bool(data_center) and data_center != hit.cluster
        key = (request.path, data_center) if apart else request.path
        if gray:
            present = self._hits.get(key)
            base = present if present is not None and present.version == hit.version and present.gray == gray else None
            if base is None or len(base.variants) >= _VARIANTS_LIMIT:
                base = _like(hit)
                base.gray, base.variants = gray, {}
            base.variants[choice(gray, client)] = hit
            hit = base
        self._hits[key] = hit
        if apart and request.path not in self._hits:
            # The short way begins with the bare path; without an entry there the one above is never found.
            self._hits[request.path] = stale = _like(hit)
            stale.version = -1

    def second_passed(self) -> None:
        """To be called once a second: instances are told of once a minute at most."""
        self._seconds += 1
        if self._seconds >= _TOLD_EVERY_S:
            self.tell_again()

    def tell_again(self) -> None:
        """Forgets who was told of: everybody's next request is told once more."""
        self._round += 1
        self._noted = self._seconds = 0

    def _note(self, hit: Hit, parameters: dict[str, str], header: HeaderOf, peer: str) -> None:
        who: object = parameters.get("ip") or header(b"x-forwarded-for") or peer
        label = parameters.get("label")
        # Not of the hit: a data centre named like the cluster leads to the same one as none.
        data_center = parameters.get("dataCenter")
        if label or data_center:
            who = (who, label, data_center)
        if hit.noted_in == self._round and who in hit.noted:
            return
        client = _asking(parameters, header, peer)
        if len(str(who)) <= _NOTED_LENGTH:
            if self._noted >= _NOTED_LIMIT:
                self.tell_again()
            if hit.noted_in != self._round:
                hit.noted, hit.noted_in = set(), self._round
            self._noted += 1
            hit.noted.add(who)
        assert self._on_served is not None
        center = form_decoded(data_center or "")
        self._on_served(hit.view, hit.app, hit.cluster, center, client.ip, client.label, hit.resolution)


def choice(gray: tuple[AppRules, ...], client: Asking) -> Choice:
    """Which branch each of the rules selects for a client."""
    return tuple([0 if (branch := rules.select(client)) is None else branch.id for rules in gray])


def _asking(parameters: dict[str, str], header: HeaderOf, peer: str) -> Asking:
    """Who sent a query whose values are not decoded yet."""
    return asking(form_decoded(parameters.get("ip", "")), form_decoded(parameters.get("label", "")), header, peer)


def _like(hit: Hit) -> Hit:
    return Hit(
        hit.view,
        hit.app,
        hit.cluster,
        hit.data_center,
        hit.resolution,
        hit.release_key,
        hit.kept,
        conditional=hit.conditional,
    )
