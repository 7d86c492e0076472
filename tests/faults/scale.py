"""How large a fault is: small enough for `make test`, and as the catalogue has it for `make faults-full`."""

from __future__ import annotations

import os
from typing import Final

import pytest

FULL: Final = os.environ.get("FAULTS_SCALE") == "full"
_DEADLINE_S: Final = 900  # of one test at full scale


def scaled(name: str, quick: object, full: object) -> pytest.MarkDecorator:
    """Runs a test with ``quick`` as ``name``, and once more with ``full`` where FAULTS_SCALE asks for that."""
    sizes = [pytest.param(quick, id="quick")]
    if FULL:
        sizes.append(pytest.param(full, id="full", marks=pytest.mark.timeout(_DEADLINE_S)))
    return pytest.mark.parametrize(name, sizes)
