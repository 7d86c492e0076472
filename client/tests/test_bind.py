"""Binding a namespace to a class of the program's own."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum

import pydantic
import pytest

from helicon import BindError
from helicon._impl.building import build
from tests.support.clients import OpenClient
from tests.support.scripted_server import ScriptedServer
from tests.support.waiting import eventually, eventually_is


class Mode(Enum):
    FAST = "fast"
    SAFE = "safe"


@dataclass(frozen=True)
class Pool:
    size: int = 5
    wait: timedelta = timedelta(seconds=1)


@dataclass(frozen=True)
class Settings:
    http_timeout: int
    feature_cart: bool = False
    hosts: list[str] = field(default_factory=list)
    mode: Mode = Mode.SAFE
    note: str | None = None
    renamed: str = field(default="", metadata={"key": "a.very-special_Key"})
    pool: Pool = field(default_factory=Pool)


class PoolModel(pydantic.BaseModel):
    size: int = 5


class Model(pydantic.BaseModel):
    http_timeout: pydantic.PositiveInt
    hosts: list[str] = []
    wait: timedelta = timedelta(seconds=1)
    special: str = pydantic.Field(default="", alias="a.key")
    pool: PoolModel = PoolModel()


@pytest.mark.parametrize("key", ["http_timeout", "http.timeout", "http-timeout", "httpTimeout", "HTTP.TIMEOUT"])
def test_build__spellings_of_a_key__fill_the_field(key: str) -> None:
    assert build(Settings, {key: "3"}, "").http_timeout == 3
    assert build(Model, {key: "3"}, "").http_timeout == 3


def test_build__all_fields__are_converted() -> None:
    built = build(
        Settings,
        {
            "shop.http.timeout": "3",
            "shop.feature.cart": "yes",
            "shop.hosts": "a, b",
            "shop.mode": "fast",
            "shop.note": "n",
            "shop.a.very-special_Key": "k",
            "shop.pool.size": "7",
            "shop.pool.wait": "250ms",
        },
        "shop.",
    )
    pool = Pool(7, timedelta(milliseconds=250))
    assert built == Settings(3, True, ["a", "b"], Mode.FAST, "n", "k", pool)


def test_build__model__is_converted_by_pydantic() -> None:
    values = {"http.timeout": "3", "hosts": "a,b", "wait": "250ms", "a.key": "k", "pool.size": "7"}
    built = build(Model, values, "")
    assert built.model_dump() == {
        "http_timeout": 3,
        "hosts": ["a", "b"],
        "wait": timedelta(milliseconds=250),
        "special": "k",
        "pool": {"size": 7},
    }


@pytest.mark.parametrize("target", [Settings, Model])
@pytest.mark.parametrize(
    ("values", "code", "shown"),
    [
        ({}, "missing_key", "http.timeout"),
        ({"http.timeout": "s3cret"}, "invalid_value", "http"),
        ({"http.timeout": "3", "pool.size": "s3cret"}, "invalid_value", "size"),
    ],
)
def test_build__what_does_not_fit__is_an_error_with_the_key_and_no_value(
    target: type, values: dict[str, str], code: str, shown: str
) -> None:
    with pytest.raises(BindError) as caught:
        build(target, values, "")
    assert caught.value.code == code
    assert shown in caught.value.message
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_build__class_that_refuses__is_an_error_without_its_text() -> None:
    @dataclass
    class Picky:
        a: str

        def __post_init__(self) -> None:
            raise ValueError(f"cannot use {self.a}")

    with pytest.raises(BindError) as caught:
        build(Picky, {"a": "s3cret"}, "")
    assert "Picky" in caught.value.message
    assert "s3cret" not in caught.value.message


BAD = {"feature.cart": "s3cret", "pool.size": "s3cret", "pool.wait": "s3cret", "mode": "s3cret", "note": "fine"}


def test_build__several_things_do_not_fit__are_all_named_at_once() -> None:
    """Or a configuration has to be published once for each of them."""
    with pytest.raises(BindError) as caught:
        build(Settings, BAD, "")
    assert [(fault.code, fault.field) for fault in caught.value.faults] == [
        ("missing_key", "http_timeout"),
        ("invalid_value", "feature_cart"),
        ("invalid_value", "mode"),
        ("invalid_value", "pool.size"),
        ("invalid_value", "pool.wait"),
    ]
    assert caught.value.code == "missing_key"
    assert caught.value.message == (
        "Settings does not fit: http_timeout: the key 'http.timeout' is missing; "
        "feature_cart: the value of key 'feature.cart' is no bool; mode: the value of key 'mode' is no Mode; "
        "pool.size: the value of key 'pool.size' is no int; pool.wait: the value of key 'pool.wait' is no timedelta"
    )
    assert pickle.loads(pickle.dumps(caught.value)).faults == caught.value.faults


class Strict(pydantic.BaseModel):
    first: int
    second: pydantic.PositiveInt
    third: list[int]
    fourth: str
    pool: PoolModel

    @pydantic.model_validator(mode="after")
    def refuse(self) -> Strict:
        raise ValueError(f"cannot use {self.fourth}")


def test_build__several_things_do_not_fit_a_model__are_all_named_at_once() -> None:
    values = {"second": "-1", "third": "1,s3cret,3,s4cret", "pool.size": "s3cret", "fourth": "x"}
    with pytest.raises(BindError) as caught:
        build(Strict, values, "")
    assert sorted((fault.field, fault.reason) for fault in caught.value.faults) == [
        ("first", "the key 'first' is missing"),
        ("pool.size", "the value of key 'pool.size' is refused (int_parsing)"),
        ("second", "the value of key 'second' is refused (greater_than)"),
        ("third.1", "the value of key 'third' is refused (int_parsing)"),
        ("third.3", "the value of key 'third' is refused (int_parsing)"),
    ]
    assert "cret" not in caught.value.message


def test_build__model_that_refuses_its_values_together__is_an_error_without_its_text() -> None:
    values = {"first": "1", "second": "1", "third": "1", "pool.size": "1", "fourth": "s3cret"}
    with pytest.raises(BindError) as caught:
        build(Strict, values, "")
    assert caught.value.message == "Strict does not fit: the class refuses the values (value_error)"


def test_build__two_keys_alike__neither_is_guessed() -> None:
    @dataclass
    class One:
        http_read_timeout: int = 1

    values = {"httpRead.timeout": "2", "http.readTimeout": "3"}
    assert build(One, values, "").http_read_timeout == 1


def test_bind__new_release__is_seen_at_once(apollo: ScriptedServer, open_client: OpenClient) -> None:
    client = open_client(apollo.url)
    settings = client.namespace().bind(Settings)
    assert settings.http_timeout == 2500
    assert settings.feature_cart is True
    assert isinstance(settings, Settings)
    assert settings == Settings(2500, True)
    apollo.publish("application", {"http.timeout": "9"})
    eventually(lambda: settings.http_timeout == 9, "the new value")
    assert settings.feature_cart is False


def test_bind__release_that_does_not_fit__keeps_the_earlier_values_and_says_so(
    apollo: ScriptedServer, open_client: OpenClient, caplog: pytest.LogCaptureFixture
) -> None:
    client = open_client(apollo.url)
    settings = client.namespace().bind(Model)
    for bad in ({"http.timeout": "s3cret"}, {"http.timeout": "-5"}, {}):
        release = apollo.publish("application", bad)
        eventually_is(lambda: client.namespace().snapshot().release_key, release.release_key, "the release")
        assert settings.http_timeout == 2500
        assert settings.http_timeout == 2500
    assert client.status().bad_bindings == 3
    messages = [record.getMessage() for record in caplog.records if "bad_binding" in record.getMessage()]
    assert len(messages) == 3
    assert not any("s3cret" in message or "-5" in message for message in messages)
    apollo.publish("application", {"http.timeout": "7"})
    eventually(lambda: settings.http_timeout == 7, "the release that fits")


def test_bind__object__is_read_only_and_shows_no_value(apollo: ScriptedServer, open_client: OpenClient) -> None:
    settings = open_client(apollo.url).namespace().bind(Settings)
    with pytest.raises(AttributeError):
        setattr(settings, "http_timeout", 1)  # noqa: B010 - the class is frozen, so mypy would stop it first
    with pytest.raises(AttributeError):
        del settings.http_timeout
    with pytest.raises(AttributeError):
        settings.nothing  # type: ignore[attr-defined]  # noqa: B018
    assert "2500" not in repr(settings)
    assert "http_timeout" in dir(settings)


def test_snapshot_bind__plain_instance__stays_what_it_is_and_is_taken_by_dataclasses(
    apollo: ScriptedServer, open_client: OpenClient
) -> None:
    config = open_client(apollo.url).namespace()
    frozen = config.snapshot().bind(Settings)
    model = config.snapshot().bind(Model)
    assert type(frozen) is Settings
    assert type(model) is Model
    apollo.publish("application", {"http.timeout": "9"})
    eventually_is(lambda: config.get("http.timeout"), "9", "the new value")
    assert (frozen.http_timeout, model.http_timeout) == (2500, 2500)
    assert dataclasses.asdict(frozen)["http_timeout"] == 2500
    assert dataclasses.replace(frozen, http_timeout=1) == Settings(1, True)
    assert config.snapshot().bind(Pool, prefix="http.") == Pool()
    with pytest.raises(BindError, match=r"the key 'x\.http\.timeout' is missing"):
        config.snapshot().bind(Settings, prefix="x.")


@pytest.mark.parametrize("target", [Settings, Model])
def test_bind__copy_of_the_object__is_a_plain_instance_of_that_moment(
    apollo: ScriptedServer, open_client: OpenClient, target: type[Settings | Model]
) -> None:
    config = open_client(apollo.url).namespace()
    settings = config.bind(target)
    copies = [copy.copy(settings), copy.deepcopy(settings), pickle.loads(pickle.dumps(settings))]
    apollo.publish("application", {"http.timeout": "9"})
    eventually(lambda: settings.http_timeout == 9, "the new value")
    assert [type(each) for each in copies] == [target] * 3
    assert [each.http_timeout for each in copies] == [2500] * 3


@pytest.mark.parametrize("target", [int, "x", dict, object])
def test_bind__other_class__is_refused(apollo: ScriptedServer, open_client: OpenClient, target: object) -> None:
    with pytest.raises(BindError) as caught:
        open_client(apollo.url).namespace().bind(target)  # type: ignore[arg-type]  # the point of the test
    assert caught.value.code == "unsupported_class"
