"""Validates the answer of `/configs` (Apollo client protocol, section 4.5).

Strict on purpose: what passes here replaces the configuration of a running program, so a login page, a
half-understood shape or another app's answer must never pass.
"""

from __future__ import annotations

from typing import NamedTuple

from helicon.protocol.changes import INCREMENTAL_SYNC, apply_changes
from helicon.protocol.messages import AnswerError, load_json
from helicon.protocol.names import strip_properties

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class ConfigAnswer(NamedTuple):
    """A full release as one namespace of one app sees it."""

    app_id: str
    cluster: str
    """The cluster whose release was used, or the name of a gray branch."""
    namespace: str
    """As asked for, without `.properties`."""
    configurations: dict[str, str]
    """In the order of the answer. A document namespace has one entry, `content`."""
    release_key: str


def parse_config(body: bytes, *, app_id: str, namespace: str, held: Mapping[str, str] | None = None) -> ConfigAnswer:
    """Reads a 200 answer to a request for this app and namespace. Raises `AnswerError`.

    The changes of an incremental answer (section 5) are applied to `held`, the configuration of the release that the
    request named. Without it, or when they do not fit it, the code is `incremental`: the caller asks again without
    a release key, which always yields a full answer.
    """
    answer = load_json(body)
    if not isinstance(answer, dict):
        raise AnswerError("wrong_shape", "the configuration is not a JSON object")
    incremental = answer.get("configSyncType") == INCREMENTAL_SYNC
    if incremental and held is None:
        raise AnswerError("incremental", "the answer holds changes instead of a full release")
    _require_identity(answer, "appId", app_id)
    _require_identity(answer, "namespaceName", namespace)
    release_key = answer.get("releaseKey")
    if not isinstance(release_key, str) or not release_key:
        raise AnswerError("wrong_shape", "the answer has no releaseKey")
    if incremental and held is not None:
        configurations: object = apply_changes(held, answer.get("configurationChanges"))
    else:
        configurations = answer.get("configurations")
    if not isinstance(configurations, dict):
        raise AnswerError("wrong_shape", "the answer has no configurations")
    for key, value in configurations.items():
        if not isinstance(value, str):
            raise AnswerError("wrong_shape", f"the value of key {key[:128]!r} is not a string")
    cluster = answer.get("cluster")
    if not isinstance(cluster, str):
        raise AnswerError("wrong_shape", "the answer has no cluster")
    return ConfigAnswer(app_id, cluster, strip_properties(namespace), configurations, release_key)


def _require_identity(answer: dict[str, object], field: str, asked: str) -> None:
    given = answer.get(field)
    if not isinstance(given, str):
        raise AnswerError("wrong_shape", f"the answer has no {field}")
    # Letter case may be normalised by a server (section 3); anything else is somebody else's answer.
    if strip_properties(given).lower() != strip_properties(asked).lower():
        raise AnswerError("other_identity", f"the answer is for another {field} than {asked!r}")
