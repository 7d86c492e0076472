"""What holds for the tests of both distributions, `tests/` and `client/tests/`."""

from __future__ import annotations

# Both folders are portions of one namespace package. Imported here, before pytest loads a file of either by its path
# and takes the folder of that file for the whole of the package.
import tests.support  # noqa: F401 - imported for its place in sys.modules

pytest_plugins = ["tests.plugins.no_skips", "tests.plugins.toolchains"]
