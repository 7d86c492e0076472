"""Names of apps, environments, clusters and namespaces, and the references built of them.

Rules: Apollo client protocol, sections 2, 3 and 13. Every name that enters the server passes one of the ``parse_*``
functions exactly once, at the boundary.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from helicon.protocol.names import DEFAULT_CLUSTER, NO_APP_ID_PLACEHOLDER

from .errors import InvalidName
from .formats import Format

NAME_LENGTH_LIMIT = 128
ENVIRONMENT_LENGTH_LIMIT = 32

_NAME = re.compile(r"[0-9a-zA-Z_-]+[0-9a-zA-Z_.-]*")
_ENVIRONMENT = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]*")

# `/configfiles/json/...` and `/configfiles/raw/...` would be ambiguous (protocol, section 6.2).
_RESERVED_APP_IDS = frozenset({"json", "raw", NO_APP_ID_PLACEHOLDER.casefold()})
_PROPERTIES = f".{Format.PROPERTIES}"  # belongs to no stored name (protocol, section 3)
_SUFFIXES = tuple(f".{format_}" for format_ in Format)


@dataclass(frozen=True, slots=True)
class ClusterRef:
    """Names one cluster of an app in an environment."""

    environment: str
    app: str
    cluster: str = DEFAULT_CLUSTER


@dataclass(frozen=True, slots=True)
class NamespaceRef:
    """Names one namespace of an app in one cluster of an environment."""

    environment: str
    app: str
    cluster: str
    namespace: str

    @property
    def watch_key(self) -> str:
        """The text ``app+cluster+namespace`` of a release message (protocol, section 2)."""
        return f"{self.app}+{self.cluster}+{self.namespace}"

    def __str__(self) -> str:
        return f"{self.environment}/{self.app}/{self.cluster}/{self.namespace}"


def _checked(what: str, text: str) -> str:
    if not text:
        raise InvalidName(f"The {what} is empty.", code=f"invalid_{what.replace(' ', '_')}")
    if len(text) > NAME_LENGTH_LIMIT:
        raise InvalidName(
            f"The {what} has {len(text)} characters; at most {NAME_LENGTH_LIMIT} are allowed.",
            code=f"invalid_{what.replace(' ', '_')}",
            details={"limit": NAME_LENGTH_LIMIT},
        )
    if not _NAME.fullmatch(text):
        raise InvalidName(
            f"The {what} {text!r} may hold only letters, digits, '_', '-' and '.', and may not begin with '.'.",
            code=f"invalid_{what.replace(' ', '_')}",
        )
    return text


def parse_app_id(text: str) -> str:
    """Returns ``text`` when it may name an app; raises InvalidName otherwise."""
    app_id = _checked("app id", text)
    if app_id.casefold() in _RESERVED_APP_IDS:
        raise InvalidName(f"The app id {app_id!r} is reserved by the client protocol.", code="app_id_reserved")
    return app_id


def parse_cluster(text: str) -> str:
    """Returns ``text`` when it may name a cluster; raises InvalidName otherwise."""
    return _checked("cluster", text)


def parse_token_name(text: str) -> str:
    """Returns ``text`` when it may name a token, by the rule of all names: it stands in URLs, logs and commands."""
    return _checked("token name", text)


def parse_user_name(text: str) -> str:
    """Returns ``text`` when it may name a user, by the same rule."""
    return _checked("user name", text)


def parse_environment(text: str) -> str:
    """Returns the name in upper case when it may name an environment; raises InvalidName otherwise."""
    if len(text) > ENVIRONMENT_LENGTH_LIMIT or not _ENVIRONMENT.fullmatch(text):
        raise InvalidName(
            f"The name of an environment must be 1 to {ENVIRONMENT_LENGTH_LIMIT} letters, digits, '_' or '-', "
            "and begin with a letter or digit.",
            code="invalid_environment",
        )
    return text.upper()  # of ASCII letters only, so that no other spelling leads here


def parse_namespace(text: str) -> str:
    """Returns the stored spelling of an existing namespace: ``.properties`` is dropped, other suffixes stay."""
    name = _checked("namespace", text)
    if name.lower().endswith(_PROPERTIES):
        name = name[: -len(_PROPERTIES)]
    return name


def new_namespace_name(name: str, format_: Format | None) -> tuple[str, Format]:
    """Returns full name and format of a namespace to be created.

    With ``format_`` the name is Apollo's base name and gets the suffix appended; without, the suffix says the format.
    Raises InvalidName when a suffix is left on the base name (protocol, section 13).
    """
    _checked("namespace", name)
    base, found = name, Format.PROPERTIES
    if format_ is None:
        found = Format.of_namespace(name)
        suffix = found.suffix or (_PROPERTIES if name.lower().endswith(_PROPERTIES) else "")
        base = name[: len(name) - len(suffix)]
    else:
        found = format_
    if base.lower().endswith(_SUFFIXES):
        raise InvalidName(
            f"Leave the suffix off {base!r}: it is appended from the format.",
            code="namespace_suffix",
        )
    return _checked("namespace", base if found is Format.PROPERTIES else f"{base}.{found}"), found
