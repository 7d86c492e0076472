"""The page of settings says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from helicon_server.settings import PREFIX, Settings

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"
_ROW = re.compile(r"^\| `(HELICON_\w+)` \| (.+?) \| (.+) \|$", re.MULTILINE)


def server_rows() -> dict[str, tuple[str, str]]:
    """Default and meaning of every variable in the server's table."""
    server, _, _ = PAGE.read_text().partition("## Client")
    return {name: (default, meaning) for name, default, meaning in _ROW.findall(server)}


def test_page__lists_every_server_setting_and_no_other() -> None:
    """A new setting is written about in the same commit."""
    assert set(server_rows()) == {PREFIX + name.upper() for name in Settings.model_fields}


def test_page__defaults__are_those_of_the_code() -> None:
    """A default that stands on the page as code is the one that `load` gives."""
    defaults = Settings().model_dump(mode="json")
    for variable, (shown, _) in server_rows().items():
        value = defaults[variable.removeprefix(PREFIX).lower()]
        if not shown.startswith("`"):
            assert value is None, f"{variable} has the default {value!r}, the page says {shown}"
            continue
        if isinstance(value, list):
            value = ",".join(sorted(each["name"] if isinstance(each, dict) else each for each in value))
            shown = "`" + ",".join(sorted(shown.strip("`").split(","))) + "`"
        assert shown.strip("`") == (f"{value:g}" if isinstance(value, float) else str(value)), variable
