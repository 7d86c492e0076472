"""Requests of clients that are not all answered alike: they sign, are chosen by rules, hold a base, poll as of old.

Each is a target and the header lines that belong to it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import unquote

from hypothesis import strategies as st

from helicon.protocol.signature import headers
from tests.integration.delivery.shells_world import (
    APP,
    CANARY_IP,
    CANARY_LABEL,
    GUARDED,
    INCREMENTAL,
    LAYERED,
    NEWS,
    PACKED,
    SECRET,
    Known,
)
from tests.unit.delivery.world import CLOCK_S, configs, legacy, poll

Asked = tuple[str, tuple[bytes, ...]]
GZIP = b"Accept-Encoding: gzip\r\n"


def clients(known: Known) -> st.SearchStrategy[Asked]:
    """One request of one of them."""
    return st.one_of(_signing(), _signing(), _gray(), _gray(), _holding_a_base(known), _packed(known), _of_old(known))


# --- access keys ----------------------------------------------------------------------------------

_DETAILS = json.dumps({"details": {f"{GUARDED}+default+application": 1}})
_GUARDED_TARGETS = (
    configs(GUARDED, "default", "application"),
    configs(GUARDED, "default", "application", messages=_DETAILS, ip=CANARY_IP),
    configs(GUARDED, "default", PACKED),
    configs(GUARDED, "default", "absent"),
    f"/configs/{GUARDED.upper()}/default/application",
    "/configs/v%61ult/default/application",
    "/configs/v%61ul%74/default/application?label=a%20b",
    f"/configs/{GUARDED}/default/application?label=%e4%b8%ad+b&&x",
    f"/configfiles/{GUARDED}/default/%61pplication",
    f"/configfiles/json/{GUARDED}/default/{PACKED}?&ip={CANARY_IP}&label=",
    f"/configfiles/raw/{GUARDED}/default/application?",
    f"/envs/dev/configs/{GUARDED}/default/application",
    poll(GUARDED, "default", {"application": -1}),
    poll(GUARDED, "default", {"application": -1, "absent": -1}, ip=CANARY_IP),
    poll(GUARDED, "default", {"absent": -1}),
    legacy(appId=GUARDED, cluster="default", notificationId="-1"),
)


def _signing() -> st.SearchStrategy[Asked]:
    how = ("right",) * 5 + ("none", "wrong", "late", "early", "other target", "decoded", "no time")
    return st.builds(_signed, st.sampled_from(_GUARDED_TARGETS), st.sampled_from(how), _maybe(GZIP))


def _signed(target: str, how: str, more: tuple[bytes, ...]) -> Asked:
    text = target.removesuffix("?")  # what is signed has no question mark without a query
    if how == "other target":
        text += "&" if "?" in text else "?x=1"
    elif how == "decoded":
        text = unquote(text)
    at_s = CLOCK_S + {"late": -61, "early": 61}.get(how, 0)
    lines = headers(GUARDED, SECRET[::-1] if how == "wrong" else SECRET, int(at_s * 1000), text)
    if how == "no time":
        del lines["Timestamp"]
    signed = () if how == "none" else tuple(f"{name}: {value}\r\n".encode() for name, value in lines.items())
    return target, (*signed, *more)


def signed(target: str) -> bytes:
    """The header lines of a request that its app has signed."""
    return b"".join(_signed(target, "right", ())[1])


# --- gray releases --------------------------------------------------------------------------------

_CHOSEN_BY = (
    "",
    "?",
    "?ip=" + CANARY_IP,
    "?ip=10.9.9.9",
    "?ip=",
    "?label=" + CANARY_LABEL,
    "?label=c%61nary",
    "?label=other&ip=10.9.9.9",
    f"?ip=10.9.9.9&label={CANARY_LABEL}",
    f"?ip={CANARY_IP}&label={CANARY_LABEL}",
    "?ip=10.1.2%2E3",
    "?dataCenter=" + LAYERED,
)
_FORWARDED = (
    (),
    (),
    (f"X-Forwarded-For:  {CANARY_IP} , 172.16.0.1\r\n".encode(),),
    (b"x-forwarded-for: 172.16.0.1\r\n",),
    (b"X-Forwarded-For:\r\n",),
    (b"X-Forwarded-For: 172.16.0.1\r\n", f"X-Forwarded-For: {CANARY_IP}\r\n".encode()),
)


def _gray() -> st.SearchStrategy[Asked]:
    paths = (
        configs(APP, "default", "gray"),
        configs(APP, LAYERED, "gray"),
        f"/configfiles/json/{APP}/default/gray",
        f"/configfiles/{APP}/default/gray",
        f"/configs/{APP}/default/GR%61Y",
    )
    return st.builds(
        lambda path, query, lines: (path + query, lines),
        st.sampled_from(paths),
        st.sampled_from(_CHOSEN_BY),
        st.sampled_from(_FORWARDED),
    )


# --- the others -----------------------------------------------------------------------------------


def _holding_a_base(known: Known) -> st.SearchStrategy[Asked]:
    """Incremental sync: from a known release, the current one, and one that never was."""
    held = st.sampled_from((known.before, known.before, known.latest, "20250101080000-00000000000000ff", ""))
    more = st.sampled_from(({}, {"ip": CANARY_IP}))
    path = configs(APP, "default", PACKED)
    return st.builds(
        lambda key, query, lines: (
            f"/envs/{INCREMENTAL}" + configs(APP, "default", PACKED, releaseKey=key, **query) if key else path,
            lines,
        ),
        held,
        more,
        _maybe(GZIP),
    )


def _packed(known: Known) -> st.SearchStrategy[Asked]:
    """What is compressed at once, for those who take it."""
    targets = (
        configs(APP, "default", PACKED),
        configs(APP, "default", PACKED, releaseKey=known.release_keys[PACKED]),
        configs(APP, LAYERED, PACKED),
        f"/configfiles/{APP}/default/{PACKED}",
        f"/configfiles/json/{APP}/{LAYERED}/{PACKED}",
    )
    offers = (
        (),
        (GZIP,),
        (b"accept-encoding: br, *;q=0.5\r\n",),
        (b"Accept-Encoding: gzip;q=0\r\n",),
        (b"Accept-Encoding: identity\r\n", GZIP),
    )
    return st.tuples(st.sampled_from(targets), st.sampled_from(offers))


def _of_old(known: Known) -> st.SearchStrategy[Asked]:
    """The single-namespace poll: answered at once, held, and refused."""
    asked = {"appId": APP, "cluster": "default"}
    id_ = str(known.message_ids["application"])
    targets = (
        legacy(**asked),
        legacy(**asked, notificationId="-1"),
        legacy(**asked, notificationId=id_, namespace="application", ip=CANARY_IP),
        legacy(**asked, notificationId=id_, dataCenter=LAYERED),
        legacy(**asked, notificationId="0", namespace="routes.json"),
        legacy(**asked, notificationId="0", namespace="ROUTES.json"),
        legacy(**asked, notificationId="seven"),
        legacy(**asked, notificationId="\u0663"),
        legacy(**asked, notificationId="1000000"),
        legacy(appId=APP),
        legacy(**asked, namespace="absent"),
    )
    return st.tuples(st.sampled_from(targets), st.just(()))


def _maybe(line: bytes) -> st.SearchStrategy[tuple[bytes, ...]]:
    return st.sampled_from(((), (line,)))


# --- polls that a publish meets -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Waiting:
    """A client that waits for ``NEWS`` of its app, and what it sends besides on its connection."""

    app: str
    old: bool  # polls as of old, for the one namespace
    head_only: bool
    behind: int  # reads that it sends behind its poll, before there is an answer
    lines: tuple[bytes, ...]

    def sent(self, ids: dict[str, int]) -> bytes:
        """All that it sends; ``ids`` are by app the newest that clients know."""
        known = ids[self.app]
        if self.old:
            polled = legacy(appId=self.app, cluster="default", namespace=NEWS, notificationId=str(known))
        else:
            polled = poll(self.app, "default", {NEWS: known, "absent": -1}, ip=CANARY_IP)
        read = configs(self.app, "default", NEWS, releaseKey="other")
        first = _request("HEAD" if self.head_only else "GET", polled, b"".join(self.lines))
        return first + _request("GET", read) * self.behind + _request("GET", read, b"Connection: close\r\n")


def _request(method: str, target: str, lines: bytes = b"") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: node\r\n".encode() + signed(target) + lines + b"\r\n"


def waiting() -> st.SearchStrategy[Waiting]:
    """One such client."""
    return st.builds(
        Waiting,
        st.sampled_from((APP, GUARDED)),
        st.booleans(),
        st.sampled_from((False, False, False, True)),
        st.integers(0, 3),
        st.sampled_from(((), (), (GZIP,), (b"Content-Length: 0\r\n",), (b"X-Forwarded-For: 10.1.2.3\r\n",))),
    )
