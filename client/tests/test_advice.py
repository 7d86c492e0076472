"""Settings that are no error and most likely a mistake: somebody is told, once."""

from __future__ import annotations

import subprocess
import sys

import pytest

from helicon._impl import client_core
from helicon._impl.misspelt import OF_THE_COMMAND, misspelt
from helicon._impl.settings import VARIABLES, Advice, read_settings
from helicon.cli import flagtable
from tests.support.clients import OpenClient
from tests.support.scripted_server import ScriptedServer

BASE = {"HELICON_META": "http://config:8080", "HELICON_APP_ID": "shop"}


def advice(environ: dict[str, str], **arguments: str) -> tuple[Advice, ...]:
    return read_settings(environ={**BASE, **environ}, **arguments).advice


@pytest.mark.parametrize("meta", ["http://config:8080", "http://config:8080/envs/DEV", "http://a/envs/PRO,http://b"])
def test_advice__environment_that_no_address_uses__is_told(meta: str) -> None:
    """Whoever sets it believes to be there, and reads another one."""
    (told,) = advice({"HELICON_META": meta, "HELICON_ENV": "PRO"})
    assert told.code == "unused_setting"
    assert told.message.startswith("HELICON_ENV=PRO is not used: HELICON_META holds no {env}, so http://")
    (told,) = advice({"HELICON_META": meta}, env="PRO")
    assert told.message.startswith("the environment PRO, given as an argument, is not used: ")


def test_advice__environment_unused__says_which_one_is_read() -> None:
    (told,) = advice({"HELICON_ENV": "PRO"})
    assert "so http://config:8080 is read, the server's default environment." in told.message
    (told,) = advice({"HELICON_ENV": "PRO", "HELICON_META": "http://config:8080/envs/DEV"})
    assert "so http://config:8080/envs/DEV is read, environment DEV." in told.message


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"ENV": "PRO"},
        {"HELICON_ENV": " "},
        {"HELICON_ENV": "PRO", "HELICON_META": "http://config:8080/{env}"},
        {"HELICON_ENV": "PRO", "HELICON_META": "http://config:8080/envs/PRO"},
        {"HELICON_ENV": "pro", "HELICON_META": "http://a/{env},http://b/envs/PRO"},
    ],
)
def test_advice__environment_used_or_not_asked_for_by_our_name__is_silent(environ: dict[str, str]) -> None:
    assert advice(environ) == ()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("HELICON_NAMESPACE", "HELICON_NAMESPACES"),
        ("HELICON_APPID", "HELICON_APP_ID"),
        ("HELICON_ENVIRONMENT", "HELICON_ENV"),
        ("HELICON_ACCESS_KEY", "HELICON_ACCESS_KEY_SECRET"),
        ("HELICON_SECRET", "HELICON_ACCESS_KEY_SECRET"),
        ("HELICON_CLUSTER_", "HELICON_CLUSTER"),
        ("HELICON_ON_UNAVAILABEL", "HELICON_ON_UNAVAILABLE"),
        ("HELICON_STARTTIMEOUT", "HELICON_START_TIMEOUT"),
    ],
)
def test_advice__name_close_to_a_setting__is_told_without_its_value(written: str, meant: str) -> None:
    assert advice({written: "s3cret"}) == (
        Advice("unknown_setting", f"{written} is no setting; did you mean {meant}?"),
    )
    assert advice({written: ""}) == ()


@pytest.mark.parametrize(
    "name",
    [
        *OF_THE_COMMAND,
        "HELICON_SERVICE_HOST",
        "HELICON_SERVICE_PORT",
        "HELICON_PORT",
        "HELICON_PORT_8080_TCP",
        "HELICON_PORT_8080_TCP_ADDR",
        "HELICON_META_SERVICE_HOST",
        "HELICON_META_PORT",
        "HELICON_META_PORT_80_TCP_PROTO",
        "HELICON_RUN_SOURCE",
        "HELICON_",
        "HELICON_COLOUR_OF_THE_DOOR",
        "HELICON_NAMESPACE\n",
        "NAMESPACES",
        "MY_HELICON_NAMESPACE",
    ],
)
def test_advice__name_of_something_else__is_silent(name: str) -> None:
    assert advice({name: "x"}) == ()


def test_misspelt__variables_of_the_command__are_those_of_its_flags() -> None:
    tables = (flagtable.RUN, flagtable.GET, flagtable.PRINT, flagtable.WATCH)
    twins = {flag.twin for table in tables for flag in table if flag.twin}
    assert set(OF_THE_COMMAND) == twins - set(VARIABLES)
    assert misspelt(OF_THE_COMMAND) == {}


def test_advice__nothing_unknown__loads_nothing_to_find_it() -> None:
    """A start pays for the search only when there is something to be found."""
    environ = {
        **BASE,
        "HELICON_ENV": "PRO",
        "HELICON_SERVICE_HOST": "x",
        "HELICON_RUN_SOURCE": "x",
        "HELICON_KEEP": "x",
    }
    script = (
        f"import sys; from helicon._impl.settings import read_settings; read_settings(environ={environ!r});"
        "sys.exit('difflib' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_client__several_with_the_same_mistakes__log_each_once(
    apollo: ScriptedServer,
    open_client: OpenClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(client_core, "_advised", set())
    monkeypatch.setenv("HELICON_ENV", "PRO")
    monkeypatch.setenv("HELICON_NAMESPACE", "server")
    for _ in range(3):
        open_client(apollo.url)
    told = [record.getMessage() for record in caplog.records if "_setting: " in record.getMessage()]
    assert len(told) == 2
    assert told[0].startswith("unused_setting: HELICON_ENV=PRO is not used: ")
    assert told[1] == "unknown_setting: HELICON_NAMESPACE is no setting; did you mean HELICON_NAMESPACES?"
