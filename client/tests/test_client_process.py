"""Clients and the life of processes: fork, exit, threads and imports."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.support.scripted_server import ScriptedServer
from tests.support.waiting import eventually


def run(program: str, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Runs a program in a fresh interpreter in which warnings are errors."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def test_fork__after_the_client_was_opened__parent_and_child_both_follow(
    apollo: ScriptedServer, tmp_path: Path
) -> None:
    """What gunicorn does with `--preload`: the application is built once, then the workers are forked."""
    program = """
        import os, sys, time, helicon
        client = helicon.Client(meta=sys.argv[1], app_id="shop", cache_dir=sys.argv[2])
        config = client.namespace()
        seen = []

        @config.on_change("a")
        def changed(event):
            seen.append(event.changes["a"].new)

        def wait_for(value):
            deadline = time.monotonic() + 30
            while config.get("a") != value or seen[-1:] != [value]:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.01)
            return True

        children = []
        for _ in range(3):
            child = os.fork()
            if child == 0:
                done = wait_for("1")
                client.close()
                os._exit(0 if done and client.status().connection == "closed" else 1)
            children.append(child)
        print("forked", flush=True)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        print(wait_for("1"), codes, flush=True)
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program), apollo.url, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "forked\n"
        eventually(lambda: apollo.polls_held() >= 4, "a poll of each process")
        apollo.publish("application", {"a": "1"})
        assert process.stdout.readline() == "True [0, 0, 0]\n"
        assert process.stderr.read() == ""
        assert process.wait(30) == 0
    eventually(lambda: apollo.polls_held() == 0, "the polls to end with their processes")


def test_fork__child_that_exits_at_once__leaves_the_parents_poll_alone(apollo: ScriptedServer, tmp_path: Path) -> None:
    program = """
        import multiprocessing, sys, time, helicon
        client = helicon.Client(meta=sys.argv[1], app_id="shop", cache_dir=sys.argv[2])
        context = multiprocessing.get_context("fork")
        for _ in range(5):
            child = context.Process(target=lambda: None)
            child.start()
            child.join()
            assert child.exitcode == 0
        print("ready", flush=True)
        deadline = time.monotonic() + 30
        while client.namespace().get("a") != "1" and time.monotonic() < deadline:
            time.sleep(0.01)
        print(client.namespace().get("a"), client.status().failures)
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program), apollo.url, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        apollo.publish("application", {"a": "1"})
        assert process.stdout.readline() == "1 0\n"
        assert process.wait(30) == 0


def test_fork__of_a_closed_client__starts_nothing(apollo: ScriptedServer) -> None:
    program = """
        import os, sys, threading, helicon
        client = helicon.Client(meta=sys.argv[1], app_id="shop", cache_dir="off")
        client.close()
        child = os.fork()
        if child == 0:
            os._exit(len(threading.enumerate()) - 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    done = run(program, apollo.url)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_exit__client_never_closed__ends_cleanly(apollo: ScriptedServer, tmp_path: Path) -> None:
    program = """
        import sys, helicon
        client = helicon.Client(meta=sys.argv[1], app_id="shop", cache_dir=sys.argv[2])
        client.namespace().on_change()(print)
        print(client.namespace().get("http.timeout"))
    """
    for _ in range(5):
        done = run(program, apollo.url, str(tmp_path))
        assert (done.returncode, done.stdout, done.stderr) == (0, "2500\n", "")


def test_exit__stuck_listener__does_not_keep_the_program(apollo: ScriptedServer) -> None:
    program = """
        import sys, threading, helicon
        client = helicon.Client(meta=sys.argv[1], app_id="shop", cache_dir="off")
        entered = threading.Event()

        @client.namespace().on_change()
        def stuck(event):
            entered.set()
            threading.Event().wait()

        print("ready", flush=True)
        assert entered.wait(30)
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program), apollo.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        apollo.publish("application", {"a": "1"})
        assert process.wait(30) == 0
        assert process.stderr.read() == ""


def test_import__package__loads_no_sdk_and_starts_no_thread() -> None:
    program = """
        import json, sys, threading
        before = set(sys.modules)
        import helicon
        print(json.dumps([sorted(set(sys.modules) - before), threading.active_count()]))
    """
    done = run(program)
    loaded, threads = json.loads(done.stdout)
    assert threads == 1
    assert {name for name in loaded if name.startswith("helicon")} == {
        "helicon",
        "helicon._impl",
        "helicon._impl.version",
    }
    heavy = {"asyncio", "dataclasses", "http.client", "inspect", "logging", "socket", "ssl", "typing"}
    assert not heavy & set(loaded)


def test_import__what_the_command_needs__stays_light() -> None:
    """`helicon run` starts a program within milliseconds; these modules would cost more than the request."""
    program = """
        import json, sys
        import helicon._impl.backup, helicon._impl.settings, helicon._impl.transport
        print(json.dumps(sorted(sys.modules)))
    """
    loaded = set(json.loads(run(program).stdout))
    heavy = {"asyncio", "dataclasses", "email", "http", "inspect", "logging", "pathlib", "random", "ssl", "urllib"}
    assert not heavy & loaded


def test_threads__of_an_open_client__have_names(apollo: ScriptedServer) -> None:
    program = """
        import sys, threading, helicon
        client = helicon.Client(meta=sys.argv[1], app_id="shop", cache_dir="off")
        names = sorted(thread.name for thread in threading.enumerate())
        print(names, all(t.daemon for t in threading.enumerate() if t is not threading.main_thread()))
    """
    done = run(program, apollo.url)
    assert done.stdout == "['MainThread', 'helicon-poll-shop'] True\n", done.stderr
