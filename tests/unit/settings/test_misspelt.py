"""Variables that look like a setting and are none are pointed out."""

from __future__ import annotations

import pytest

from helicon._impl.misspelt import misspelt as client_misspelt
from helicon_server.settings import PREFIX, Settings, misspelt


@pytest.mark.parametrize(
    ("name", "meant"),
    [("HELICON_PORTT", "HELICON_PORT"), ("HELICON_LOGFORMAT", "HELICON_LOG_FORMAT"), ("HELICON_ROLE", "HELICON_ROLES")],
)
def test_misspelt__near_a_setting__is_named_with_what_was_meant(name: str, meant: str) -> None:
    assert misspelt({name: "secret", "HELICON_PORT": "1"}) == {name: meant}


@pytest.mark.parametrize(
    "name",
    ["HELICON_ENV", "HELICON_META", "HELICON_NAMESPACES", "HELICON_PORT_8080_TCP", "HELICON_SERVICE_HOST", "PORTT"],
)
def test_misspelt__of_the_client_of_kubernetes_or_of_others__is_left_alone(name: str) -> None:
    assert misspelt({name: "x"}) == {}


def test_misspelt__settings_of_the_server__are_no_mistakes_to_a_client() -> None:
    """Client and server may share a machine; a new setting of the server must not make clients warn."""
    assert client_misspelt([PREFIX + name.upper() for name in Settings.model_fields]) == {}
