"""`helicon run` against a good server: what the program receives, and what is refused before it starts."""

from __future__ import annotations

import json
import os
import string

import pytest

from tests.cli.fake_apollo import RELEASE, FakeApollo
from tests.cli.process import Cli

ALPHANUMERIC = string.ascii_letters + string.digits
LONGEST = 32 * os.sysconf("SC_PAGE_SIZE")


def test_run__good_server__program_gets_the_variables(server: FakeApollo, cli: Cli) -> None:
    server.publish({"db.url": "jdbc:x?a=b&c=${d}", "empty": "", "text": " 中文 🙂\r\nsecond line\n\t'\"`$HOME "})

    variables = cli("run", "--", "env", "-0").variables()

    assert variables["DB_URL"] == "jdbc:x?a=b&c=${d}"
    assert variables["EMPTY"] == ""
    assert variables["TEXT"] == " 中文 🙂\r\nsecond line\n\t'\"`$HOME "
    assert variables["HOME"] == cli.env["HOME"]


def test_run__several_namespaces__the_later_one_wins(server: FakeApollo, cli: Cli) -> None:
    server.publish({"a": "1", "b": "1"}, "one")
    server.publish({"b": "2"}, "two")

    forward = cli("run", "--namespace", "one", "--namespace", "two", "--", "env", "-0").variables()
    by_twin = cli("run", "--", "env", "-0", env={"HELICON_NAMESPACES": "two,one"}).variables()

    assert (forward["A"], forward["B"]) == ("1", "2")
    assert by_twin["B"] == "1"


def test_run__collision_decided_by_order__an_overridden_key_counts_where_it_was_overridden(
    server: FakeApollo, cli: Cli
) -> None:
    server.publish({"a.b": "1", "a-b": "2"}, "one")
    server.publish({"a.b": "3"}, "two")
    flags = ["--namespace", "one", "--namespace", "two", "--on-collision", "last"]

    assert cli("run", *flags, "--", "env", "-0").variables()["A_B"] == "3"


@pytest.mark.parametrize(
    ("namespaces", "arguments", "told"),
    [
        (["routes.json"], [], "; routes.json is a document: --map routes.json=NAME passes it on"),
        (
            ["application", "routes.json", "app.yml"],
            [],
            "; routes.json and app.yml are documents: --map routes.json=NAME passes it on",
        ),
        (["routes.json"], ["--map", "routes.json=ROUTES"], ""),
        (["routes.json"], ["--exclude", "*.json"], ""),
        (["routes.json"], ["--include", "db.*"], ""),
        (["application"], [], ""),
    ],
)
def test_run__document_namespace_without_a_name__is_told_how_to_pass_it_on(
    namespaces: list[str], arguments: list[str], told: str, server: FakeApollo, cli: Cli
) -> None:
    server.publish({"a": "1"})
    server.publish({"content": "{}"}, "routes.json")
    server.publish({"content": "a: 1"}, "app.yml")
    named = [word for name in namespaces for word in ("--namespace", name)]

    result = cli("run", *named, *arguments, "--", "true")

    assert result.code == 0
    (line,) = [line for line in result.err.splitlines() if " variables from " in line]
    assert line.endswith(f"){told}")


def test_run__document_namespace__is_a_variable_only_when_mapped(server: FakeApollo, cli: Cli) -> None:
    server.publish({"content": '{"root": "/v1"}\n'}, "routes.json")
    flags = ["run", "--namespace", "routes.json"]

    plain = cli(*flags, "--", "env", "-0").variables()
    mapped = cli(*flags, "--map", "routes.json=ROUTES", "--", "env", "-0").variables()

    assert "CONTENT" not in plain
    assert "ROUTES_JSON" not in plain
    assert mapped["ROUTES"] == '{"root": "/v1"}\n'


def test_run__every_start__is_told_in_at_most_three_lines_without_values(server: FakeApollo, cli: Cli) -> None:
    server.publish({"password": "hunter2"})

    result = cli("run", "true")

    assert result.out == b""
    assert 1 <= result.err.count("\n") <= 3
    assert "1 variables from" in result.err
    assert RELEASE in result.err
    assert "hunter2" not in result.err


def test_run__json_log__is_one_object_a_line(server: FakeApollo, cli: Cli) -> None:
    server.publish({"a": "1"})

    result = cli("run", "--log", "json", "true")
    failed = cli("run", "--log", "json", "--require", "b", "true")

    (line,) = result.err.splitlines()
    assert json.loads(line)["event"] == "starting"
    assert json.loads(failed.err)["event"] == "required_key_missing"
    assert json.loads(failed.err)["exit_code"] == 78


def test_run__quiet__says_nothing_when_all_is_well(server: FakeApollo, cli: Cli) -> None:
    server.publish({})

    assert cli("run", "--quiet", "true").err == ""


def test_run__export_meta__tells_the_program_where_the_values_came_from(server: FakeApollo, cli: Cli) -> None:
    server.publish({})

    variables = cli("run", "--", "env", "-0").variables()
    without = cli("run", "--export-meta", "off", "--", "env", "-0").variables()

    assert variables["HELICON_RUN_SOURCE"] == "server"
    assert variables["HELICON_RUN_RELEASES"] == f"application={RELEASE}"
    assert variables["HELICON_RUN_FETCHED_AT"].endswith("Z")
    assert not [name for name in without if name.startswith("HELICON_RUN_")]


# --- keys ----------------------------------------------------------------------------------------


def test_run__required_keys_missing__names_all_of_them(server: FakeApollo, cli: Cli) -> None:
    server.publish({"here": ""})

    result = cli("run", "--require", "here", "--require", "a.b", "--require", "c", "true")

    assert result.code == 78
    assert "required but missing: 'a.b', 'c' (searched application)" in result.err


def test_run__default__fills_in_for_a_missing_key_only(server: FakeApollo, cli: Cli) -> None:
    server.publish({"empty": ""})
    flags = ["--default", "empty=x", "--default", "gone=a=b", "--require", "gone"]

    variables = cli("run", *flags, "--", "env", "-0").variables()

    assert (variables["EMPTY"], variables["GONE"]) == ("", "a=b")


def test_run__collision__is_78_and_starts_nothing(server: FakeApollo, cli: Cli) -> None:
    server.publish({"db.url": "secret-a", "db-url": "secret-b"})

    result = cli("run", "--", "echo", "started")

    assert (result.code, result.out) == (78, b"")
    assert "'db.url' (application) and 'db-url' (application) would both be DB_URL" in result.err
    assert "secret" not in result.err


# --- the environment -----------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["path", "ld.preload", "pythonpath", "NODE_OPTIONS", "bash-env", "helicon.meta"])
def test_run__reserved_name__is_78_unless_allowed(key: str, server: FakeApollo, cli: Cli) -> None:
    server.publish({key: "/nonexistent"})
    name = key.upper().replace(".", "_").replace("-", "_")

    refused = cli("run", "true")
    renamed = cli("run", "--map", f"{key}=MINE", "--", "env", "-0")

    assert refused.code == 78
    assert f"{name} (key '{key}' (application))" in refused.err
    assert renamed.variables()["MINE"] == "/nonexistent"


def test_run__reserved_name_allowed__is_set(server: FakeApollo, cli: Cli) -> None:
    server.publish({"node.options": "--max-old-space-size=64"})

    result = cli("run", "--allow-reserved", "NODE_OPTIONS", "--", "env", "-0")

    assert result.variables()["NODE_OPTIONS"] == "--max-old-space-size=64"


def test_run__precedence__decides_who_wins(server: FakeApollo, cli: Cli) -> None:
    server.publish({"mode": "server", "kept": "server", "fresh": "server"})
    env: dict[str, str | None] = {"MODE": "env", "KEPT": "env"}

    by_server = cli("run", "--keep", "KE*", "--set", "FRESH=set", "--", "env", "-0", env=env).variables()
    by_env = cli("run", "--precedence", "env", "--", "env", "-0", env=env).variables()

    assert (by_server["MODE"], by_server["KEPT"], by_server["FRESH"]) == ("server", "env", "set")
    assert (by_env["MODE"], by_env["KEPT"], by_env["FRESH"]) == ("env", "env", "server")


def test_run__pristine__passes_only_what_a_program_cannot_do_without(server: FakeApollo, cli: Cli) -> None:
    server.publish({"db.url": "x"})
    env: dict[str, str | None] = {"EXTRA_A": "1", "OTHER": "1", "LC_TIME": "C", "TZ": "UTC"}
    show = ["--export-meta", "off", "--", "/usr/bin/env", "-0"]

    pristine = cli("run", "--pristine", *show, env=env).variables()
    passed = cli("run", "--pristine", "--pass", "EXTRA_*", *show, env=env).variables()
    nothing = cli("run", "--pristine=all", *show, env=env).variables()

    assert set(pristine) == {"PATH", "HOME", "TZ", "LANG", "LC_TIME", "DB_URL"}
    assert set(passed) - set(pristine) == {"EXTRA_A"}
    assert nothing == {"DB_URL": "x"}


def test_run__our_credentials__do_not_reach_the_program_unless_asked(server: FakeApollo, cli: Cli) -> None:
    server.publish({})
    env: dict[str, str | None] = {"HELICON_ACCESS_KEY_SECRET": "s3cret", "APOLLO_ACCESSKEY_SECRET": "old"}

    stripped = cli("run", "--", "env", "-0", env=env).variables()
    passed = cli("run", "--pass-credentials", "--", "env", "-0", env=env).variables()

    assert not [name for name in stripped if "SECRET" in name]
    assert passed["HELICON_ACCESS_KEY_SECRET"] == "s3cret"


def test_run__secret_file__signs_every_configuration_request(server: FakeApollo, cli: Cli) -> None:
    (cli.home / "secret").write_text("9f2c4e6a8b0d4c1e9a7b5d3f1e2c4a6b\n")
    server.publish({})

    result = cli("run", "--secret-file", "secret", "true")

    assert result.code == 0, result.err
    (request,) = server.config_requests()
    assert request.headers["authorization"].startswith("Apollo shop:")


def test_run__environment__is_sorted_and_without_duplicates(server: FakeApollo, cli: Cli) -> None:
    server.publish({"z": "1", "a": "1", "home2": "1"})

    out = cli("run", "--", "env", "-0").out

    names = [item.partition(b"=")[0] for item in out.split(b"\0") if item]
    assert names == sorted(set(names))


@pytest.mark.parametrize(("spare", "code"), [(0, 0), (-1, 78)])
def test_run__value_at_the_kernel_limit__fits_and_one_byte_more_does_not(
    spare: int, code: int, server: FakeApollo, cli: Cli
) -> None:
    """The kernel takes 131,072 bytes of NAME=value with its NUL."""
    server.publish({"big": "x" * (LONGEST - len("BIG=") - 1 - spare), "small": "1"})

    result = cli("run", "--", "sh", "-c", "printf %s ${#BIG}")

    assert result.code == code, result.err
    if code:
        assert "key 'big'" not in result.out.decode()
        assert "'big' (application) as 'BIG'" in result.err
    else:
        assert int(result.out) == LONGEST - len("BIG=") - 1


def test_run__oversize_skipped__starts_without_it_and_says_so(server: FakeApollo, cli: Cli) -> None:
    server.publish({"big": "x" * 1024 * 1024, "small": "1"})

    result = cli("run", "--oversize", "skip", "--", "sh", "-c", 'printf %s "${BIG-unset} $SMALL"')

    assert (result.code, result.out) == (0, b"unset 1")
    assert "'big' (application)" in result.err


def test_run__total_too_big__is_78_naming_the_largest(server: FakeApollo, cli: Cli) -> None:
    server.publish({f"key.{number}": "x" * (100_000 + number) for number in range(22)})

    result = cli("run", "true")

    assert result.code == 78
    assert "'KEY_21' 100029 bytes" in result.err
    assert "quarter of the stack limit" in result.err


def test_run__small_stack_limit__is_respected(server: FakeApollo, cli: Cli) -> None:
    """A container with a small `ulimit -s` fails where a laptop passes."""
    server.publish({f"key.{number}": "x" * 100_000 for number in range(3)})
    command = " ".join(cli.arguments("run", "true"))

    usual = cli("run", "true")
    limited = cli.shell(f"ulimit -S -s 1024 && exec {command}")

    assert usual.code == 0
    assert limited.code == 78
    assert "the system takes 262144" in limited.err


def test_run__ten_thousand_keys__start(server: FakeApollo, cli: Cli) -> None:
    server.publish({f"some.key.number.{number}": "value " * 20 for number in range(10_000)})

    result = cli("run", "--", "sh", "-c", "env | grep -c ^SOME_KEY_NUMBER_")

    assert result.out.strip() == b"10000", result.err


@pytest.mark.parametrize(("value", "why"), [("a\0secret", "NUL"), ("a\ud800secret", "lone surrogate")])
def test_run__value_no_environment_can_hold__names_the_key_only(
    value: str, why: str, server: FakeApollo, cli: Cli
) -> None:
    server.publish({"bad.key": value})

    result = cli("run", "true")
    excluded = cli("run", "--exclude", "bad.key", "true")

    assert result.code == 78
    assert "'bad.key'" in result.err
    assert why in result.err
    assert "secret" not in result.err
    assert excluded.code == 0


def test_run__every_byte_class_in_a_name__becomes_a_settable_name(server: FakeApollo, cli: Cli) -> None:
    numbers = range(0x250)
    server.publish({f"k{number}{chr(number)}x": "v" for number in numbers})

    result = cli("run", "--export-meta", "off", "--pristine=all", "--", "/usr/bin/env", "-0")

    assert result.code == 0, result.err
    expected = {f"K{number}{chr(number).upper() if chr(number) in ALPHANUMERIC else '_'}X" for number in numbers}
    assert set(result.variables()) == expected


def test_run__raw_names__pass_the_kernel_as_they_are(server: FakeApollo, cli: Cli) -> None:
    server.publish({"db.url": "1", "1st key": "2", "名": "3"})

    variables = cli("run", "--names", "raw", "--case", "keep", "--", "env", "-0").variables()

    assert (variables["db.url"], variables["1st key"], variables["名"]) == ("1", "2", "3")


# --- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["HELICON_META", "HELICON_APP_ID"])
def test_run__setting_missing__is_64_with_an_example(missing: str, cli: Cli) -> None:
    result = cli("run", "true", env={missing: None})

    assert result.code == 64
    assert f"{missing} (or " in result.err
    assert "HELICON_META=http://127.0.0.1:8080 HELICON_APP_ID=" in result.err


def test_run__apollo_names__stand_in(server: FakeApollo, cli: Cli) -> None:
    server.publish({"a": "1"})
    env = {"HELICON_META": None, "HELICON_APP_ID": None, "APOLLO_META": server.url, "APP_ID": "shop"}

    assert cli("run", "--", "env", "-0", env=env).variables()["A"] == "1"


def test_run__source_flags__reach_the_server(server: FakeApollo, cli: Cli) -> None:
    server.publish({})
    flags = ["--app-id", "other", "--cluster", "c1", "--data-center", "dc", "--label", "canary"]

    result = cli("run", *flags, "--meta", server.url + "/{env}", "--env", "FAT", "true")

    assert result.code == 78  # the fake server has no such path; what counts is what was asked
    requests = [request for request in server.requests if "configs" in request.segments]
    assert requests[0].segments == ["envs", "FAT", "configs", "other", "c1", "application"]
    assert (requests[0].query["dataCenter"], requests[0].query["label"]) == ("dc", "canary")


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "--"],
        ["run", "--watch", "--", "true"],
        ["run", "--oversize", "file", "true"],
        ["run", "--pass", "X", "true"],
        ["run", "--offline", "--backup", "off", "true"],
        ["run", "--on-unavailable", "pray", "true"],
        ["run", "--on-unavailable", "wait", "true"],
        ["render"],
        ["get"],
        ["get", "a", "b"],
        ["print", "a"],
        ["watch", "a"],
    ],
)
def test_cli__wrong_or_unbuilt_usage__is_64_and_asks_nobody(arguments: list[str], server: FakeApollo, cli: Cli) -> None:
    result = cli(*arguments)

    assert result.code == 64
    assert result.err.startswith("helicon: error: ")
    assert server.requests == []
