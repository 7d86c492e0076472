"""Where a start takes its configuration from: servers first, then what the flags say about trouble."""

from __future__ import annotations

import time

from helicon._impl.backoff import full_jitter, random_unit
from helicon._impl.backup import Backup, Copy, identity_of
from helicon._impl.errors import DeniedError, UnavailableError
from helicon._impl.transport import Transport
from helicon.cli.exits import DENIED, STILL_WAITING, UNAVAILABLE, Failure, configuration
from helicon.cli.flags import duration
from helicon.cli.loaded import BACKUP, NONE, SERVER, Loaded, Part
from helicon.cli.policy import policy_of, settings_of
from helicon.cli.release_set import fetch_set

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from helicon._impl.settings import ClientSettings
    from helicon.cli.flags import Options
    from helicon.cli.policy import Policy
    from helicon.cli.report import Report

WITH_BACKUP_SECONDS = 3.0
"""How long servers may take when a backup stands ready."""

WITHOUT_BACKUP_SECONDS = 30.0
"""How long they may take when nothing else can start the program."""

BACKOFF_BASE_SECONDS = 0.1
BACKOFF_CAP_SECONDS = 5.0

STALE_SECONDS = 24 * 3600.0
"""A backup older than this is still used, and the warning says so."""


def from_options(options: Options, environ: Mapping[str, str], report: Report) -> Loaded:
    """Loads what the source and trouble flags of a command line ask for. Raises Failure."""
    return _Start(settings_of(options, environ, report), policy_of(options, environ), report).load()


class _Start:
    """One start, from the first request to the decision."""

    def __init__(self, settings: ClientSettings, policy: Policy, report: Report) -> None:
        self._settings = settings
        self._policy = policy
        self._report = report
        self._wanted = policy.backup_wanted
        self._backup = Backup(settings.cache_dirs)
        self._began = time.monotonic()
        self._asked_at = 0.0
        self._copies: dict[str, Copy] | None = None
        self._missing: dict[str, str] = {}

    def load(self) -> Loaded:
        if self._policy.offline:
            return self._offline()
        try:
            return self._accept(self._from_servers())
        except DeniedError as problem:
            return self._denied(problem)
        except UnavailableError as problem:
            return self._unavailable(problem)

    # --- servers ---------------------------------------------------------------------------------

    def _from_servers(self) -> Loaded:
        """Asks once within the short time; goes on within the long one when no backup could serve."""
        budget = self._policy.start_timeout
        first = self._began + (budget if budget is not None else WITH_BACKUP_SECONDS)
        try:
            return self._fetch_set(first)
        except UnavailableError as problem:
            if self._next_step() in ("backup", "wait"):
                raise
            until = self._began + (budget if budget is not None else WITHOUT_BACKUP_SECONDS)
            if time.monotonic() >= until:
                raise
            return self._retry(until, problem)

    def _next_step(self) -> str:
        """Names the first way out of an outage that is open: a backup that is not there is none."""
        for step in self._policy.steps:
            if step != "backup" or self._complete():
                return step.partition(":")[0]
        return "fail"

    def _retry(self, until: float, problem: UnavailableError) -> Loaded:
        left = max(0.0, until - time.monotonic())
        self._report.warning("retrying", f"{self._named(problem)}; trying again for {left:.3g} s")
        attempt = 1
        while True:
            pause = full_jitter(
                attempt,
                random_unit(),
                base=BACKOFF_BASE_SECONDS,
                cap=BACKOFF_CAP_SECONDS,
                at_least=problem.retry_after or 0.0,
            )
            if time.monotonic() + pause >= until:
                raise problem
            time.sleep(pause)
            attempt += 1
            try:
                return self._fetch_set(until)
            except UnavailableError as again:
                problem = again

    def _fetch_set(self, deadline: float) -> Loaded:
        self._asked_at = time.time()
        transport = Transport(self._settings)
        try:
            parts, server = fetch_set(transport, self._settings, deadline)
        finally:
            transport.close()
        return Loaded(parts, SERVER, namespaces=self._settings.namespaces, where=server.url, fetched_at=time.time())

    def _accept(self, loaded: Loaded) -> Loaded:
        if self._policy.on_empty == "refuse" and self._wanted:
            for part in loaded.parts:
                if not part.configurations and self._copy_of(part.namespace, holding_keys=True):
                    return self._empty(part.namespace)
        self._keep(loaded)
        return loaded

    def _empty(self, namespace: str) -> Loaded:
        message = f"namespace {namespace!a} suddenly has no keys; its last good copy has some"
        if not self._complete():
            raise configuration("empty_namespace", message, "if this is meant, start once with --on-empty accept")
        self._report.warning("empty_namespace", f"{message}, so the backup is used (--on-empty accept takes it)")
        return self._from_backup()

    # --- the backup ------------------------------------------------------------------------------

    def _load_copies(self) -> dict[str, Copy]:
        if self._copies is None:
            self._copies = {}
            for namespace in self._settings.namespaces:
                found = self._backup.load(identity_of(self._settings, namespace))
                if isinstance(found, Copy):
                    self._copies[namespace] = found
                else:
                    self._missing[namespace] = found.message
        return self._copies

    def _copy_of(self, namespace: str, *, holding_keys: bool = False) -> Copy | None:
        copy = self._load_copies().get(namespace)
        return copy if copy is not None and (copy.configurations or not holding_keys) else None

    def _complete(self) -> bool:
        """Says whether the backup holds every namespace: sources are never mixed."""
        return self._wanted and len(self._load_copies()) == len(self._settings.namespaces)

    def _from_backup(self) -> Loaded:
        copies = self._load_copies()
        oldest = min(copy.saved_at for copy in copies.values())
        return Loaded(
            [Part(name, copies[name].configurations, copies[name].release_key) for name in self._settings.namespaces],
            BACKUP,
            namespaces=self._settings.namespaces,
            where=f"the backup of {_stamp(oldest)}",
            fetched_at=oldest,
        )

    def _keep(self, loaded: Loaded) -> None:
        """Saves what is new, so that a start without servers has the latest. Trouble is only told."""
        if not self._wanted:
            return
        received_at = loaded.fetched_at or time.time()
        for part in loaded.parts:
            held = self._copy_of(part.namespace)
            if held is not None and (held.release_key, held.configurations) == (part.release_key, part.configurations):
                continue
            copy = Copy(part.configurations, part.release_key, -1, received_at)
            identity = identity_of(self._settings, part.namespace)
            problem = self._backup.save(identity, copy, asked_at=self._asked_at)
            if problem is not None:
                folder = "no folder for it: HOME and XDG_STATE_HOME are not set" if problem.reason == "off" else ""
                self._report.warning(
                    "no_backup",
                    f"no backup was kept: {folder or problem.message}; "
                    "a start without servers will fail (--backup DIR chooses a folder, --backup off ends this)",
                )
                return

    # --- trouble ---------------------------------------------------------------------------------

    def _offline(self) -> Loaded:
        if not self._complete():
            raise Failure(UNAVAILABLE, "no_backup", f"--offline, but {self._why_no_backup()}")
        return self._from_backup()

    def _denied(self, problem: DeniedError) -> Loaded:
        if self._policy.on_auth_error == "backup" and self._complete():
            self._report.warning("denied", f"{problem.message}; starting from the backup (--on-auth-error backup)")
            return self._from_backup()
        hint = "a backup is not used, so that it does not outlive a key; --on-auth-error backup allows it"
        if self._policy.on_auth_error == "backup":
            hint = self._why_no_backup()
        raise Failure(DENIED, "denied", problem.message, hint)

    def _unavailable(self, problem: UnavailableError) -> Loaded:
        waited = False
        for step in self._policy.steps:
            if step == "fail":
                break
            if step == "backup" and self._complete():
                loaded = self._from_backup()
                old = loaded.fetched_at is not None and time.time() - loaded.fetched_at > STALE_SECONDS
                age = ", which is more than a day old" if old else ""
                self._report.warning("from_backup", f"{self._named(problem)}; starting from {loaded.where}{age}")
                return loaded
            if step == "continue":
                self._report.warning("unconfigured", f"{self._named(problem)}; starting without configuration")
                return Loaded([], NONE, namespaces=self._settings.namespaces, where="nowhere", fetched_at=None)
            if step.startswith("wait:"):
                waited = True
                try:
                    until = time.monotonic() + (duration(step.partition(":")[2]) or 0.0)
                    return self._accept(self._retry(until, problem))
                except DeniedError as denied:
                    return self._denied(denied)
                except UnavailableError as again:
                    problem = again
        hint = self._why_no_backup() if "backup" in self._policy.steps else "--on-unavailable names other ways to start"
        raise Failure(STILL_WAITING if waited else UNAVAILABLE, problem.code, self._named(problem), hint)

    def _named(self, problem: UnavailableError) -> str:
        """Makes sure that the sentence about an outage says which servers it speaks of."""
        urls = [address.url for address in self._settings.meta]
        message = problem.message
        return message if any(url in message for url in urls) else f"{message} ({', '.join(urls)})"

    def _why_no_backup(self) -> str:
        if not self._wanted:
            return "the backup is switched off"
        self._load_copies()
        reasons = [f"{name}: {reason}" for name, reason in self._missing.items()]
        if not self._settings.cache_dirs:
            reasons = ["no folder for it: HOME and XDG_STATE_HOME are not set"]
        return f"there is no usable backup ({'; '.join(reasons)})"


def _stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
