"""Settings: flags, variables, defaults; a bad value is named, a secret is not."""

from __future__ import annotations

import pytest

from helicon_server import settings
from helicon_server.auth import passwords
from helicon_server.settings import Settings, SettingsError, load

SECRET = "s3cret-that-no-message-may-show"
DATABASE = f"postgresql+asyncpg://helicon:{SECRET}@db.example:5432/helicon"


def problem(environ: dict[str, str], **flags: object) -> str:
    """The message of the refusal of these settings."""
    with pytest.raises(SettingsError) as refused:
        load(flags, environ)
    assert refused.value.code == "bad_setting"
    assert SECRET not in refused.value.message
    assert SECRET not in repr(refused.value)
    return refused.value.message


def test_load__nothing_given__has_the_documented_defaults() -> None:
    """One process on the embedded database, reachable from this machine only."""
    loaded = load({}, {})
    assert (loaded.host, loaded.port, loaded.workers) == ("127.0.0.1", 8080, 1)
    assert loaded.main_database_url.startswith("sqlite+aiosqlite:////")
    assert loaded.main_database_url.endswith("/data/helicon.db")
    assert [e.name for e in loaded.environments] == ["DEV", "FAT", "UAT", "PRO"]
    assert loaded.unprefixed_environment == "DEV"
    assert loaded.roles == {"delivery", "management"}
    assert loaded.value_limit == 1_048_576
    assert (loaded.bootstrap_password, loaded.bootstrap_token) == (None, None)


def test_load__flag_and_variable__the_flag_wins() -> None:
    """A flag that was not given (None) hides nothing."""
    loaded = load({"port": 9000, "host": None}, {"HELICON_PORT": "7000", "HELICON_HOST": "::1"})
    assert (loaded.port, loaded.host) == (9000, "::1")


def test_load__empty_variable__counts_as_not_set() -> None:
    """Compose files pass `${HELICON_PORT:-}` on as an empty text."""
    assert load({}, {f"HELICON_{name.upper()}": "" for name in Settings.model_fields}) == load({}, {})


@pytest.mark.parametrize("link", ["tcp://10.96.0.12:8080", "udp://10.96.0.12:8080"])
def test_load__kubernetes_service_link_as_port__is_passed_over(link: str) -> None:
    """Every pod beside a service called `helicon` has HELICON_PORT=tcp://…, and more of that kind."""
    links = {
        "HELICON_PORT": link,
        "HELICON_SERVICE_HOST": "10.96.0.12",
        "HELICON_SERVICE_PORT": "8080",
        "HELICON_PORT_8080_TCP": link,
        "HELICON_PORT_8080_TCP_ADDR": "10.96.0.12",
    }
    assert load({}, links) == load({}, {})


def test_load__environments__are_read_with_their_own_databases() -> None:
    """`NAME=URL`; a URL may hold further equal signs."""
    loaded = load(
        {}, {"HELICON_ENVIRONMENTS": f"dev, Pro={DATABASE}?ssl=require", "HELICON_DEFAULT_ENVIRONMENT": "pro"}
    )
    assert [e.name for e in loaded.environments] == ["DEV", "PRO"]
    assert loaded.dedicated_database_urls == {"PRO": f"{DATABASE}?ssl=require"}
    assert loaded.unprefixed_environment == "PRO"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "-1"),
        ("PORT", "65536"),
        ("PORT", "8080.5"),
        ("DATABASE_URL", "mysql://db/helicon"),
        ("DATABASE_URL", "postgresql://db/helicon"),
        ("DATABASE_URL", "sqlite:///helicon.db"),
        ("DATABASE_URL", "helicon.db"),
        ("DATABASE_URL", "sqlite+aiosqlite:///"),
        ("DATABASE_URL", "sqlite+aiosqlite:///:memory:"),
        ("DATABASE_URL", "postgresql+asyncpg://db:port/helicon"),
        ("DATABASE_URL", "postgresql+asyncpg://db"),
        ("DATABASE_URL", "postgresql+asyncpg://user:p@ss@db/helicon"),
        ("DATABASE_URL", "postgresql+asyncpg://user:pass/helicon"),
        ("MASTER_KEY", "short"),
        ("MASTER_KEY", "A" * 43 + "="),
        ("ACCESS_KEY_TOLERANCE_S", "0"),
        ("ACCESS_KEY_TOLERANCE_S", "3601"),
        ("ROLES", "delivery,portal"),
        ("ROLES", ","),
        ("WORKERS", "0"),
        ("WORKERS", "65"),
        ("WORKERS", "two"),
        ("ENVIRONMENTS", ","),
        ("ENVIRONMENTS", "DEV,dev"),
        ("ENVIRONMENTS", "DEV,a b"),
        ("ENVIRONMENTS", "DEV=mysql://db"),
        ("ENVIRONMENTS", "DEV="),
        ("ENVIRONMENTS", "=sqlite+aiosqlite:///a.db"),
        ("DEFAULT_ENVIRONMENT", "../x"),
        ("PUBLIC_URL", "config.example"),
        ("PUBLIC_URL", "ftp://config.example"),
        ("PUBLIC_URL", "https://config.example/?a=1"),
        ("PUBLIC_URL", "https://"),
        ("VALUE_LIMIT", "4"),
        ("VALUE_LIMIT", "20k"),
        ("VALUE_LIMIT", "16777217"),
        ("LONG_POLL_S", "0"),
        ("LONG_POLL_S", "91"),
        ("LONG_POLL_S", "nan"),
        ("NODE_URL", "10.0.0.1:8080"),
        ("NODE_URL", "https://node/?a=1"),
        ("HEARTBEAT_S", "0"),
        ("HEARTBEAT_S", "301"),
        ("SNAPSHOT", "yes"),
        ("SWEEP_S", "inf"),
        ("SWEEP_S", "0"),
        ("POLLS_PER_ADDRESS", "0"),
        ("POLLS_PER_CLIENT", "-1"),
        ("POLL_MEMORY_MB", "0"),
        ("CONTENT_MEMORY_MB", "0"),
        ("POLLS_PER_APP", "0"),
        ("REQUESTS_PER_CLIENT", "-1"),
        ("REQUESTS_PER_ADDRESS", "-1"),
        ("MEMORY_LIMIT_MB", "63"),
        ("METRICS_TOKEN", "two words"),
        ("DRAIN_S", "-1"),
        ("DRAIN_S", "301"),
        ("BOOTSTRAP_PASSWORD", "short"),
        ("BOOTSTRAP_PASSWORD", "p" * 257),
        ("BOOTSTRAP_PASSWORD", "long enough, but\n"),
        ("BOOTSTRAP_TOKEN", "two words"),
        ("BOOTSTRAP_TOKEN", "line\n"),
        ("BOOTSTRAP_TOKEN", "tökén"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_load__bad_value__is_refused_by_the_name_of_its_variable(name: str, value: str) -> None:
    """Whoever reads the message knows what to change."""
    message = problem({f"HELICON_{name}": value})
    assert message.startswith(f"HELICON_{name}: ")
    assert len(message) < 300


def test_bad_values__cover_every_setting_that_can_be_bad() -> None:
    """A new setting needs a row above, or a reason to stand here."""
    (parameters,) = (
        mark.args[1]
        for mark in test_load__bad_value__is_refused_by_the_name_of_its_variable.pytestmark  # type: ignore[attr-defined]  # pytest adds it
    )
    free = {"host", "data_dir", "master_key_file"}  # any text may be a host or a path: the start tries
    assert {name.lower() for name, _ in parameters} == set(Settings.model_fields) - free


@pytest.mark.parametrize(
    "url",
    [
        "sqlite+aiosqlite:////var/lib/helicon/helicon.db",
        "sqlite+aiosqlite:///relative dir/helicon.db",
        "postgresql+asyncpg://db/helicon",
        "postgresql+asyncpg://helicon@db.example:5432/helicon",
        "postgresql+asyncpg://helicon:p%40ss%2F%3Aw@[2001:db8::1]:5432/helicon?ssl=require",
        "postgresql+asyncpg://helicon:pa/s:s?w#@db/helicon",
        "postgresql+asyncpg:///helicon?host=/var/run/postgresql",
    ],
)
def test_load__database_address__in_every_usual_form_is_taken(url: str) -> None:
    """As it is given."""
    assert load({}, {"HELICON_DATABASE_URL": url}).main_database_url == url


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"port": 70000}, "--port: "),
        ({"data_dir": "d", "log_format": "xml"}, "--log-format: "),
        ({"database_url": "mysql://x"}, "--database-url: "),
        ({"database_url": ""}, "--database-url: "),
        ({"host": ""}, "--host: "),
        ({"workers": 0}, "--workers: "),
        ({"roles": "nothing"}, "--roles: "),
    ],
)
def test_load__bad_flag__is_refused_by_its_own_name(flags: dict[str, object], expected: str) -> None:
    """Not by the variable, which the person did not set. An empty host would listen to the whole network."""
    assert problem({}, **flags).startswith(expected)


def test_load__several_bad_values__are_all_named() -> None:
    """One start, one list, not one fault per try."""
    message = problem({"HELICON_PORT": "x", "HELICON_WORKERS": "y", "HELICON_LOG_FORMAT": "z"})
    assert [part.partition(":")[0] for part in message.split("; ")] == [
        "HELICON_PORT",
        "HELICON_WORKERS",
        "HELICON_LOG_FORMAT",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", f"mysql://helicon:{SECRET}@db/helicon"),
        ("ENVIRONMENTS", f"DEV,PRO=mysql://helicon:{SECRET}@db/helicon"),
        ("ENVIRONMENTS", f"postgresql+asyncpg://helicon:{SECRET}@db/helicon"),
        ("ENVIRONMENTS", f"DEV,dev={DATABASE}"),
        ("BOOTSTRAP_PASSWORD", SECRET * 20),
        ("BOOTSTRAP_TOKEN", f"{SECRET} {SECRET}"),
        ("MASTER_KEY", SECRET),
        ("PORT", SECRET),
        ("PUBLIC_URL", f"https://user:{SECRET}@host/ x"),
    ],
)
def test_load__bad_value_with_a_secret_in_it__is_refused_without_it(name: str, value: str) -> None:
    """Messages of a failed start end in logs that many can read; a value in the wrong place may be a password."""
    assert problem({f"HELICON_{name}": value}).startswith(f"HELICON_{name}: ")


def test_repr__holds_no_secret() -> None:
    """Settings may be printed by any traceback."""
    loaded = load(
        {"database_url": DATABASE},
        {
            "HELICON_ENVIRONMENTS": f"DEV,PRO={DATABASE}",
            "HELICON_BOOTSTRAP_PASSWORD": SECRET,
            "HELICON_BOOTSTRAP_TOKEN": SECRET,
        },
    )
    for shown in (repr(loaded), str(loaded), repr(loaded.environments), loaded.model_dump_json()):
        assert SECRET not in shown


def test_export__settings_of_flags__reach_a_worker_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers start with the environment alone; what they load is what the parent had, secrets included."""
    environ = {"HELICON_BOOTSTRAP_TOKEN": SECRET, "HELICON_SWEEP_S": "0.5"}
    loaded = load(
        {
            "port": 9000,
            "data_dir": "elsewhere",
            "database_url": DATABASE,
            "roles": "delivery",
            "workers": 3,
            "environments": f"DEV,PRO={DATABASE}",
            "default_environment": "pro",
        },
        environ,
    )
    exported = dict(environ)
    monkeypatch.setattr("os.environ", exported)
    settings.export(loaded)
    assert load({}, exported) == loaded


def test_body_limit__has_room_for_the_longest_value_however_it_is_escaped() -> None:
    """`\\u0001` takes six bytes for one character."""
    loaded = load({}, {"HELICON_VALUE_LIMIT": "1000"})
    assert loaded.body_limit >= 6 * 1000


def test_password_rule__is_that_of_all_passwords() -> None:
    """A first administrator's password that the store would refuse is refused by name, before anything starts."""
    for length, good in (
        (passwords.MINIMUM_LENGTH - 1, False),
        (passwords.MINIMUM_LENGTH, True),
        (passwords.MAXIMUM_LENGTH, True),
        (passwords.MAXIMUM_LENGTH + 1, False),
    ):
        environ = {"HELICON_BOOTSTRAP_PASSWORD": "p" * length}
        if good:
            load({}, environ)
        else:
            assert problem(environ).startswith("HELICON_BOOTSTRAP_PASSWORD: ")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("METRICS_TOKEN", "short", "must have at least 16 characters"),
        ("BOOTSTRAP_PASSWORD", "short", "must have at least 12 characters"),
        ("BOOTSTRAP_PASSWORD", "p" * 257, "must have at most 256 characters"),
        ("NODE_URL", "10.0.0.1:8080", "must be an address such as http://host:8080, without ? and #"),
        ("PUBLIC_URL", "config.example", "must be an address such as http://host:8080, without ? and #"),
    ],
)
def test_load__bad_value__is_refused_in_words(name: str, value: str, sentence: str) -> None:
    """Not in a validator's: nobody sets items, and nobody reads patterns."""
    assert problem({f"HELICON_{name}": value}) == f"HELICON_{name}: {sentence}"
