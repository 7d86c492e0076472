"""The clients that are tested, each with what it can do and what it alone asks of a server.

A quirk is a predicate that at least one recorded request of the client fulfils. It is there so that the test says
what the server has put up with; when a new version of the client does not ask for it any more, it goes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from tests.acceptance.clients.installing import Program, install_go, install_java, install_node, install_python
from tests.acceptance.clients.recorder import Exchange

Quirk = Callable[[Exchange], bool]


class Documents(Enum):
    """How far a client goes with a namespace that is one document."""

    PUSHED = "reads it and follows its changes"
    READ = "reads it; no server can make it follow"


@dataclass(frozen=True, slots=True)
class Client:
    """One unmodified library; `name` is the folder of its driver and its pins."""

    name: str
    install: Callable[[str], Program]
    documents: Documents = Documents.PUSHED
    quirks: Mapping[str, Quirk] = field(default_factory=dict)
    # Whether it can sign its requests with an access key, and then whether it signs the whole target: some leave out
    # the path of the address that they are given, such as /envs/PRO.
    signs: bool = True
    signs_prefix: bool = False
    # Whether it can name itself with a label, for the rules of gray releases.
    labels: bool = False
    # A mark of tests/plugins/toolchains.py: without this toolchain the client's tests are left out.
    toolchain: str | None = None

    def program(self) -> Program:
        """Installs the client where it is not yet. Raises UnavailableError where it cannot be had."""
        return self.install(self.name)


def _reads(exchange: Exchange) -> bool:
    return exchange.method == "GET" and "/configs/" in exchange.path


def _release_key_is_empty(exchange: Exchange) -> bool:
    return _reads(exchange) and exchange.parameters.get("releaseKey") == ""


def _release_key_is_missing(exchange: Exchange) -> bool:
    return _reads(exchange) and "releaseKey" not in exchange.parameters


def _holds_what_it_asks_for(exchange: Exchange) -> bool:
    return _reads(exchange) and exchange.status == 304


def _json_with_spaces_as_plus(exchange: Exchange) -> bool:
    return "notifications=%5B%7B%22namespaceName%22%3A+%22" in exchange.target


def _connection_for_one_request(exchange: Exchange) -> bool:
    return exchange.headers.get("connection") == "close"


def _connection_without_a_word(exchange: Exchange) -> bool:
    return "connection" not in exchange.headers


def _second_namespace_with_its_old_id(exchange: Exchange) -> bool:
    """It acted on the first entry of an answer only, and comes back for the other."""
    ids = list(exchange.notifications.values())
    return len(ids) > 1 and min(ids) < 0 < max(ids)


def _ids_begin_at_zero(exchange: Exchange) -> bool:
    return 0 in exchange.notifications.values()


def _address_is_a_word(exchange: Exchange) -> bool:
    return exchange.parameters.get("ip") == "None"


def _json_file_first(exchange: Exchange) -> bool:
    return "/configfiles/json/" in exchange.path


def _asks_for_servers(exchange: Exchange) -> bool:
    return exchange.path.endswith("/services/config") and "authorization" not in exchange.headers


def _asks_for_servers_signed(exchange: Exchange) -> bool:
    return exchange.path.endswith("/services/config") and "authorization" in exchange.headers


def _says_which_message_it_was_told(exchange: Exchange) -> bool:
    return _reads(exchange) and bool(json.loads(exchange.parameters.get("messages", "{}")).get("details"))


def _stray_ampersand_and_empty_label(exchange: Exchange) -> bool:
    return "?&ip=" in exchange.target and exchange.parameters.get("label") == ""


def _signs_without_a_key(exchange: Exchange) -> bool:
    return _reads(exchange) and exchange.headers.get("authorization", "").startswith("Apollo ")


CLIENTS = [
    Client(
        "apollo_client_python",
        install_python,
        quirks={
            "empty release key": _release_key_is_empty,
            "spaces as plus": _json_with_spaces_as_plus,
            "one connection a request": _connection_for_one_request,
            "first entry of an answer only": _second_namespace_with_its_old_id,
        },
    ),
    Client(
        "apollopyclient",
        install_python,
        quirks={
            "no release key": _release_key_is_missing,
            "spaces as plus": _json_with_spaces_as_plus,
            "one connection a request": _connection_for_one_request,
            "first entry of an answer only": _second_namespace_with_its_old_id,
        },
    ),
    Client(
        "apollo_python",
        install_python,
        quirks={
            "empty release key": _release_key_is_empty,
            "no release key": _release_key_is_missing,
            "spaces as plus": _json_with_spaces_as_plus,
            "first entry of an answer only": _second_namespace_with_its_old_id,
        },
    ),
    Client(
        "apopy",
        install_python,
        Documents.READ,
        quirks={
            "ip=None": _address_is_a_word,
            "JSON file first": _json_file_first,
            "spaces as plus": _json_with_spaces_as_plus,
        },
    ),
    Client(
        "ctrip_apollo",
        install_node,
        signs=False,
        quirks={"ids begin at 0": _ids_begin_at_zero, "no release key": _release_key_is_missing},
    ),
    Client(
        "ctrip_apollo_client",
        install_node,
        signs=False,
        quirks={"reads again what it holds": _holds_what_it_asks_for},
    ),
    Client(
        "lvgithub_apollo_client",
        install_node,
        quirks={"asks for servers": _asks_for_servers, "no release key": _release_key_is_missing},
        signs_prefix=True,
    ),
    Client(
        "apollo_java",
        install_java,
        quirks={
            "asks for servers": _asks_for_servers,
            "messages": _says_which_message_it_was_told,
            "reads again what it holds": _holds_what_it_asks_for,
        },
        signs_prefix=True,
        labels=True,
        toolchain="java",
    ),
    Client(
        "agollo",
        install_go,
        quirks={
            "asks for servers, signed": _asks_for_servers_signed,
            "signature without a key": _signs_without_a_key,
            "stray ampersand, empty label": _stray_ampersand_and_empty_label,
            "JSON file first": _json_file_first,
            "empty release key": _release_key_is_empty,
            "connection left to the protocol": _connection_without_a_word,
        },
        signs_prefix=True,
        labels=True,
        toolchain="go",
    ),
]
