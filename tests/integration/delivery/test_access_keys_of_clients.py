"""The SDK and the `helicon` command on an app with access keys: they sign, say what is wrong, and come back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import helicon
from helicon import Connection, Source
from tests.integration.delivery.guarded import APP, FOLLOWS_S, OTHER_SECRET, READ, SECRET, VALUE, Guarded, ask
from tests.support.server import Servers
from tests.support.wait import wait_until

COMES_BACK_S = 60  # the SDK waits between attempts while it is refused
DENIED, OK = 77, 0


@pytest.fixture
def guarded(servers: Servers) -> Guarded:
    """A node with the app, whose clients need not sign yet."""
    return Guarded(servers.start())


@pytest.fixture(scope="module")
def enforced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A node on which the app's clients must sign; no test changes it."""
    servers = Servers(tmp_path_factory.mktemp("enforced"))
    try:
        guarded = Guarded(servers.start())
        guarded.enforce()
        yield guarded
    finally:
        servers.close()


def sdk(guarded: Guarded, secret: str | None, **more: object) -> helicon.Client:
    more = {"cache_dir": "off", "start_timeout": 5.0, **more}
    return helicon.Client(meta=guarded.node.url, app_id=APP, access_key_secret=secret, **more)  # type: ignore[arg-type]  # as a caller writes it


def holds(client: helicon.Client, key: str, value: str) -> bool:
    return client.namespace().get(key) == value


def greeting(client: helicon.Client) -> str | None:
    return client.namespace().get("greeting")


# --- SDK ------------------------------------------------------------------------------------------


def test_sdk__right_secret__reads_and_is_pushed_to(enforced: Guarded) -> None:
    with sdk(enforced, SECRET) as client:
        assert greeting(client) == VALUE
        assert client.status().connection is Connection.CONNECTED
        with sdk(enforced, SECRET) as other:
            enforced.release(f"greeting = {VALUE}\nsigned = pushed")
            for each in (client, other):
                wait_until(partial(holds, each, "signed", "pushed"), FOLLOWS_S, "push")


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        (None, "the app has an access key and this client has none; set HELICON_ACCESS_KEY_SECRET"),
        (OTHER_SECRET, "the secret fits no enabled access key of this app and environment"),
    ],
    ids=["none", "wrong"],
)
def test_sdk__no_or_wrong_secret__gives_defaults_and_says_what_to_do(
    enforced: Guarded, secret: str | None, expected: str
) -> None:
    """A read never raises; the status is for whoever looks."""
    with sdk(enforced, secret) as client:
        assert client.namespace().get("greeting", default="default") == "default"
        status = client.status()
        assert (status.connection, status.source) == (Connection.DENIED, Source.NONE)
        assert status.last_error is not None
        assert expected in status.last_error
        assert OTHER_SECRET not in status.last_error


def test_sdk__refused_at_its_start__does_not_use_the_backup_of_before(guarded: Guarded, tmp_path: Path) -> None:
    """A copy must not outlive a key; it is kept for the day on which the key is right again."""
    with sdk(guarded, None, cache_dir=tmp_path) as client:
        assert greeting(client) == VALUE
        wait_until(lambda: any(file.is_file() for file in tmp_path.rglob("*")), FOLLOWS_S, "backup")
    key = guarded.enforce()
    with sdk(guarded, OTHER_SECRET, cache_dir=tmp_path) as client:
        assert greeting(client) is None
    guarded.change(key, enabled=False)
    guarded.settle(None, 200, None)
    assert guarded.node.stop() == 0
    with sdk(guarded, None, cache_dir=tmp_path) as client:
        assert greeting(client) == VALUE
        assert client.status().source is Source.BACKUP


def test_sdk__key_made_and_switched_off_while_it_runs__keeps_its_values_and_comes_back(guarded: Guarded) -> None:
    """A forgotten client shows in its status and in nothing else, and needs no restart."""
    with sdk(guarded, None) as client:
        assert greeting(client) == VALUE
        key = guarded.create("filter")
        wait_until(lambda: client.status().connection is Connection.DENIED, FOLLOWS_S, "refusal of the client")
        guarded.release("greeting = not for the unsigned")
        assert greeting(client) == VALUE

        guarded.change(key, enabled=False)
        wait_until(lambda: greeting(client) == "not for the unsigned", COMES_BACK_S, "return of the client")
        assert client.status().connection is Connection.CONNECTED


def test_sdk__two_keys__either_is_taken_until_it_is_disabled(guarded: Guarded) -> None:
    """How a secret is replaced: old and new clients side by side."""
    old = guarded.enforce()
    guarded.create("filter", OTHER_SECRET)
    guarded.settle(OTHER_SECRET, 200, None)
    with sdk(guarded, SECRET) as before, sdk(guarded, OTHER_SECRET) as after:
        assert greeting(before) == greeting(after) == VALUE
        guarded.change(old, enabled=False)
        wait_until(lambda: before.status().connection is Connection.DENIED, FOLLOWS_S, "refusal of the old secret")
        guarded.release("greeting = rotated")
        wait_until(lambda: greeting(after) == "rotated", FOLLOWS_S, "push to the new secret")
        assert greeting(before) == VALUE


# --- the command ----------------------------------------------------------------------------------


def command(guarded: Guarded, *arguments: str, home: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "helicon.cli", *arguments],
        env=environment(guarded, home, **env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def environment(guarded: Guarded, home: Path, **env: str) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "HOME": str(home),
        "HELICON_META": guarded.node.url,
        "HELICON_APP_ID": APP,
        "HELICON_START_TIMEOUT": "5s",
        **env,
    }


PRINTS = ("run", "--", "sh", "-c", 'printf %s "$greeting$GREETING"')


def test_command__right_secret__reads(enforced: Guarded, tmp_path: Path) -> None:
    """By variable, by a file that ends in a line feed, by flag; and the program does not inherit it."""
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    for env in ({"HELICON_ACCESS_KEY_SECRET": SECRET}, {"HELICON_ACCESS_KEY_SECRET_FILE": str(file)},
                {"APOLLO_ACCESS_KEY_SECRET": SECRET}):  # fmt: skip
        got = command(enforced, "get", "greeting", home=tmp_path, **env)
        assert (got.returncode, got.stdout) == (OK, VALUE), got.stderr
        ran = command(enforced, *PRINTS, home=tmp_path, **env)
        assert (ran.returncode, ran.stdout) == (OK, VALUE), ran.stderr
        inherited = command(enforced, "run", "--", "env", home=tmp_path, **env)
        assert SECRET not in inherited.stdout
    got = command(enforced, "get", "greeting", "--secret-file", str(file), home=tmp_path)
    assert (got.returncode, got.stdout) == (OK, VALUE), got.stderr


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, "set HELICON_ACCESS_KEY_SECRET"),
        ({"HELICON_ACCESS_KEY_SECRET": OTHER_SECRET}, "compare HELICON_ACCESS_KEY_SECRET"),
    ],
    ids=["none", "wrong"],
)
@pytest.mark.parametrize("arguments", [("get", "greeting"), PRINTS], ids=["get", "run"])
def test_command__no_or_wrong_secret__ends_with_77_and_says_what_to_do(
    enforced: Guarded, tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str], expected: str
) -> None:
    ended = command(enforced, *arguments, home=tmp_path, **env)
    assert (ended.returncode, ended.stdout) == (DENIED, "")
    assert "[denied]" in ended.stderr
    assert expected in ended.stderr
    assert "Traceback" not in ended.stderr
    assert OTHER_SECRET not in ended.stderr


def test_run__refused_with_a_backup__starts_only_when_it_is_told_to(guarded: Guarded, tmp_path: Path) -> None:
    """The default does not let a copy outlive a key; who prefers a start to that says so."""
    assert command(guarded, *PRINTS, home=tmp_path).stdout == VALUE
    guarded.enforce()
    refused = command(guarded, *PRINTS, home=tmp_path)
    assert (refused.returncode, refused.stdout) == (DENIED, "")
    assert "--on-auth-error backup allows it" in refused.stderr
    allowed = command(guarded, "run", "--on-auth-error", "backup", *PRINTS[1:], home=tmp_path)
    assert (allowed.returncode, allowed.stdout) == (OK, VALUE)
    assert "starting from the backup" in allowed.stderr


def test_watch__refused__says_so_and_shows_changes_when_it_may_again(guarded: Guarded, tmp_path: Path) -> None:
    """It goes on by itself: the person at the other end switches the key."""
    key = guarded.enforce()
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        watching = subprocess.Popen(
            [sys.executable, "-m", "helicon.cli", "watch", "--unmask"],
            env=environment(guarded, tmp_path),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
    try:
        wait_until(lambda: "the access key is refused" in err.read_text(), FOLLOWS_S, "word of the refusal")
        assert "set HELICON_ACCESS_KEY_SECRET" in err.read_text()
        guarded.change(key, mode="observer")
        wait_until(lambda: ask(guarded.node, READ).status == 200, FOLLOWS_S, "open app")
        wait_until(lambda: "connected" in err.read_text(), COMES_BACK_S, "connection of the watcher")
        guarded.release("greeting = seen by the watcher")
        wait_until(lambda: "seen by the watcher" in out.read_text(), COMES_BACK_S, "change in the output")
    finally:
        watching.send_signal(signal.SIGTERM)
        watching.wait(30)
