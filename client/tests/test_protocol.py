"""The pure rules of the wire."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helicon.protocol import answers, changes, merge, messages, names, signature, targets

SECRET = "9f2c4e6a8b0d4c1e9a7b5d3f1e2c4a6b"
TIMESTAMP = 1735689600000
NOTIFICATIONS = (
    "/notifications/v2?appId=shop-api&cluster=default&notifications="
    "%5B%7B%22namespaceName%22%3A%22application%22%2C%22notificationId%22%3A-1%7D%5D"
)
VECTORS = [
    ("/configs/shop-api/default/application", "TmzGFDk4RCQ5aCjh9mCBHVXfkz0="),
    ("/configs/shop-api/default/application?ip=10.1.2.3", "Bb/93fn1hs6uDjp2AVDRsSUzNo4="),
    (
        "/configfiles/json/shop-api/default/application?&ip=10.1.2.3&label=",
        "3bFDCyvX4mR1B9ifRdBLGWTrkl4=",
    ),
    (NOTIFICATIONS, "Z0KqazYYrRsS1/p6WlZSAZKvFAo="),
]


@pytest.mark.parametrize(("target", "expected"), VECTORS)
def test_signature__published_vectors__match(target: str, expected: str) -> None:
    """The vectors of the Apollo client protocol, section 11.3."""
    assert signature.sign(SECRET, TIMESTAMP, target) == expected
    assert signature.verify(SECRET, TIMESTAMP, target, expected)
    assert not signature.verify(SECRET, TIMESTAMP + 1, target, expected)


@pytest.mark.parametrize("wrong", ["", "é", "TmzGFDk4RCQ5aCjh9mCBHVXfkz0", "\udc80"])
def test_signature__wrong_text__is_refused_without_raising(wrong: str) -> None:
    assert not signature.verify(SECRET, TIMESTAMP, "/configs/a/b/c", wrong)


def test_notifications_target__plain_names__is_the_signed_vector() -> None:
    assert targets.notifications_target("shop-api", "default", {"application": -1}) == NOTIFICATIONS


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_config_target__any_text__decodes_to_the_same_text(text: str) -> None:
    target = targets.config_target(text, "c", "n", prefix="/envs/PRO", label=text, details={text: 7})
    parts = urlsplit(target)
    assert target.isascii()
    assert unquote(parts.path) == f"/envs/PRO/configs/{text}/c/n"
    assert parts.path.count("/") == 6
    query = parse_qs(parts.query)
    assert query["label"] == [text]
    assert json.loads(query["messages"][0]) == {"details": {text: 7}}


def test_config_target__nothing_optional__has_no_question_mark() -> None:
    assert targets.config_target("a", "b", "c", release_key="") == "/configs/a/b/c"


def test_config_file_target__unknown_form__is_refused() -> None:
    assert targets.config_file_target("a", "b", "c", form="raw") == "/configfiles/raw/a/b/c"
    with pytest.raises(ValueError, match="form"):
        targets.config_file_target("a", "b", "c", form="../")


@pytest.mark.parametrize("name", ["a", "A-b_c.d", "-", "_x", "0", "routes.json", "a" * 200])
def test_is_name__allowed__passes(name: str) -> None:
    assert names.is_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", ".a", "a/b", "a b", "a+b", "é", "a\n", "\0", "a\\b", "%2e"])
def test_is_name__hostile__fails(name: str) -> None:
    assert not names.is_name(name)


@pytest.mark.parametrize(
    ("name", "stripped", "form"),
    [
        ("application", "application", "properties"),
        ("application.properties", "application", "properties"),
        ("Redis.PROPERTIES", "Redis", "properties"),
        ("a.properties.properties", "a.properties", "properties"),
        ("routes.json", "routes.json", "json"),
        ("Routes.YML", "Routes.YML", "yml"),
        ("a.b.yaml", "a.b.yaml", "yaml"),
        ("log4j2.xml", "log4j2.xml", "xml"),
        ("banner.txt", "banner.txt", "txt"),
        ("dept.redis", "dept.redis", "properties"),
        ("json", "json", "properties"),
    ],
)
def test_names__suffix__decides_format(name: str, stripped: str, form: str) -> None:
    assert names.strip_properties(name) == stripped
    assert names.format_of(names.strip_properties(name)) == form
    assert names.is_document(name) == (form != "properties")


def test_merge__own_over_public__own_wins_and_order_is_public_first() -> None:
    merged = merge.merge({"a": "1", "b": "2"}, {"c": "3", "a": "9"})
    assert list(merged.items()) == [("a", "9"), ("b", "2"), ("c", "3")]
    assert merge.join_release_keys("own", "public") == "own+public"
    assert merge.join_release_keys(None, "public") == "public"


@pytest.mark.parametrize(
    ("candidate", "held", "older"),
    [
        ("20250101000000-aa", "20250101000001-bb", True),
        ("20250101000001-aa", "20250101000000-bb", False),
        ("20250101000000-aa", "20250101000000-bb", False),
        ("20250101000000-a+20250101000005-b", "20250101000001-a+20250101000005-b", True),
        ("20250101000000-a+20250101000006-b", "20250101000001-a+20250101000005-b", False),
        ("20250101000000-a", "20250101000001-a+20250101000005-b", False),
        ("r1", "r2", False),
    ],
)
def test_is_older__release_keys__only_when_provable(candidate: str, held: str, older: bool) -> None:
    assert merge.is_older(candidate, held) is older


def config_body(**changes: object) -> bytes:
    body: dict[str, object] = {
        "appId": "shop",
        "cluster": "default",
        "namespaceName": "application",
        "configurations": {"a": "1"},
        "releaseKey": "r1",
    }
    return json.dumps({name: value for name, value in {**body, **changes}.items() if value is not None}).encode()


def test_parse_config__full_answer__is_read() -> None:
    answer = answers.parse_config(config_body(), app_id="shop", namespace="application")
    assert answer.configurations == {"a": "1"}
    assert answer.release_key == "r1"


def test_parse_config__other_letter_case_and_suffix__is_the_same_namespace() -> None:
    body = config_body(namespaceName="Application.properties")
    assert answers.parse_config(body, app_id="shop", namespace="application").namespace == "application"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not_json"),
        (b"<html></html>", "not_json"),
        (b'{"appId":', "not_json"),
        (b"\xff\xfe", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b"[]", "wrong_shape"),
        (b"null", "wrong_shape"),
        (config_body(releaseKey=None), "wrong_shape"),
        (config_body(releaseKey=""), "wrong_shape"),
        (config_body(releaseKey=7), "wrong_shape"),
        (config_body(configurations=None), "wrong_shape"),
        (config_body(configurations=["a"]), "wrong_shape"),
        (config_body(configurations={"a": 1}), "wrong_shape"),
        (config_body(configurations={"a": {"b": "c"}}), "wrong_shape"),
        (config_body(cluster=None), "wrong_shape"),
        (config_body(appId=None), "wrong_shape"),
        (config_body(appId="other"), "other_identity"),
        (config_body(namespaceName="redis"), "other_identity"),
        (config_body(configSyncType="IncrementalSync", configurations=None), "incremental"),
    ],
)
def test_parse_config__anything_else__is_refused_with_a_code(body: bytes, code: str) -> None:
    with pytest.raises(messages.AnswerError) as caught:
        answers.parse_config(body, app_id="shop", namespace="application")
    assert caught.value.code == code


def changes_body(*entries: object, **other: object) -> bytes:
    parts = {"configSyncType": "IncrementalSync", "configurationChanges": list(entries), "configurations": None}
    return config_body(**{**parts, **other})


def test_parse_config__changes__are_applied_to_the_held_configuration() -> None:
    held = {"same": "1", "old": "1", "changed": "1"}
    body = changes_body(
        {"key": "new", "newValue": "n", "configurationChangeType": "ADDED"},
        {"key": "changed", "newValue": "2", "configurationChangeType": "MODIFIED"},
        {"key": "old", "configurationChangeType": "DELETED"},
        releaseKey="r2",
    )

    answer = answers.parse_config(body, app_id="shop", namespace="application", held=held)

    assert answer.configurations == {"same": "1", "changed": "2", "new": "n"}
    assert answer.release_key == "r2"
    assert held == {"same": "1", "old": "1", "changed": "1"}


def test_parse_config__no_changes__is_the_held_configuration_under_another_key() -> None:
    answer = answers.parse_config(changes_body(), app_id="shop", namespace="application", held={"a": "1"})

    assert answer.configurations == {"a": "1"}


def test_parse_config__full_answer__is_not_laid_over_what_is_held() -> None:
    answer = answers.parse_config(config_body(), app_id="shop", namespace="application", held={"b": "1"})

    assert answer.configurations == {"a": "1"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (changes_body({"key": "a", "newValue": "2", "configurationChangeType": "ADDED"}), "incremental"),
        (changes_body({"key": "b", "newValue": "2", "configurationChangeType": "MODIFIED"}), "incremental"),
        (changes_body({"key": "b", "configurationChangeType": "DELETED"}), "incremental"),
        (changes_body({"key": "a", "newValue": 2, "configurationChangeType": "MODIFIED"}), "wrong_shape"),
        (changes_body({"key": "a", "configurationChangeType": "MODIFIED"}), "wrong_shape"),
        (changes_body({"key": "a", "newValue": "2", "configurationChangeType": "RENAMED"}), "wrong_shape"),
        (changes_body({"key": "a", "newValue": "2", "configurationChangeType": ["ADDED"]}), "wrong_shape"),
        (changes_body({"key": 1, "newValue": "2", "configurationChangeType": "MODIFIED"}), "wrong_shape"),
        (changes_body("a"), "wrong_shape"),
        (changes_body(configurationChanges=None), "wrong_shape"),
        (changes_body(appId="other"), "other_identity"),
        (changes_body(releaseKey=None), "wrong_shape"),
    ],
)
def test_parse_config__changes_that_do_not_fit__are_refused_with_a_code(body: bytes, code: str) -> None:
    with pytest.raises(messages.AnswerError) as caught:
        answers.parse_config(body, app_id="shop", namespace="application", held={"a": "1"})
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({}, {}),
        ({}, {"a": "1"}),
        ({"a": "1"}, {}),
        ({"a": "1", "b": "2", "c": "3"}, {"d": "4", "c": "x", "a": "1"}),
        ({"a": ""}, {"a": "", "b": ""}),
    ],
)
def test_changes__what_the_server_lists__the_client_applies(before: dict[str, str], now: dict[str, str]) -> None:
    assert changes.apply_changes(before, changes.changes_between(before, now)) == now


def test_merge_all__the_first_wins_and_an_overridden_key_keeps_its_place() -> None:
    parts = [{"c": "own", "a": "own"}, {"b": "under", "a": "under"}, {"a": "public", "d": "public"}]
    merged = merge.merge_all(parts)
    assert merged == {"a": "own", "b": "under", "c": "own", "d": "public"}
    assert list(merged) == ["a", "d", "b", "c"]


def test_release_keys__joined_and_split__keep_their_order_once_each() -> None:
    assert merge.join_release_keys("own", None, "public", "under") == "own+public+under"
    assert merge.split_release_key("own+public+own") == ["own", "public"]
    assert merge.split_release_key("") == []
    assert merge.split_release_key("+own+") == ["own"]


def test_parse_notifications__entries__keep_names_ids_and_sound_details() -> None:
    body = [
        {"namespaceName": "a.properties", "notificationId": 7, "messages": {"details": {"k": 7, "bad": "x"}}},
        {"namespaceName": "b", "notificationId": 8},
    ]
    assert messages.parse_notifications(json.dumps(body).encode()) == (
        messages.Notification("a", 7, {"k": 7}),
        messages.Notification("b", 8, {}),
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        [1],
        [{"namespaceName": "a"}],
        [{"notificationId": 1}],
        [{"namespaceName": "", "notificationId": 1}],
        [{"namespaceName": "a", "notificationId": "1"}],
        [{"namespaceName": "a", "notificationId": True}],
        [{"namespaceName": "a", "notificationId": 2**63}],
    ],
)
def test_parse_notifications__wrong_shape__is_refused(body: object) -> None:
    with pytest.raises(messages.AnswerError) as caught:
        messages.parse_notifications(json.dumps(body).encode())
    assert caught.value.code == "wrong_shape"


def test_parse_services__entries__give_addresses() -> None:
    body = b'[{"appName":"X","instanceId":"i","homepageUrl":"http://a:1/"}]'
    assert messages.parse_services(body) == ("http://a:1/",)
    for wrong in (b"{}", b"[1]", b'[{"homepageUrl":""}]'):
        with pytest.raises(messages.AnswerError):
            messages.parse_services(wrong)
