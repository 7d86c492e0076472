"""All settings of the server, and the only place that reads the environment.

Every flag of ``helicon-server serve`` has a variable ``HELICON_<FLAG>``; a flag wins over its variable. A bad value
stops the start with a sentence that names the variable. Secrets never print: they are ``SecretStr``.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails

from .auth import master_key
from .domain.errors import HeliconError
from .domain.names import parse_environment
from .domain.wording import for_people

PREFIX = "HELICON_"
# Near enough to be taken for ours, and set beside them where client and server share a machine.
_OF_THE_CLIENT = frozenset({"HELICON_ENV", "HELICON_META", "HELICON_CACHE_DIR", "HELICON_LOG"})
_DATABASE_URL = re.compile(
    r"sqlite\+aiosqlite:///(?!:memory:)[^?]+"  # a database in memory would be another one for each connection
    r"|postgresql\+asyncpg://([^:/@]*(:[^@]*)?@)?(\[[0-9A-Fa-f:.]+\]|[^][:/?@]*)(:[0-9]+)?/[^?]+(\?.*)?",
    re.DOTALL,
)
Role = Literal["delivery", "management"]


class SettingsError(HeliconError):
    """A setting has a value that the server cannot work with."""

    default_code = "bad_setting"


class EnvironmentSetting(BaseModel):
    """One entry of ``HELICON_ENVIRONMENTS``: a name, and the address of its own database if it has one."""

    model_config = ConfigDict(frozen=True)

    name: str
    database_url: SecretStr | None = None


def _comma_list(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _environments(value: object) -> object:
    entries = _comma_list(value)
    if not isinstance(entries, list):
        return entries
    return [_environment(entry) if isinstance(entry, str) else entry for entry in entries]


def _environment(entry: str) -> dict[str, object]:
    name, has_url, url = entry.partition("=")
    parsed = {"name": _environment_name(name.strip())}
    if has_url:
        parsed["database_url"] = _database_url(url.strip())
    return parsed


def _database_url(value: str) -> str:
    if not value.startswith(("sqlite+aiosqlite:///", "postgresql+asyncpg://")):
        raise ValueError("must begin with sqlite+aiosqlite:/// or postgresql+asyncpg://")
    if not _DATABASE_URL.fullmatch(value):
        raise ValueError(
            "must read sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER:PASSWORD@HOST:PORT/DATABASE; "
            "in the password write @ as %40"
        )
    return value


def _secret_database_url(value: object) -> object:
    return _database_url(value) if isinstance(value, str) else value


def _environment_name(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return parse_environment(value)
    except HeliconError as error:
        raise ValueError(error.message) from error


def _secret_password(value: object) -> object:
    """Refuses what nobody could type: a secret file often ends in a line feed that its author does not know of."""
    if isinstance(value, str) and not value.isprintable():
        raise ValueError("holds a line end or a control character; a file may end in one")
    return value


def _secret_token(value: object) -> object:
    """Refuses what no Authorization header could carry."""
    if isinstance(value, str) and not (value.isascii() and value.isprintable() and " " not in value):
        raise ValueError("may hold visible ASCII characters only, no blank and no line end; a file may end in one")
    return value


def _secret_master_key(value: object) -> object:
    if isinstance(value, str):
        master_key.parse(value)
    return value


class Settings(BaseModel):
    """What one server process works with. Names of fields are names of flags."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    data_dir: Path = Field(
        Path("data"), description="Folder of the embedded database and of what a node keeps on disk."
    )
    database_url: Annotated[SecretStr | None, BeforeValidator(_secret_database_url)] = Field(
        None,
        description="sqlite+aiosqlite:///… or postgresql+asyncpg://… for everything; default: SQLite in the data dir.",
    )
    master_key: Annotated[SecretStr | None, BeforeValidator(_secret_master_key)] = Field(
        None, description="32 random bytes in base64; wraps every stored secret."
    )
    master_key_file: Path | None = Field(None, description="A file that holds the master key.")
    access_key_tolerance_s: float = Field(
        60.0, gt=0, le=3600.0, description="How far the clock of a client that signs may be off, in seconds."
    )
    roles: Annotated[frozenset[Role], BeforeValidator(_comma_list)] = Field(
        frozenset({"delivery", "management"}), description="Comma list of delivery and management."
    )
    workers: int = Field(1, ge=1, le=64, description="Worker processes on this machine.")
    environments: Annotated[tuple[EnvironmentSetting, ...], BeforeValidator(_environments)] = Field(
        tuple(EnvironmentSetting(name=name) for name in ("DEV", "FAT", "UAT", "PRO")),
        description="Comma list made at first start; NAME=URL gives an environment its own database.",
    )
    default_environment: Annotated[str | None, BeforeValidator(_environment_name)] = Field(
        None, description="The one served without prefix; default: the first."
    )
    public_url: str | None = Field(
        None, pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$", description="What discovery tells clients."
    )
    value_limit: int = Field(1_048_576, ge=5, le=16_777_216, description="Characters of one value or document.")
    long_poll_s: float = Field(60.0, ge=1.0, le=90.0, description="Seconds a poll is held; clients read for 90.")
    polls_per_client: int = Field(
        200, ge=0, le=1_000_000, description="Held polls of one client of an address; 0 is no limit."
    )
    polls_per_address: int = Field(
        10_000, ge=1, le=1_000_000, description="Held polls of one peer address; raise it behind a proxy."
    )
    poll_memory_mb: int = Field(
        256, ge=1, le=65_536, description="Mebibytes of held polls per worker; one peer address may take half."
    )
    polls_per_app: int = Field(20_000, ge=1, le=1_000_000, description="Held polls of one app's clients, per worker.")
    requests_per_client: int = Field(
        1_000, ge=0, le=1_000_000, description="Client requests a second of one client; 0 is no limit."
    )
    requests_per_address: int = Field(
        20_000, ge=0, le=10_000_000, description="Client requests a second of one peer address; 0 is no limit."
    )
    memory_limit_mb: int | None = Field(
        None, ge=96, le=1_048_576, description="Mebibytes of one worker; near it new polls are refused."
    )
    node_url: str | None = Field(
        None, pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$", description="Where the other nodes' clients reach this node."
    )
    heartbeat_s: float = Field(
        15.0, ge=0.05, le=300.0, description="Seconds between heartbeats; a node that missed three is gone."
    )
    snapshot: Literal["on", "off"] = Field("on", description="Keep what the node serves on disk, to start from it.")
    sweep_s: float = Field(10.0, ge=0.05, le=300.0, description="Seconds between looks at the message table.")
    content_memory_mb: int = Field(
        256, ge=1, le=65_536, description="Mebibytes of released content kept in memory per worker."
    )
    metrics_token: Annotated[SecretStr | None, BeforeValidator(_secret_token)] = Field(
        None, min_length=16, description="What a scraper of /metrics must send; without it everybody may read."
    )
    drain_s: int = Field(10, ge=0, le=300, description="Seconds a stopping node gives requests under way.")
    bootstrap_password: Annotated[SecretStr | None, BeforeValidator(_secret_password)] = Field(
        None,
        min_length=12,
        max_length=256,
        description="Password of user admin, used only when the database holds no user.",
    )
    bootstrap_token: Annotated[SecretStr | None, BeforeValidator(_secret_token)] = Field(
        None, description="Management token with all rights, created only when the database holds no token."
    )
    log_format: Literal["json", "text"] = Field("json", description="One JSON object a line, or text for people.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.environments:
            raise ValueError("environments: name at least one environment")
        names = [environment.name for environment in self.environments]
        if len(set(names)) < len(names):
            raise ValueError("environments: a name stands twice")
        if not self.roles:
            raise ValueError("roles: name at least one of delivery, management")
        if self.master_key is not None and self.master_key_file is not None:
            raise ValueError("master_key: is given, and so is HELICON_MASTER_KEY_FILE; keep one of them")
        return self

    @property
    def main_database_url(self) -> str:
        """The address of the main database."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{self.data_dir.absolute() / 'helicon.db'}"

    @property
    def dedicated_database_urls(self) -> dict[str, str]:
        """The addresses of the environments that have a database of their own."""
        return {e.name: e.database_url.get_secret_value() for e in self.environments if e.database_url is not None}

    @property
    def embedded(self) -> bool:
        """Whether every database is a file of this machine."""
        return all(url.startswith("sqlite") for url in (self.main_database_url, *self.dedicated_database_urls.values()))

    @property
    def unprefixed_environment(self) -> str:
        """The environment that is served without prefix."""
        return self.default_environment or self.environments[0].name

    @property
    def body_limit(self) -> int:
        """Bytes of one management request: a value of the longest kind, escaped in the most wasteful way."""
        return 6 * self.value_limit + 65_536


def load(flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Builds the settings from flags (None = not given), then variables, then defaults. Raises SettingsError."""
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for name in Settings.model_fields:
        text = environ.get(PREFIX + name.upper())
        if text and not _service_link(name, text):
            values[name] = text
    values.update({name: value for name, value in (flags or {}).items() if value is not None})
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_explain(error, flags or {})) from None


def misspelt(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables that look like a setting and are none, each with the setting that was probably meant."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    found = {}
    for name in os.environ if environ is None else environ:
        if name.startswith(PREFIX) and name not in known and name not in _OF_THE_CLIENT:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            if near:
                found[name] = near[0]
    return found


def export(settings: Settings) -> None:
    """Puts settings into this process's environment, for worker processes that start with it."""
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        if name == "environments":
            value = ",".join(
                e.name if e.database_url is None else f"{e.name}={e.database_url.get_secret_value()}" for e in value
            )
        elif isinstance(value, frozenset):
            value = ",".join(sorted(value))
        elif isinstance(value, SecretStr):
            value = value.get_secret_value()
        if value is not None:
            os.environ[PREFIX + name.upper()] = str(value)


def _service_link(name: str, text: str) -> bool:
    """Kubernetes sets HELICON_PORT=tcp://… in every pod beside a service called helicon; that is no setting."""
    return name == "port" and text.startswith(("tcp://", "udp://"))


def _sentence(problem: ErrorDetails) -> str:
    """What is wrong, in words; of a secret not even its length."""
    limits = problem.get("ctx", {})
    match problem["type"]:
        case "string_pattern_mismatch":  # every setting with a pattern is an address
            return "must be an address such as http://host:8080, without ? and #"
        case "too_short":  # of a secret, whose characters are items to its validator
            return f"must have at least {limits['min_length']} characters"
        case "too_long":
            return f"must have at most {limits['max_length']} characters"
        case _:
            return for_people(problem["msg"].removeprefix("Value error, "))


def _explain(error: ValidationError, flags: Mapping[str, Any]) -> str:
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        message = _sentence(problem)
        name = str(problem["loc"][0]) if problem["loc"] else message.partition(":")[0]
        if not problem["loc"]:
            message = message.partition(":")[2].strip()
        by_flag = flags.get(name) is not None
        lines.append(f"{'--' + name.replace('_', '-') if by_flag else PREFIX + name.upper()}: {message}")
    return "; ".join(lines)
