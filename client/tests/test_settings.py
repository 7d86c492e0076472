"""Where the client's settings come from, and what is said about bad ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from helicon._impl.errors import SettingsError
from helicon._impl.settings import ClientSettings, read_settings

BASE = {"HELICON_META": "http://config:8080", "HELICON_APP_ID": "shop"}


def read(environ: dict[str, str], **arguments: object) -> ClientSettings:
    return read_settings(environ=environ, **arguments)  # type: ignore[arg-type]  # passed through as given


def test_settings__only_the_two_required__have_the_documented_defaults() -> None:
    settings = read(BASE)
    assert [address.url for address in settings.meta] == ["http://config:8080"]
    assert (settings.app_id, settings.cluster, settings.namespaces) == ("shop", "default", ("application",))
    assert settings[4:9] == (None, None, None, None, None)
    assert settings.cache_dirs == ()


def test_settings__apollo_names__stand_in() -> None:
    settings = read(
        {
            "APOLLO_META": "http://a:1,http://b:2/",
            "APP_ID": "legacy",
            "ENV": "DEV",
            "APOLLO_CLUSTER": "shanghai",
            "IDC": "dc1",
            "APOLLO_ACCESS_KEY_SECRET": "s3cret",
            "APOLLO_LABEL": "canary",
            "APOLLO_CACHE_DIR": "/var/cache/app",
        }
    )
    assert [address.url for address in settings.meta] == ["http://a:1", "http://b:2"]
    assert settings.app_id == "legacy"
    assert (settings.env, settings.cluster, settings.data_center) == ("DEV", "shanghai", "dc1")
    assert (settings.secret, settings.label) == ("s3cret", "canary")
    assert settings.cache_dirs == ("/var/cache/app",)


def test_settings__argument_and_both_variables__argument_then_ours_then_apollos() -> None:
    environ = {**BASE, "APP_ID": "theirs"}
    assert read(environ).app_id == "shop"
    assert read(environ, app_id="mine").app_id == "mine"
    assert read({**environ, "HELICON_APP_ID": ""}).app_id == "theirs"


@pytest.mark.parametrize("meta", ["http://h:1/{env}", "http://h:1/envs/{env}", "http://h:1{env}", "http://h:1/{env}/"])
def test_settings__env_mark__appends_the_environment(meta: str) -> None:
    settings = read({**BASE, "HELICON_META": meta, "HELICON_ENV": "PRO"})
    assert settings.meta[0].prefix == "/envs/PRO"


def test_settings__env_without_mark__leaves_the_address_alone() -> None:
    assert read({**BASE, "HELICON_ENV": "PRO"}).meta[0].prefix == ""


@pytest.mark.parametrize(
    ("changes", "code", "variable"),
    [
        ({"HELICON_META": ""}, "missing_setting", "HELICON_META"),
        ({"HELICON_META": " , "}, "missing_setting", "HELICON_META"),
        ({"HELICON_APP_ID": ""}, "missing_setting", "HELICON_APP_ID"),
        ({"HELICON_META": "http://h/{env}"}, "missing_setting", "HELICON_ENV"),
        ({"HELICON_META": "config:8080"}, "invalid_setting", "HELICON_META"),
        ({"HELICON_META": "ftp://config"}, "invalid_setting", "HELICON_META"),
        ({"HELICON_META": "http://"}, "invalid_setting", "HELICON_META"),
        ({"HELICON_META": "http://h:0"}, "invalid_setting", "HELICON_META"),
        ({"HELICON_META": "http://h:99999"}, "invalid_setting", "HELICON_META"),
        ({"HELICON_META": "http://h:x"}, "invalid_setting", "HELICON_META"),
        ({"HELICON_META": "http://h/?a=b"}, "invalid_setting", "HELICON_META"),
        ({"HELICON_META": "http://h/\r\nX: y"}, "invalid_setting", "HELICON_META"),
        ({"HELICON_META": "http://[::1"}, "invalid_setting", "HELICON_META"),
        ({"HELICON_META": "http://::1:80"}, "invalid_setting", "HELICON_META"),
        ({"HELICON_APP_ID": "../etc"}, "invalid_setting", "HELICON_APP_ID"),
        ({"HELICON_CLUSTER": "a b"}, "invalid_setting", "HELICON_CLUSTER"),
        ({"HELICON_NAMESPACES": "ok,../x"}, "invalid_setting", "HELICON_NAMESPACES"),
        ({"HELICON_LABEL": "a\nb"}, "invalid_setting", "HELICON_LABEL"),
        ({"HELICON_ACCESS_KEY_SECRET": "x" * 2000}, "invalid_setting", "HELICON_ACCESS_KEY_SECRET"),
        (
            {"HELICON_ACCESS_KEY_SECRET_FILE": "/does/not/exist"},
            "unreadable_file",
            "HELICON_ACCESS_KEY_SECRET_FILE",
        ),
        (
            {"HELICON_ACCESS_KEY_SECRET": "a", "HELICON_ACCESS_KEY_SECRET_FILE": "/b"},
            "conflicting_settings",
            "HELICON_ACCESS_KEY_SECRET",
        ),
    ],
)
def test_settings__bad_value__names_the_variable(changes: dict[str, str], code: str, variable: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read({**BASE, **changes})
    assert (caught.value.code, caught.value.variable) == (code, variable)
    assert variable in caught.value.message


def test_settings__password_in_the_address__is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        read({**BASE, "HELICON_META": "http://user:hunter2@config"})
    assert "hunter2" not in str(caught.value)


def test_settings__secret_file__is_read_without_the_line_end(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("s3cret\n")
    assert read({**BASE, "HELICON_ACCESS_KEY_SECRET_FILE": str(file)}).secret == "s3cret"
    assert read(BASE, access_key_secret_file=file).secret == "s3cret"
    file.write_text("\n")
    with pytest.raises(SettingsError, match="empty"):
        read(BASE, access_key_secret_file=file)


def test_settings__shown_as_text__hide_the_secret() -> None:
    settings = read({**BASE, "HELICON_ACCESS_KEY_SECRET": "s3cret"})
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in str(settings)
    assert settings.secret == "s3cret"


@pytest.mark.parametrize(
    ("environ", "folders"),
    [
        ({"XDG_STATE_HOME": "/x", "HOME": "/u"}, ("/x/helicon", "/u/.local/state/helicon")),
        ({"HOME": "relative", "XDG_RUNTIME_DIR": "/run/u"}, ("/run/u/helicon",)),
        ({}, ()),
        ({"HOME": "/h", "HELICON_CACHE_DIR": "off"}, ()),
        ({"HOME": "/h", "HELICON_CACHE_DIR": "/c"}, ("/c",)),
    ],
)
def test_settings__backup_folder__search_order(environ: dict[str, str], folders: tuple[str, ...]) -> None:
    assert read({**BASE, **environ}).cache_dirs == folders


def test_settings__namespaces__are_stripped_and_kept_once_in_order() -> None:
    settings = read(BASE, namespaces=["b.properties", "a", "b", "routes.json"])
    assert settings.namespaces == ("b", "a", "routes.json")
    assert read({**BASE, "HELICON_NAMESPACES": " b , a,"}).namespaces == ("b", "a")


def test_settings__ipv6_address__keeps_its_brackets_in_the_host_header() -> None:
    address = read(BASE, meta="https://[2001:DB8::1]:8443/base/").meta[0]
    assert (address.host, address.port, address.prefix) == ("2001:db8::1", 8443, "/base")
    assert address.authority == "[2001:db8::1]:8443"
