"""The README: its examples run, and it knows every setting."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import helicon
from helicon._impl.settings import APOLLO_NAMES, VARIABLES
from tests.support.scripted_server import ScriptedServer
from tests.support.waiting import eventually

README = (Path(helicon.__file__).parents[1] / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_readme__examples__run_in_order(
    apollo: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {"greeting": "hi", "http.timeout": "2500", "feature.cart": "yes"}
    apollo.publish("application", values)
    apollo.publish("routes.json", {"content": '{"root": "/v1"}'})
    for name in (*VARIABLES, *APOLLO_NAMES.values()):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HELICON_META", apollo.url)
    monkeypatch.setenv("HELICON_APP_ID", "shop")
    monkeypatch.setenv("HELICON_NAMESPACES", "application,routes.json")
    monkeypatch.setenv("HELICON_CACHE_DIR", str(tmp_path))
    # Dataclasses look their module up by name.
    module = ModuleType("readme")
    scope = vars(module)
    monkeypatch.setitem(sys.modules, "readme", module)
    for number, example in enumerate(EXAMPLES):
        if "client.close()" in example:
            apollo.publish("application", {**values, "http.timeout": "9"})
            eventually(lambda: scope["settings"].http_timeout == 9, "the bound value")
            eventually(lambda: capsys.readouterr().out == "http.timeout modified\n", "the listener")
        exec(compile(example, f"README example {number}", "exec", dont_inherit=True), scope)
    assert len(EXAMPLES) >= 6
    assert scope["config"].get("greeting") == "hi"
    assert scope["routes"].json() == {"root": "/v1"}
    assert scope["settings"].feature_cart is True
    assert scope["status"].connection is helicon.Connection.CONNECTED
    assert scope["client"].status().connection is helicon.Connection.CLOSED


@pytest.mark.parametrize("name", [*VARIABLES, *APOLLO_NAMES.values()])
def test_readme__setting__is_in_the_table(name: str) -> None:
    assert f"| `{name}` |" in README


def test_readme__argument__is_in_the_table() -> None:
    for name in list(inspect.signature(helicon.Client).parameters):
        assert f"| `{name}` |" in README, name
