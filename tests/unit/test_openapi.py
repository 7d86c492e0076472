"""What the document of the management API tells of single endpoints."""

from __future__ import annotations

from helicon_server.http.api import branches, drafts
from helicon_server.http.api.openapi import document

TOLD = document([*branches.ENDPOINTS, *drafts.ENDPOINTS], "1")


def test_if_match__says_whose_revision_it_names() -> None:
    """A branch has its own."""
    said = {
        (path.endswith("{branch}"), header["description"])
        for path, methods in TOLD["paths"].items()
        for operation in methods.values()
        for header in operation.get("parameters", ())
        if header["name"] == "If-Match"
    }
    assert said == {
        (True, "The revision of the branch that the caller saw."),
        (False, "The revision of the draft that the caller saw."),
    }


def test_percent__tells_its_bounds() -> None:
    percent = TOLD["components"]["schemas"]["GrayRuleIn"]["properties"]["percent"]
    assert (percent["minimum"], percent["maximum"]) == (0, 100)
