"""`helicon run` against a good server: what the program receives."""

from __future__ import annotations

import pytest


def test_run__good_server__program_gets_variables(server, cli) -> None:
    server.publish({"db.url": "jdbc:x", "empty": ""})

    result = cli("run", "--", "env", "-0")

    assert result.code == 0, result.err
    assert result.variables()["DB_URL"] == "jdbc:x"
    assert result.variables()["EMPTY"] == ""
