"""What the flags say: which servers and app, and what to do when something is wrong."""

from __future__ import annotations

from helicon._impl.errors import SettingsError
from helicon._impl.settings import OFF, read_settings
from helicon.cli.exits import USAGE, Failure, usage
from helicon.cli.flags import duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from helicon._impl.settings import ClientSettings
    from helicon.cli.flags import Options
    from helicon.cli.report import Report


class Policy:
    """The flags about trouble; see the flag table for their meaning."""

    __slots__ = ("backup_wanted", "offline", "on_auth_error", "on_empty", "start_timeout", "steps")

    def __init__(
        self,
        *,
        steps: list[str],
        start_timeout: float | None = None,
        offline: bool = False,
        on_auth_error: str = "fail",
        on_empty: str = "refuse",
        backup_wanted: bool = True,
    ) -> None:
        self.steps = steps
        self.start_timeout = start_timeout
        self.offline = offline
        self.on_auth_error = on_auth_error
        self.on_empty = on_empty
        self.backup_wanted = backup_wanted


def policy_of(options: Options, environ: Mapping[str, str]) -> Policy:
    """Gathers the flags about trouble. Raises Failure (exit 64)."""
    backup = options.text("backup") or environ.get("HELICON_CACHE_DIR") or environ.get("APOLLO_CACHE_DIR")
    if options.on("offline") and backup == OFF:
        raise usage("--offline needs a backup, and it is switched off")
    return Policy(
        steps=_steps(options.many("on-unavailable")),
        start_timeout=options.seconds("start-timeout"),
        offline=options.on("offline"),
        on_auth_error=options.text("on-auth-error"),
        on_empty=options.text("on-empty"),
        backup_wanted=backup != OFF,
    )


def settings_of(options: Options, environ: Mapping[str, str], report: Report) -> ClientSettings:
    """Reads the client settings: flags, then HELICON_*, then Apollo's names. Raises Failure (exit 64).

    Warns of settings that are most likely a mistake.
    """
    try:
        settings = read_settings(
            meta=options.many("meta") or None,
            app_id=_given(options, "app-id"),
            env=_given(options, "env"),
            cluster=_given(options, "cluster"),
            data_center=_given(options, "data-center"),
            namespaces=options.many("namespace") or None,
            label=_given(options, "label"),
            access_key_secret_file=_given(options, "secret-file"),
            cache_dir=_given(options, "backup"),
            environ=environ,
        )
    except SettingsError as problem:
        raise Failure(
            USAGE,
            problem.code,
            problem.message,
            "for example: HELICON_META=http://127.0.0.1:8080 HELICON_APP_ID=order-service helicon run -- env",
        ) from None
    for code, message in settings.advice:
        report.warning(code, message)
    return settings


def _given(options: Options, name: str) -> str | None:
    return options.text(name) if options.given(name) else None


def _steps(given: list[str]) -> list[str]:
    steps = [step.strip() for text in given or ["backup,fail"] for step in text.split(",")]
    for step in steps:
        kind, colon, wait = step.partition(":")
        known = step in ("backup", "fail", "continue") or (kind == "wait" and colon and duration(wait) is not None)
        if not known:
            raise usage(f"--on-unavailable takes backup, wait:DURATION, continue and fail, not {step!a}")
    return steps
