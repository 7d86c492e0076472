"""Random talks of a client with a server: sensible requests, nearly sensible ones, and how they are cut into pieces."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from helicon_server.delivery.requests import PATH_LIMIT, TARGET_LIMIT
from tests.integration.delivery.shells_clients import Asked, clients
from tests.integration.delivery.shells_world import APP, PACKED, Known
from tests.unit.delivery.world import configs, poll

NAMES = ("application", "large", "routes.json", PACKED, "gray", "none")
_NO_CHUNK = b"zz\r\n"
_NO_LENGTH = b"Transfer-Encoding: gzip\r\n"
_SHOWN = 1_000  # bytes of a piece of a talk that differs


@dataclass(frozen=True, slots=True)
class Talk:
    """What one client sends on one connection."""

    pieces: Sequence[bytes]
    reads_late: bool  # nothing before all is sent
    leaves: bool  # resets the connection instead of reading to its end

    @property
    def breaks_off(self) -> bool:
        """A body of it is none: then the connection is closed over answers that are owed to requests before it."""
        whole = b"".join(self.pieces)
        return any(wrong in whole for wrong in (_NO_CHUNK, _NO_LENGTH))

    def __repr__(self) -> str:
        return f"<{sum(map(len, self.pieces))} bytes>"  # many are drawn at a time

    def text(self) -> str:
        """All of it, for the one that differs; of long pieces the beginning."""
        shown = [piece if len(piece) < _SHOWN else piece[:_SHOWN] + b"..." for piece in self.pieces]
        return f"{shown}, reads late: {self.reads_late}, leaves: {self.leaves}"


def talks(known: Known) -> st.SearchStrategy[Talk]:
    """A connection with some requests, the last of which ends it, in any pieces."""
    return st.builds(
        _talk,
        st.lists(_requests(known), min_size=1, max_size=5),
        st.lists(st.integers(0, 2_000), max_size=6),
        st.sampled_from((False, False, True)),
        st.sampled_from((None,) * 7 + (0.2, 0.7, 1.0)),
    )


def _talk(requests: Sequence[bytes], cuts: Sequence[int], reads_late: bool, left_at: float | None) -> Talk:
    last = f"GET {configs(APP, 'default', 'application')} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n".encode()
    whole = b"".join(requests)
    if left_at is None:
        whole += last
    else:
        whole = whole[: int(len(whole) * left_at)]
    at = sorted({cut for cut in cuts if cut < len(whole)})
    pieces = [whole[begin:end] for begin, end in zip([0, *at], [*at, len(whole)], strict=True)]
    return Talk([piece for piece in pieces if piece], reads_late, left_at is not None)


# --- one request ----------------------------------------------------------------------------------


def _requests(known: Known) -> st.SearchStrategy[bytes]:
    targets = _targets(known)
    sensible = st.builds(
        _request,
        st.sampled_from(("GET", "GET", "GET", "HEAD")),
        targets,
        st.just("HTTP/1.1"),
        st.lists(st.sampled_from(_HARMLESS_LINES), max_size=2),
        st.sampled_from(_NO_BODY),
        st.sampled_from((b"", b"", b"\r\n")),
    )
    particular = st.builds(
        _request_of,
        st.sampled_from(("GET", "GET", "GET", "HEAD")),
        clients(known),
        st.sampled_from(_NO_BODY * 3 + _BODIES[:1]),
    )
    unusual = st.builds(
        _request,
        st.sampled_from(("GET", "GET", "HEAD", "POST")),
        st.one_of(targets, st.sampled_from(_FIXED), _bent(targets)),
        st.sampled_from(("HTTP/1.1", "HTTP/1.1", "HTTP/1.0")),
        st.lists(st.sampled_from(_HARMLESS_LINES + _UNUSUAL_LINES), max_size=2),
        st.sampled_from(_NO_BODY + _BODIES),
        st.sampled_from((b"", b"\n")),
    )
    wrong = st.builds(
        _request,
        st.sampled_from(("GET", "GET", "OPTIONS", "CONNECT", "get", "PRI", "DELETE")),
        st.one_of(targets, st.sampled_from(_FIXED), _bent(targets)),
        st.sampled_from(("HTTP/1.1", "HTTP/1.1", "HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "http/1.1")),
        st.lists(st.sampled_from(_HARMLESS_LINES + _WRONG_LINES), max_size=2),
        st.sampled_from(_NO_BODY + _WRONG_BODIES),
        st.sampled_from((b"", b"", b" ", b"\x00")),
    )
    return st.one_of(sensible, sensible, *[particular] * 5, unusual, wrong)


def _request_of(method: str, asked: Asked, body: tuple[bytes, bytes]) -> bytes:
    target, lines = asked
    return _request(method, target, "HTTP/1.1", lines, body, b"")


def _request(
    method: str, target: str, version: str, lines: Sequence[bytes], body: tuple[bytes, bytes], before: bytes
) -> bytes:
    headers, content = body
    first = f"{method} {target} {version}\r\nHost: node\r\n".encode("utf-8", "surrogatepass")
    return before + first + b"".join(lines) + headers + b"\r\n" + content


_HARMLESS_LINES = (
    b"Accept-Encoding: gzip\r\n",
    b"accept-encoding: identity;q=0, gzip;q=0\r\n",
    b"X-Forwarded-For: 10.1.2.3\r\n",
    b"Authorization: Apollo shop:c2lnbmF0dXJl\r\nTimestamp: 1\r\n",
    b"Connection: Keep-Alive\r\n",
    b"Keep-Alive: timeout=5\r\n",
    b"Empty:\r\n",
)
_UNUSUAL_LINES = (
    b"Connection: close\r\n",
    b"connection: keep-alive, close\r\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
    b"Connection: upgrade\r\nUpgrade: websocket\r\n",
    b"Connection: Upgrade\r\n",
    b"Upgrade: websocket\r\n",
    b"Proxy-Connection: keep-alive\r\n",
    b"Proxy-Connection: close\r\n",
    b"EXPECT: 100-Continue\r\n",
    b"Expect: something\r\n",
    b"X-Latin: \xe9\xff\r\n",
    b"X-Large: " + b"x" * 70_000 + b"\r\n",
)
_WRONG_LINES = (
    b"X-Folded: a\r\n b\r\n",
    b"X-Line-Feed: a\n",
    b"No colon\r\n",
    b"Spaced : a\r\n",
    b"X-Nul: a\x00b\r\n",
    b"X-Large: " + b"x" * 200_000 + b"\r\n",
    b"a:b\r\n" * 210,
)

# Header lines and what follows the head.
_NO_BODY = ((b"", b""),)
_BODIES = (
    (b"Content-Length: 0\r\n", b""),
    (b"CONTENT-LENGTH: 4\r\n", b"body"),
    (b"Content-Length: 100000\r\n", b"x" * 100_000),
    (b"Transfer-Encoding: chunked\r\n", b"4\r\nbody\r\n0\r\n\r\n"),
    (b"transfer-encoding: Chunked\r\n", b"4;a=b\r\nbody\r\n0\r\nTrailer: yes\r\nConnection: close\r\n\r\n"),
)
_WRONG_BODIES = (
    (b"Content-Length: 1000000\r\n", b"half"),
    (b"Content-Length: 4\r\nContent-Length: 5\r\n", b"body"),
    (b"Content-Length: x\r\n", b""),
    (b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", b"0\r\n\r\n"),
    (b"Transfer-Encoding: chunked\r\n", _NO_CHUNK),
    (_NO_LENGTH, b""),
)


# --- targets --------------------------------------------------------------------------------------


def _targets(known: Known) -> st.SearchStrategy[str]:
    names = st.sampled_from(NAMES)
    return st.one_of(
        st.builds(_read, st.just(known), names, st.sampled_from(("none", "same", "other", "escaped", "fragment"))),
        st.builds(_read, st.just(known), names, st.sampled_from(("told", "far", "centre"))),
        st.builds(_file, names, st.sampled_from(("", "json/", "raw/"))),
        st.builds(_poll, st.just(known), st.lists(names, min_size=1, max_size=3), st.sampled_from((-1, 0, 0, 10**6))),
    )


def _read(known: Known, name: str, how: str) -> str:
    key = known.release_keys.get(name, "x")
    details = {f"{APP}+default+{name}": known.message_ids.get(name, 1) + (1_000 if how == "far" else 0)}
    query = {
        "none": {},
        "same": {"releaseKey": key, "ip": "10.1.2.3"},
        "other": {"releaseKey": "other"},
        "escaped": {"releaseKey": f"%{ord(key[0]):02x}" + key[1:]},
        "fragment": {"releaseKey": f"{key}#x"},
        "told": {"messages": json.dumps({"details": details})},
        "far": {"messages": json.dumps({"details": details})},
        "centre": {"dataCenter": "east", "releaseKey": key},
    }[how]
    return configs(APP, "default", name, **query).replace("%25", "%").replace("%23", "#")


def _file(name: str, form: str) -> str:
    return f"/configfiles/{form}{APP}/default/{name}"


def _poll(known: Known, names: Sequence[str], beyond: int) -> str:
    """With -1 something is new, with 0 nothing is, and a huge id nobody has given."""
    seen = {name: -1 if beyond < 0 else known.message_ids.get(name, 0) + beyond for name in names}
    return poll(APP, "default", seen)


_FIXED = (
    "/",
    "*",
    "no-slash",
    "http://node" + configs(APP, "default", "application"),
    "/%63onfigs/shop/default/application",
    "/envs/DEV" + configs(APP, "default", "application"),
    "/envs/dev" + configs(APP, "default", "application") + "?",
    "/envs/NONE" + configs(APP, "default", "application"),
    "/envs",
    "/configs",
    "/configs/shop/default/application?",
    "/configs/shop/default/application??",
    "/configs/shop/default/application?releaseKey=a#b",
    "/configs/shop/default/application#?x",
    "/configs/sh%6Fp/default/application",
    "/configs/shop/default/../application",
    "/configs/shop//application",
    "/configs/shop/default/application;a=b",
    "/configs/shop/default/" + "x" * 300,
    "/configs/shop/default/" + "x" * (PATH_LIMIT + 10),
    "/configs/shop/default/application?x=" + "x" * 70_000,
    "/configs/shop/default/application?x=" + "x" * TARGET_LIMIT,
    "/notifications/v2",
    "/notifications/v2?appId=shop",
    "/notifications/v2?appId=shop&cluster=default&notifications=%5B%5D",
    "/notifications",
    "/notifications/",
    "/services/config?appId=shop",
    "/services/",
    "/health/live",
    "/health/none",
    "/api/v1/apps",
    "/favicon.ico",
)


def _bent(targets: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Something put into a target, or taken out of it."""
    alien = st.sampled_from(
        ("/", "%", "%2e", "%2F", ".", ";", "?", "&", "=", "#", "+", "\\", '"', "\x7f", "é", "%00", "\t", "")
    )
    return st.builds(_put, targets, st.integers(0, 60), st.integers(0, 2), alien)


def _put(target: str, at: int, gone: int, alien: str) -> str:
    return target[:at] + alien + target[at + gone :]
