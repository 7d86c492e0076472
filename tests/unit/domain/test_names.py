"""Names: every rule of the Apollo client protocol, sections 2, 3 and 13."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from helicon_server.domain import names
from helicon_server.domain.errors import InvalidName
from helicon_server.domain.formats import Format
from helicon_server.domain.names import ClusterRef, NamespaceRef, new_namespace_name

GOOD = ["a", "0", "_", "-", "a.b", "order-service", "SampleApp", "A_1-2.3", "a..b", "a.", "x" * 128]
BAD = [
    "",
    ".a",
    ".",
    "..",
    "a b",
    " a",
    "a\n",
    "a\0",
    "a/b",
    "a+b",
    "a;b",
    "a%2e",
    "ä",
    "中文",
    "a:b",
    "x" * 129,
    "a\u200b",
]
PARSERS = {
    "app_id": names.parse_app_id,
    "cluster": names.parse_cluster,
    "namespace": names.parse_namespace,
}


@pytest.mark.parametrize("what", PARSERS)
@pytest.mark.parametrize("text", GOOD)
def test_parse__name_by_the_rule__is_returned_as_it_is(what: str, text: str) -> None:
    """Case is kept; the protocol compares app ids and clusters exactly."""
    assert PARSERS[what](text) == text


@pytest.mark.parametrize("what", PARSERS)
@pytest.mark.parametrize("text", BAD)
def test_parse__name_against_the_rule__is_refused_with_its_own_code(what: str, text: str) -> None:
    """`[0-9a-zA-Z_-]+[0-9a-zA-Z_.-]*`, at most 128 characters."""
    with pytest.raises(InvalidName) as refused:
        PARSERS[what](text)
    assert refused.value.code == f"invalid_{what}"
    assert "\n" not in refused.value.message
    assert "\0" not in refused.value.message


def test_parse__name_too_long__says_the_limit_and_does_not_repeat_the_name() -> None:
    """A refusal stays small however large the name is."""
    with pytest.raises(InvalidName) as refused:
        names.parse_cluster("x" * 1_000_000)
    assert refused.value.details == {"limit": 128}
    assert len(refused.value.message) < 200


@pytest.mark.parametrize("text", ["json", "JSON", "Raw", "raw", "ApolloNoAppIdPlaceHolder", "apollonoappidplaceholder"])
def test_parse_app_id__word_of_the_protocol__is_reserved(text: str) -> None:
    """`/configfiles/json/…` and `/configfiles/raw/…` could not be told from an app (section 6.2)."""
    with pytest.raises(InvalidName) as refused:
        names.parse_app_id(text)
    assert refused.value.code == "app_id_reserved"
    assert names.parse_cluster(text) == text


@pytest.mark.parametrize(
    ("given_name", "stored"),
    [
        ("application", "application"),
        ("application.properties", "application"),
        ("application.PROPERTIES", "application"),
        ("a.properties.properties", "a.properties"),
        ("routes.json", "routes.json"),
        ("a.b", "a.b"),
    ],
)
def test_parse_namespace__properties_suffix__is_dropped_once(given_name: str, stored: str) -> None:
    """Section 3: `.properties` is stripped, other suffixes stay."""
    assert names.parse_namespace(given_name) == stored


@pytest.mark.parametrize(
    ("text", "stored"), [("dev", "DEV"), ("Pro", "PRO"), ("1A", "1A"), ("eu-1_x", "EU-1_X"), ("x" * 32, "X" * 32)]
)
def test_parse_environment__is_stored_in_upper_case(text: str, stored: str) -> None:
    """`/envs/dev` and `/envs/DEV` are one environment."""
    assert names.parse_environment(text) == stored


@pytest.mark.parametrize(
    "text", ["", "-a", "_a", "a.b", "a b", "a/b", "x" * 33, "DEV\n", "ß", "ıt", "ſ", "ﬀ", "дев", "../x"]
)
def test_parse_environment__against_the_rule__is_refused(text: str) -> None:
    """Letters that turn into ASCII when written in upper case are no second spelling of a name."""
    with pytest.raises(InvalidName) as refused:
        names.parse_environment(text)
    assert refused.value.code == "invalid_environment"


@pytest.mark.parametrize(
    ("name", "format_", "expected"),
    [
        ("application", None, ("application", Format.PROPERTIES)),
        ("routes.json", None, ("routes.json", Format.JSON)),
        ("routes.JSON", None, ("routes.json", Format.JSON)),
        ("a.b", None, ("a.b", Format.PROPERTIES)),
        ("server.properties", None, ("server", Format.PROPERTIES)),
        ("logback.xml", None, ("logback.xml", Format.XML)),
        ("a.yml", None, ("a.yml", Format.YML)),
        ("routes", Format.JSON, ("routes.json", Format.JSON)),
        ("redis", Format.PROPERTIES, ("redis", Format.PROPERTIES)),
        ("a.b", Format.YAML, ("a.b.yaml", Format.YAML)),
        ("notes", Format.TXT, ("notes.txt", Format.TXT)),
    ],
)
def test_new_namespace_name__gives_full_name_and_format(
    name: str, format_: Format | None, expected: tuple[str, Format]
) -> None:
    """Section 2: the name of a document namespace carries its format as suffix."""
    assert new_namespace_name(name, format_) == expected


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("a.json", Format.JSON),
        ("a.json", Format.PROPERTIES),
        ("a.XML", Format.YAML),
        ("a.json.yaml", None),
        ("a.properties.json", None),
        ("a.properties", Format.PROPERTIES),
    ],
)
def test_new_namespace_name__suffix_on_the_base_name__is_refused(name: str, format_: Format | None) -> None:
    """Section 13: the server appends the suffix; one that stands there already would stand twice."""
    with pytest.raises(InvalidName) as refused:
        new_namespace_name(name, format_)
    assert refused.value.code == "namespace_suffix"


@pytest.mark.parametrize(
    ("name", "format_"), [("", None), (".json", None), ("x" * 124, Format.JSON), ("a/b", None), ("a b", Format.TXT)]
)
def test_new_namespace_name__against_the_rule_of_names__is_refused(name: str, format_: Format | None) -> None:
    """The suffix counts in the length."""
    with pytest.raises(InvalidName) as refused:
        new_namespace_name(name, format_)
    assert refused.value.code == "invalid_namespace"


@given(st.from_regex(names._NAME, fullmatch=True).filter(lambda text: len(text) < 100), st.sampled_from(list(Format)))
def test_new_namespace_name__what_it_makes__is_found_again(base: str, format_: Format) -> None:
    """A namespace can be created only under a name that reads lead back to, with the format its suffix says."""
    assume(not base.lower().endswith(tuple(f".{each}" for each in Format)))
    name, made = new_namespace_name(base, format_)
    assert made is format_
    assert names.parse_namespace(name) == name
    assert Format.of_namespace(name) is format_


@pytest.mark.parametrize("parse", [*PARSERS.values(), names.parse_environment])
@given(text=st.text(max_size=200))
def test_parse__any_text__is_a_name_or_refused(parse: Callable[[str], str], text: str) -> None:
    """Nothing else is raised, and what passes is plain ASCII without a separator of any path or key."""
    try:
        name = parse(text)
    except InvalidName:
        return
    assert name.isascii()
    assert name.isprintable()
    assert not set(name) & set("/+;%?# \\")


def test_ref__watch_key__is_the_text_of_a_release_message() -> None:
    """Section 2: `appId+cluster+namespace`; the environment is not part of it."""
    ref = NamespaceRef("DEV", "app", "default", "application")
    assert ref.watch_key == "app+default+application"
    assert str(ref) == "DEV/app/default/application"
    assert ClusterRef("DEV", "app").cluster == "default"
