"""Finds the folders in which a client may keep state between two starts."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def default_state_dirs(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Lists the per-user state folders in the order in which they are tried.

    A container often has no HOME, a user id without an entry, or a read-only root, so none of the folders
    is promised to exist or to be writable. `/tmp` is left out: it survives nothing that matters here.
    """
    candidates = []
    if state_home := environ.get("XDG_STATE_HOME", ""):
        candidates.append(state_home)
    if home := environ.get("HOME", ""):
        candidates.append(os.path.join(home, ".local", "state"))  # noqa: PTH118 - pathlib is too slow here
    if runtime := environ.get("XDG_RUNTIME_DIR", ""):
        candidates.append(runtime)
    # A relative folder would move with the working directory, and with it what a start finds.
    absolute = [folder for folder in candidates if os.path.isabs(folder)]  # noqa: PTH117 - as above
    return tuple([os.path.join(folder, "helicon") for folder in absolute])  # noqa: PTH118 - as above
