"""The parser of targets (Apollo client protocol, section 1.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helicon_server.delivery.requests import (
    BadTargetError,
    Route,
    Surface,
    form_decoded,
    parse_path,
    parse_query,
    parse_query_lazily,
)


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/configs/shop/default/application", Route(Surface.CONFIGS, None, "shop", "default", "application")),
        ("/configs/shop/default/routes.json", Route(Surface.CONFIGS, None, "shop", "default", "routes.json")),
        ("/configs/shop/c%20d/%E4%B8%AD", Route(Surface.CONFIGS, None, "shop", "c d", "中")),
        ("/configs/shop/c+d/n", Route(Surface.CONFIGS, None, "shop", "c+d", "n")),
        ("/configfiles/shop/default/n", Route(Surface.FILE_PROPERTIES, None, "shop", "default", "n")),
        ("/configfiles/json/shop/default/n", Route(Surface.FILE_JSON, None, "shop", "default", "n")),
        ("/configfiles/raw/shop/default/n", Route(Surface.FILE_RAW, None, "shop", "default", "n")),
        # Three segments are always app, cluster and namespace: an app may not be called json or raw.
        ("/configfiles/json/default/n", Route(Surface.FILE_PROPERTIES, None, "json", "default", "n")),
        ("/notifications/v2", Route(Surface.NOTIFICATIONS_V2, None)),
        ("/services/config", Route(Surface.SERVICES, None, tail=("config",))),
        ("/health/ready", Route(Surface.HEALTH, None, tail=("ready",))),
        ("/envs/pro/configs/shop/default/n", Route(Surface.CONFIGS, "PRO", "shop", "default", "n")),
        ("/envs/PRO/services/config", Route(Surface.SERVICES, "PRO", tail=("config",))),
        ("/envs/PRO", Route(Surface.UNKNOWN, "PRO")),
        ("/configs/shop/default/n/", Route(Surface.UNKNOWN, None)),
        ("/configs/shop/default", Route(Surface.UNKNOWN, None)),
        ("/", Route(Surface.UNKNOWN, None)),
    ],
)
def test_path__well_formed__names_its_operation(path: str, route: Route) -> None:
    """Section 1.2: segments are percent-decoded once, a namespace may hold dots; the environment prefix is optional."""
    assert parse_path(path.encode()) == route


@pytest.mark.parametrize(
    "path",
    [
        "//configs/shop/default/n",
        "/configs//shop/default/n",
        "/configs/shop/default/..",
        "/configs/./default/n",
        "/configs/shop/%2e%2e/n",
        "/configs/shop/%2E/n",
        "/configs/shop%2Fother/default/n",
        "/configs/shop%2fother/default/n",
        "/configs/shop%5Cother/default/n",
        "/configs/shop\\other/default/n",
        "/configs/shop;x=1/default/n",
        "/configs/shop%3Bx/default/n",
        "/configs/shop/default/a%2541",
        "/configs/shop/default/a%00b",
        "/configs/shop/default/a%0Ab",
        "/configs/shop/default/a%zz",
        "/configs/shop/default/a%4",
        "/configs/shop/default/%ff",
        "/envs/../configs/shop/default/n",
        "http://host/configs/shop/default/n",
        "",
    ],
)
def test_path__read_differently_by_two_readers__is_refused(path: str) -> None:
    """Section 1.2: double slashes, encoded slashes, ';', '%25', dot segments and control characters are refused."""
    with pytest.raises(BadTargetError) as caught:
        parse_path(path.encode())
    assert caught.value.code == "invalid_path"


def test_path__raw_bytes_beyond_ascii__is_refused() -> None:
    with pytest.raises(BadTargetError):
        parse_path("/configs/shop/default/中".encode())


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("", {}),
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("&ip=10.1.2.3&label=", {"ip": "10.1.2.3", "label": ""}),
        ("a=x+y&b=x%20y&c=x%2By", {"a": "x y", "b": "x y", "c": "x+y"}),
        ("a=%7b%22%E4%B8%AD", {"a": '{"中'}),
        ("a=%zz&b=%", {"a": "%zz", "b": "%"}),
        ("a=1&a=2", {"a": "1"}),
        ("flag&=&a==", {"": "", "a": "="}),
        ("data%43enter=x", {"dataCenter": "x"}),
    ],
)
def test_query__as_found_in_the_wild__is_read_leniently(query: str, parameters: dict[str, str]) -> None:
    """Sections 1.2 and 16: form decoding, stray '&' and empty parameters parse, the first of equal names counts."""
    assert parse_query(query.encode()) == parameters


def test_query__raw_utf_8__is_decoded() -> None:
    assert parse_query("a=中".encode()) == {"a": "中"}


def test_query__raw_utf_8_beside_escapes__is_decoded() -> None:
    assert parse_query("a=中+%41".encode()) == {"a": "中 A"}


@given(st.one_of(st.binary(max_size=300), st.text("ab=&%41+中", max_size=60).map(str.encode)))
def test_query__any_bytes__is_the_same_read_at_once_or_lazily(query: bytes) -> None:
    """The short way and the long way must never see different parameters; and nothing raises."""
    decoded = parse_query(query)
    lazily = parse_query_lazily(query)
    if lazily is not None:
        seen: dict[str, str] = {}
        for name, value in lazily.items():
            seen.setdefault(form_decoded(name), form_decoded(value))
        assert seen == decoded


@given(st.binary(max_size=300))
def test_path__any_bytes__is_routed_or_refused(path: bytes) -> None:
    """Nothing that is accepted holds a slash, a dot segment or a control character."""
    try:
        route = parse_path(b"/" + path)
    except BadTargetError:
        return
    for part in (route.app, route.cluster, route.namespace):
        assert part not in (".", "..")
        assert not set(part) & {"/", "\\", ";", "%", "\0", "\n", "\r"}
