"""`helicon get` and `helicon print`, help and version."""

from __future__ import annotations

import json
import os
import pty

import javaproperties
import pytest

from helicon._impl.version import VERSION
from helicon.cli import flagtable
from helicon.cli.flags import Flag
from helicon.cli.help_text import twin_of
from tests.cli import faults
from tests.cli.fake_apollo import DEADLINE_SECONDS, FakeApollo
from tests.cli.process import Cli

HOSTILE = ' \u00fc\U0001f642 it\'s "$HOME" `id` \\n\r\n\tlast line\n'


@pytest.mark.parametrize("value", ["2500", "", "x\n", HOSTILE, "a\0b"])
def test_get__key__prints_exactly_its_value(value: str, server: FakeApollo, cli: Cli) -> None:
    server.publish({"the.key": value, "other": "x"})

    result = cli("get", "the.key")

    assert (result.code, result.out, result.err) == (0, value.encode(), "")


def test_get__terminal__ends_the_line(server: FakeApollo, cli: Cli) -> None:
    server.publish({"a": "value"})
    leader, follower = pty.openpty()

    with cli.start("get", "a", stdout=follower) as process:
        assert process.wait(DEADLINE_SECONDS) == 0
    os.close(follower)

    assert os.read(leader, 100) == b"value\r\n"
    os.close(leader)


@pytest.mark.parametrize(
    ("arguments", "env", "warning"),
    [
        ([], {"HELICON_ENV": "PRO"}, "HELICON_ENV=PRO is not used"),
        (["--env", "PRO"], {}, "the environment PRO, given as an argument, is not used"),
        ([], {"HELICON_NAMESPACE": "s3cret"}, "HELICON_NAMESPACE is no setting; did you mean HELICON_NAMESPACES?"),
    ],
)
def test_get__setting_that_is_most_likely_a_mistake__warns_once_and_goes_on(
    arguments: list[str], env: dict[str, str | None], warning: str, server: FakeApollo, cli: Cli
) -> None:
    server.publish({"a": "1"})

    result = cli("get", "a", *arguments, "--quiet", env=env)

    assert (result.code, result.out) == (0, b"1")
    assert result.err.startswith(f"helicon: warning: {warning}")
    assert result.err.count("\n") == 1
    assert "s3cret" not in result.err


def test_print__nothing_but_a_document__says_how_to_make_a_variable_of_it(server: FakeApollo, cli: Cli) -> None:
    server.publish({"content": "{}"}, "routes.json")

    result = cli("print", "--namespace", "routes.json", "--unmask")

    assert (result.code, result.out) == (0, b"")
    assert "no variables; routes.json is a document: --map routes.json=NAME passes it on" in result.err


def test_get__document_namespace__prints_its_text_by_its_name(server: FakeApollo, cli: Cli) -> None:
    text = '{"root": "/v1"}\r\n'
    server.publish({"content": text}, "routes.json")

    assert cli("get", "routes.json", "--namespace", "routes.json").out == text.encode()


def test_get__several_namespaces__the_later_one_wins(server: FakeApollo, cli: Cli) -> None:
    server.publish({"a": "1"}, "one")
    server.publish({"a": "2"}, "two")

    assert cli("get", "--namespace", "one", "--namespace", "two", "a").out == b"2"


def test_get__missing_key__is_1_and_names_where_it_looked(server: FakeApollo, cli: Cli) -> None:
    server.publish({"a": "1"})

    result = cli("get", "b")

    assert (result.code, result.out) == (1, b"")
    assert "there is no key 'b' in application" in result.err


@pytest.mark.parametrize("default", ["2500", ""])
def test_get__missing_key_with_default__prints_the_default(default: str, server: FakeApollo, cli: Cli) -> None:
    server.publish({})

    assert cli("get", "b", "--default", default).out == default.encode()


def test_get__empty_value_with_default__is_not_missing(server: FakeApollo, cli: Cli) -> None:
    server.publish({"b": ""})

    assert cli("get", "b", "--default", "x").out == b""


def test_get__server_down__default_does_not_hide_it_but_the_backup_serves(server: FakeApollo, cli: Cli) -> None:
    server.publish({"a": "1"})
    server.fault = faults.reset
    lost = cli("get", "a", "--default", "x", "--start-timeout", "300ms")
    server.fault = None
    assert cli("get", "a").code == 0
    server.fault = faults.reset

    assert (lost.code, lost.out) == (69, b"")
    assert cli("get", "a").out == b"1"


# --- print ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["dotenv", "export", "json", "yaml", "docker", "k8s", "properties"])
def test_print__without_unmask__shows_names_and_no_value(form: str, server: FakeApollo, cli: Cli) -> None:
    server.publish({"db.password": "hunter2", "user": "hunter2"})

    result = cli("print", "--format", form)

    assert result.code == 0, result.err
    assert b"DB_PASSWORD" in result.out
    assert b"********" in result.out
    assert b"hunter2" not in result.out + result.err.encode()
    assert "values are masked" in result.err


def test_print__json_unmasked__holds_what_run_would_set(server: FakeApollo, cli: Cli) -> None:
    server.publish({"db.url": HOSTILE, "db.nul": "\0"})

    result = cli("print", "--format", "json", "--unmask")

    assert json.loads(result.out) == {"DB_URL": HOSTILE, "DB_NUL": "\0"}


def test_print__properties_with_raw_names__is_the_namespace(server: FakeApollo, cli: Cli) -> None:
    server.publish({"db.url": HOSTILE, "A b": "=x"})

    result = cli("print", "--format", "properties", "--names", "raw", "--case", "keep", "--unmask")

    assert javaproperties.loads(result.out.decode()) == {"db.url": HOSTILE, "A b": "=x"}


def test_print__export__can_be_evaluated(server: FakeApollo, cli: Cli) -> None:
    server.publish({"db.url": HOSTILE + "x"})
    command = " ".join(cli.arguments("print", "--format", "export", "--unmask"))

    assert cli.shell(f'eval "$({command})"; printf %s "$DB_URL"').out == (HOSTILE + "x").encode()


def test_print__value_the_format_cannot_hold__is_78_and_prints_nothing(server: FakeApollo, cli: Cli) -> None:
    server.publish({"a": "fine", "two.lines": "secret\nsecret"})

    result = cli("print", "--format", "docker", "--unmask")

    assert (result.code, result.out) == (78, b"")
    assert "'two.lines' (application) holds a line break" in result.err
    assert "secret" not in result.err


def test_print__reader_goes_away__ends_quietly(server: FakeApollo, cli: Cli) -> None:
    server.publish({f"key.{number}": "x" * 1000 for number in range(2000)})
    command = " ".join(cli.arguments("print", "--unmask", "--quiet"))

    result = cli.shell(f"{{ {command}; echo $? >&2; }} | head -n 1 >/dev/null")

    assert result.err == "141\n"


# --- help ----------------------------------------------------------------------------------------


def test_version__is_that_of_the_distribution(cli: Cli) -> None:
    assert cli("--version").out == f"helicon {VERSION}\n".encode()


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help__overview__names_every_command_and_the_two_settings(arguments: list[str], cli: Cli) -> None:
    result = cli(*arguments)

    assert result.code == 0
    for word in ("run", "get", "print", "watch", "HELICON_META", "HELICON_APP_ID"):
        assert word in result.out.decode()


@pytest.mark.parametrize(
    ("command", "flags"),
    [("run", flagtable.RUN), ("get", flagtable.GET), ("print", flagtable.PRINT), ("watch", flagtable.WATCH)],
)
def test_help__command__lists_every_flag_and_twin(command: str, flags: tuple[Flag, ...], cli: Cli) -> None:
    text = cli(command, "--help").out.decode()

    assert text == cli("help", command).out.decode()
    for flag in flags:
        assert f"  --{flag.name}" in text
        assert twin_of(flag) in text


def test_help__after_the_program__belongs_to_the_program(server: FakeApollo, cli: Cli) -> None:
    server.publish({})

    assert cli("run", "--", "sh", "-c", 'echo "$1"', "sh", "--help").out == b"--help\n"
    assert cli("run", "sh", "-c", 'echo "$1"', "sh", "-h").out == b"-h\n"
