"""Reads the client's settings: arguments first, then `HELICON_*`, then Apollo's own names.

The only place of the client that looks at the environment. A bad setting raises `SettingsError`, which
names the variable, says what is wrong and never repeats a secret.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from helicon._impl.address import Address, parse_address
from helicon._impl.errors import SettingsError
from helicon._impl.state_dirs import default_state_dirs
from helicon.protocol.names import DEFAULT_CLUSTER, DEFAULT_NAMESPACE, is_name, strip_properties

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PREFIX = "HELICON_"
OFF = "off"
ENVIRONMENT_MARK = "{env}"
MAX_SECRET_LENGTH = 1024

APOLLO_NAMES = {
    "HELICON_META": "APOLLO_META",
    "HELICON_APP_ID": "APP_ID",
    "HELICON_ENV": "ENV",
    "HELICON_CLUSTER": "APOLLO_CLUSTER",
    "HELICON_DATA_CENTER": "IDC",
    "HELICON_ACCESS_KEY_SECRET": "APOLLO_ACCESS_KEY_SECRET",
    "HELICON_LABEL": "APOLLO_LABEL",
    "HELICON_CACHE_DIR": "APOLLO_CACHE_DIR",
}
"""Which of Apollo's names stands in when ours is not set."""

VARIABLES = (*APOLLO_NAMES, "HELICON_NAMESPACES", "HELICON_ACCESS_KEY_SECRET_FILE", "HELICON_IP")


class Advice(NamedTuple):
    """A setting that is no error and most likely a mistake."""

    code: str
    """`unused_setting` or `unknown_setting`."""
    message: str


class ClientSettings(NamedTuple):
    """Everything that a client has to know, checked. Immutable."""

    meta: tuple[Address, ...]
    """Meta server addresses, with the environment already in their path."""
    app_id: str
    cluster: str = DEFAULT_CLUSTER
    namespaces: tuple[str, ...] = (DEFAULT_NAMESPACE,)
    env: str | None = None
    data_center: str | None = None
    label: str | None = None
    ip: str | None = None
    """The address shown to gray rules; None means the local address of the connection."""
    secret: str | None = None
    cache_dirs: tuple[str, ...] = ()
    """Where the backup may live: the first usable one is taken; empty means no backup."""
    advice: tuple[Advice, ...] = ()
    """What somebody should be told once."""

    def __repr__(self) -> str:
        shown = self._replace(secret="***") if self.secret else self  # noqa: S106 - a mask, not a password
        fields = ", ".join(f"{name}={value!r}" for name, value in zip(shown._fields, shown, strict=True))
        return f"ClientSettings({fields})"


def read_settings(
    *,
    meta: str | Iterable[str] | None = None,
    app_id: str | None = None,
    env: str | None = None,
    cluster: str | None = None,
    data_center: str | None = None,
    namespaces: str | Iterable[str] | None = None,
    access_key_secret: str | None = None,
    access_key_secret_file: str | os.PathLike[str] | None = None,
    label: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    ip: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> ClientSettings:
    """Builds the settings of one client. Raises `SettingsError`.

    `cache_dir` may be `"off"`. Pass `environ={}` to look at the arguments alone.
    """
    source = _Source(os.environ if environ is None else environ)
    checked_env = source.name("HELICON_ENV", env)
    directory, directory_variable = source.text("HELICON_CACHE_DIR", _as_text(cache_dir))
    if directory == OFF:
        cache_dirs: tuple[str, ...] = ()
    elif directory is None:
        cache_dirs = default_state_dirs(source.environ)
    else:
        cache_dirs = (_directory(directory, directory_variable),)
    addresses = _meta(source, meta, checked_env)
    return ClientSettings(
        meta=addresses,
        app_id=source.required_name("HELICON_APP_ID", app_id, "order-service"),
        cluster=source.name("HELICON_CLUSTER", cluster) or DEFAULT_CLUSTER,
        namespaces=_namespaces(source, namespaces),
        env=checked_env,
        data_center=source.name("HELICON_DATA_CENTER", data_center),
        label=source.plain("HELICON_LABEL", label),
        ip=source.plain("HELICON_IP", ip),
        secret=_secret(source, access_key_secret, _as_text(access_key_secret_file)),
        cache_dirs=cache_dirs,
        advice=(*_unused_env(source, env, checked_env, addresses), *_misspelt(source.environ)),
    )


class _Source:
    """Looks a setting up and remembers which name it came by, for the message."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ

    def text(self, variable: str, argument: str | None) -> tuple[str | None, str]:
        if argument is not None:
            return argument.strip() or None, f"{variable} (given as an argument)"
        for name in (variable, APOLLO_NAMES.get(variable)):
            value = self.environ.get(name, "").strip() if name else ""
            if name and value:
                return value, name
        return None, variable

    def name(self, variable: str, argument: str | None) -> str | None:
        value, origin = self.text(variable, argument)
        if value is not None:
            _check_name(value, origin)
        return value

    def required_name(self, variable: str, argument: str | None, example: str) -> str:
        value = self.name(variable, argument)
        if value is None:
            raise _missing(variable, example)
        return value

    def plain(self, variable: str, argument: str | None) -> str | None:
        value, origin = self.text(variable, argument)
        if value is not None and (len(value) > 256 or not value.isprintable()):
            raise SettingsError("invalid_setting", f"{origin} is at most 256 printable characters", variable=variable)
        return value


def _meta(source: _Source, argument: str | Iterable[str] | None, env: str | None) -> tuple[Address, ...]:
    given = argument if argument is None or isinstance(argument, str) else ",".join(argument)
    text, origin = source.text("HELICON_META", given)
    if text is None:
        raise _missing("HELICON_META", "http://127.0.0.1:8080")
    addresses = []
    for part in _split(text):
        try:
            addresses.append(parse_address(_with_environment(part, env)))
        except ValueError as problem:
            raise SettingsError(
                "invalid_setting",
                f"{origin} is not usable: {problem}. An example: http://127.0.0.1:8080",
                variable="HELICON_META",
            ) from None
    if not addresses:
        raise _missing("HELICON_META", "http://127.0.0.1:8080")
    return tuple(dict.fromkeys(addresses))


def _with_environment(text: str, env: str | None) -> str:
    """Puts `/envs/<ENV>` where the address holds `{env}`, whether or not `/envs/` stands there already."""
    if ENVIRONMENT_MARK not in text:
        return text
    if env is None:
        raise SettingsError(
            "missing_setting",
            f"HELICON_ENV is not set, but HELICON_META holds {ENVIRONMENT_MARK}. An example: HELICON_ENV=DEV",
            variable="HELICON_ENV",
        )
    for spelling in (f"/envs/{ENVIRONMENT_MARK}", f"/{ENVIRONMENT_MARK}", ENVIRONMENT_MARK):
        head, found, tail = text.partition(spelling)
        if found:
            if tail.strip("/"):
                raise ValueError(f"{ENVIRONMENT_MARK} stands at the end of an address")
            return f"{head}/envs/{env}"
    raise AssertionError("the last spelling is the mark itself")


def _unused_env(
    source: _Source, argument: str | None, env: str | None, addresses: tuple[Address, ...]
) -> tuple[Advice, ...]:
    """Finds an environment that was asked for by our name and is not the one that the addresses lead to.

    Apollo's bare `ENV` is set on many machines for other reasons, so it is not looked at.
    """
    ours = source.environ.get("HELICON_ENV", "").strip()
    if env is None or (argument is None and not ours):
        return ()
    other = [address for address in addresses if not address.prefix.lower().endswith(f"/envs/{env}".lower())]
    if not other:
        return ()
    named = f"the environment {env}, given as an argument," if argument is not None else f"HELICON_ENV={env}"
    _, found, instead = other[0].prefix.rpartition("/envs/")
    reads = f"environment {instead}" if found else "the server's default environment"
    return (
        Advice(
            "unused_setting",
            f"{named} is not used: HELICON_META holds no {ENVIRONMENT_MARK}, so {other[0].url} is read, {reads}. "
            f"To read {env}, end it with /envs/{ENVIRONMENT_MARK}",
        ),
    )


def _misspelt(environ: Mapping[str, str]) -> tuple[Advice, ...]:
    strangers = [name for name in environ if name.startswith(PREFIX) and name not in VARIABLES and environ[name]]
    if not strangers:
        return ()
    from helicon._impl.misspelt import misspelt  # imported late: it is seldom needed, and a start counts

    return tuple(
        [
            Advice("unknown_setting", f"{name} is no setting; did you mean {meant}?")
            for name, meant in misspelt(strangers).items()
        ]
    )


def _namespaces(source: _Source, argument: str | Iterable[str] | None) -> tuple[str, ...]:
    given = argument if argument is None or isinstance(argument, str) else ",".join(argument)
    text, origin = source.text("HELICON_NAMESPACES", given)
    names = [strip_properties(part) for part in _split(text or "")]
    for name in names:
        _check_name(name, origin)
    return tuple(dict.fromkeys(names)) or (DEFAULT_NAMESPACE,)


def _secret(source: _Source, argument: str | None, file_argument: str | None) -> str | None:
    variable = "HELICON_ACCESS_KEY_SECRET"
    # Arguments beat variables as a pair: a secret given in code is not in conflict with a file of the host.
    from_arguments = argument is not None or file_argument is not None
    ours = argument if from_arguments else source.environ.get(variable, "").strip()
    path, file_origin = source.text(f"{variable}_FILE", (file_argument or "") if from_arguments else None)
    if ours and path:
        raise SettingsError("conflicting_settings", f"set {variable} or {variable}_FILE, not both", variable=variable)
    secret, origin = (_read_secret(path, file_origin), file_origin) if path else source.text(variable, argument)
    if secret is not None and (len(secret) > MAX_SECRET_LENGTH or not secret.isprintable()):
        raise SettingsError(
            "invalid_setting",
            f"{origin} holds no usable secret: at most {MAX_SECRET_LENGTH} printable characters",
            variable=variable,
        )
    return secret


def _read_secret(path: str, origin: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib is too slow for the command
            text = file.read(4 * MAX_SECRET_LENGTH + 1).strip()
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8 text"
        raise SettingsError(
            "unreadable_file", f"{origin}: the file {path!r} cannot be read: {reason}", variable=origin
        ) from None
    if not text:
        raise SettingsError("invalid_setting", f"{origin}: the file {path!r} is empty", variable=origin)
    return text


def _directory(path: str, origin: str) -> str:
    if "\0" in path:
        raise SettingsError("invalid_setting", f"{origin} is not a path", variable="HELICON_CACHE_DIR")
    return os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111 - as above


def _check_name(value: str, origin: str) -> None:
    if not is_name(value):
        raise SettingsError(
            "invalid_setting",
            f"{origin} is not usable: {value[:80]!r} must consist of letters, digits, '_', '-' and '.', "
            "with no '.' in front",
            variable=origin.partition(" ")[0],
        )


def _missing(variable: str, example: str) -> SettingsError:
    fallback = APOLLO_NAMES.get(variable)
    either = f"{variable} (or {fallback})" if fallback else variable
    return SettingsError("missing_setting", f"{either} is not set. An example: {variable}={example}", variable=variable)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _as_text(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else os.fspath(path)
