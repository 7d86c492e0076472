"""Variables that look like a setting and are none are pointed out."""

from __future__ import annotations

import pytest

from helicon_server.settings import misspelt


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
