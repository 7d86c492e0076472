"""Exec mode: the program runs as if nothing had stood in front of it."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli import faults
from tests.cli.fake_apollo import DEADLINE_SECONDS, FakeApollo
from tests.cli.process import Cli


@pytest.fixture(autouse=True)
def _published(server: FakeApollo) -> None:
    server.publish({"db.url": "x"})


TERMINATING = sorted(
    {number for number in signal.valid_signals() if number != signal.SIGKILL}
    - {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}  # ignored by default
    - {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}  # stop by default
)


def test_run__every_exit_code__is_the_programs_own(cli: Cli) -> None:
    assert cli("run", "true").code == 0

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda code: cli("run", "--offline", "sh", "-c", f"exit {code}"), range(256)))

    assert [result.code for result in results] == list(range(256))


def test_run__program_dies_of_a_signal__the_caller_sees_that_signal(cli: Cli) -> None:
    """Every signal that ends a program by default, real-time signals included."""
    assert cli("run", "true").code == 0
    kill = "import os, signal, sys; n = int(sys.argv[1]); signal.signal(n, signal.SIG_DFL); os.kill(os.getpid(), n)"

    def killed(number: int) -> int:
        command = [
            sys.executable,
            "-ISc",
            f"import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); {kill}",
            str(number),
        ]
        return cli("run", "--offline", *command).code

    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(killed, TERMINATING))

    assert codes == [-number for number in TERMINATING]


def test_run__program__has_our_process_id(cli: Cli) -> None:
    with cli.start("run", "--", "sh", "-c", "echo $$") as process:
        out, _ = process.communicate(timeout=DEADLINE_SECONDS)

    assert int(out) == process.pid


def test_run__no_such_program__is_127(cli: Cli) -> None:
    bare = cli("run", "--", "no-such-program")
    path = cli("run", "--", "./no/such")

    assert bare.code == path.code == 127
    assert "cannot start 'no-such-program': it is in no folder of PATH" in bare.err
    assert "there is no such file" in path.err


def test_run__file_that_is_no_program__is_126(cli: Cli) -> None:
    for name, mode, content in (("plain", 0o644, "x"), ("text", 0o755, "x"), ("orphan", 0o755, "#!/no/interpreter\n")):
        file = cli.home / name
        file.write_text(content)
        file.chmod(mode)

    plain, text, orphan, folder = (cli("run", "--", f"./{name}") for name in ("plain", "text", "orphan", "."))

    assert [result.code for result in (plain, text, orphan, folder)] == [126] * 4
    assert "permission denied" in plain.err
    assert "first line such as #!/bin/sh" in text.err
    assert "interpreter or loader" in orphan.err


def test_run__program_name__is_looked_up_in_the_programs_path(cli: Cli) -> None:
    tool = cli.home / "only-here"
    tool.write_text("#!/bin/sh\necho found\n")
    tool.chmod(0o755)

    result = cli("run", "--set", f"PATH={cli.home}:{cli.env['PATH']}", "--", "only-here")

    assert result.out == b"found\n"


def test_run__stdin__passes_untouched(cli: Cli) -> None:
    data = bytes(range(256)) * 1000

    assert cli("run", "--", "cat", stdin=data).out == data


def test_run__arguments__pass_untouched(cli: Cli) -> None:
    arguments = ["", " ", "--", "--case", "$HOME", "a\nb", "ü", os.fsdecode(b"\xff\xfe")]

    result = cli("run", "--", "printf", "%s\\0", *arguments)

    assert result.out.split(b"\0")[:-1] == [os.fsencode(argument) for argument in arguments]


def test_run__signal_dispositions_and_mask__are_those_of_a_fresh_program(cli: Cli) -> None:
    """CPython ignores PIPE and XFSZ, and an ignored signal survives exec."""
    result = cli("run", "--", "cat", "/proc/self/status")

    fields = dict(line.split(":\t") for line in result.out.decode().splitlines() if line.startswith("Sig"))
    ours = subprocess.run(
        ["cat", "/proc/self/status"], capture_output=True, check=True, restore_signals=True, timeout=DEADLINE_SECONDS
    )
    expected = dict(line.split(":\t") for line in ours.stdout.decode().splitlines() if line.startswith("Sig"))
    assert fields["SigBlk"] == expected["SigBlk"] == "0" * 16
    assert fields["SigIgn"] == expected["SigIgn"]


def test_run__signals_blocked_by_the_caller__reach_the_program(cli: Cli) -> None:
    """A blocked mask survives exec, and would leave a program that nobody can terminate."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR2})
    try:
        result = cli("run", "--", "sh", "-c", "kill -TERM $$; echo unkillable")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    assert (result.code, result.out) == (-signal.SIGTERM, b"")


def test_run__writer_into_a_closed_pipe__dies_of_sigpipe(cli: Cli) -> None:
    command = " ".join(cli.arguments("run", "--quiet", "--", "yes"))

    result = cli.shell(f"{{ {command}; echo $? >&2; }} | head -n 1")

    assert (result.out, result.err) == (b"y\n", "141\n")


def test_run__signal_ignored_by_the_caller__stays_ignored(cli: Cli) -> None:
    command = " ".join(cli.arguments("run", "--quiet", "--", "sh", "-c", "'kill -HUP $$; echo alive'"))

    assert cli.shell(f"trap '' HUP; {command}").out == b"alive\n"


@pytest.mark.parametrize("locale", [{"LANG": None}, {"LANG": "C"}, {"LANG": "xx_XX.nothing"}])
def test_run__locale_coerced_by_python__is_not_passed_on(locale: dict[str, str | None], cli: Cli) -> None:
    variables = cli("run", "--", "env", "-0", env=locale).variables()

    assert "LC_CTYPE" not in variables


def test_run__locale_set_by_the_caller__is_passed_on(cli: Cli) -> None:
    env: dict[str, str | None] = {"LC_CTYPE": "C.UTF-8", "LANG": None}

    assert cli("run", "--", "env", "-0", env=env).variables()["LC_CTYPE"] == "C.UTF-8"


def test_run__inherited_bytes_that_are_no_text__are_passed_on(cli: Cli) -> None:
    done = subprocess.run(
        cli.arguments("run", "--", "env", "-0"),
        env={**{os.fsencode(k): os.fsencode(v) for k, v in cli.env.items()}, b"RAW": b"\xff\xfe"},
        capture_output=True,
        check=True,
        timeout=DEADLINE_SECONDS,
    )

    assert b"RAW=\xff\xfe" in done.stdout.split(b"\0")


def test_run__descriptors__none_of_ours_and_all_of_the_callers(cli: Cli) -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    try:
        done = subprocess.run(
            cli.arguments("run", "--", "ls", "/proc/self/fd"),
            env=cli.env,
            capture_output=True,
            check=True,
            pass_fds=[writer],
            timeout=DEADLINE_SECONDS,
        )
    finally:
        os.close(reader)
        os.close(writer)

    listed = {int(number) for number in done.stdout.split()}
    own = {max(listed - {writer})}  # the descriptor with which ls reads the folder
    assert listed - own == {0, 1, 2, writer}


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_run__standard_descriptor_closed__stays_closed_and_no_socket_takes_its_place(closed: int, cli: Cli) -> None:
    (cli.home / "probe.py").write_text(
        "import os\n"
        "def is_open(number):\n"
        "    try:\n"
        "        os.fstat(number)\n"
        "    except OSError:\n"
        "        return False\n"
        "    return True\n"
        "found = [number for number in (0, 1, 2) if is_open(number)]\n"
        "open('found', 'w').write(repr(found))\n"
    )
    command = " ".join(cli.arguments("run", "--", sys.executable, "-IS", "probe.py"))

    result = cli.shell(f"{command} {closed}>&-")

    assert result.code == 0, result.err
    assert (cli.home / "found").read_text() == repr([number for number in (0, 1, 2) if number != closed])


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_occupy__standard_descriptor_closed__new_descriptors_are_above_it(closed: int, cli: Cli) -> None:
    (cli.home / "probe.py").write_text(
        "import os, socket\n"
        "from helicon.cli.launch import occupy_standard_descriptors\n"
        "occupy_standard_descriptors()\n"
        "one = socket.socket()\n"
        "open('found', 'w').write(repr(one.fileno() > 2))\n"
    )

    result = cli.shell(f"{sys.executable} probe.py {closed}>&-")

    assert result.code == 0, result.err
    assert (cli.home / "found").read_text() == "True"


def test_run__terminal__is_the_programs(cli: Cli) -> None:
    leader, follower = pty.openpty()
    with subprocess.Popen(
        cli.arguments("run", "--quiet", "--", "sh", "-c", "tty >/dev/null && echo terminal"),
        env=cli.env,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    ) as process:
        os.close(follower)
        assert process.wait(DEADLINE_SECONDS) == 0
        assert select.select([leader], [], [], DEADLINE_SECONDS)[0]
        assert os.read(leader, 100) == b"terminal\r\n"
    os.close(leader)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_run__stopped_while_waiting_for_the_server__ends_at_once(
    number: signal.Signals, server: FakeApollo, cli: Cli
) -> None:
    """The start-up timeout of an hour would outlast the test."""
    server.fault = faults.hangs

    with cli.start("run", "--start-timeout", "1h", "--", "echo", "started") as process:
        server.wait_for_request(process)
        process.send_signal(number)
        out, _ = process.communicate(timeout=DEADLINE_SECONDS)

    assert (process.returncode, out) == (128 + number, b"")


def test_run__stopped_while_waiting_between_retries__ends_at_once(server: FakeApollo, cli: Cli) -> None:
    server.fault = faults.answers(503, "{}", extra="Retry-After: 100\r\n")

    with cli.start("run", "--start-timeout", "1h", "--", "echo", "started") as process:
        assert process.stderr is not None
        assert b"trying again" in process.stderr.readline()
        process.terminate()
        assert process.wait(DEADLINE_SECONDS) == 143


def test_run__hostile_working_directory_and_pythonpath__do_not_reach_our_imports(cli: Cli, tmp_path: Path) -> None:
    """The application's own json.py must not be loaded by us, and PYTHONPATH must still reach the application."""
    for folder in (cli.home, tmp_path / "lib"):
        folder.mkdir(exist_ok=True)
        for module in ("json", "socket", "signal", "hashlib"):
            (folder / f"{module}.py").write_text("raise SystemExit('shadowed')\n")

    result = cli("run", "--", "env", "-0", env={"PYTHONPATH": str(tmp_path / "lib")})

    assert result.code == 0, result.err
    assert result.variables()["PYTHONPATH"] == str(tmp_path / "lib")


def test_run__nested__works_and_the_inner_one_wins(server: FakeApollo, cli: Cli) -> None:
    server.publish({"db.url": "inner"}, "inner")
    inner = cli.arguments("run", "--namespace", "inner", "--", "env", "-0")

    assert cli("run", "--", *inner).variables()["DB_URL"] == "inner"
