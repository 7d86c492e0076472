"""Reads a 404: nothing is released, the address is wrong, or no configuration server answered at all.

Only the first is a word about the namespace. Servers of ours tell them apart by the `code` in the body.
Apollo's own answer, the default error of its container, holds none (Apollo client protocol, section 1.3), and
says the same for an unknown path; it is taken for what it nearly always means.
"""

from __future__ import annotations

from helicon._impl.errors import AddressError, NotReleasedError, UnavailableError
from helicon.protocol.messages import AnswerError, load_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from helicon._impl.address import Address
    from helicon._impl.errors import RequestError

_WRONG_ADDRESS = ("no_such_endpoint", "unknown_path")
_ENVIRONMENTS = "envs"


def explain(body: bytes, server: Address, *, named_by: str) -> RequestError:
    """Turns the body of a 404 into an error. `named_by` says in words where the address came from."""
    answer = object_in(body)
    code = answer.get("code")
    if code == "not_released" or (code is None and _is_of_apollo(answer)):
        return NotReleasedError("not_released", f"{server.url} holds no release of the namespace for this app")
    if code == "unknown_environment":
        return AddressError("unknown_environment", f"{server.url}: no {_environment(server)} on this server")
    if code in _WRONG_ADDRESS:
        return AddressError("wrong_address", f"{server.url}: {named_by} is not the root of a server{_hint(server)}")
    if code == "not_served_here":
        return UnavailableError("not_served_here", f"{server.url}: this server does not serve clients")
    return UnavailableError(
        "bad_answer", f"{server.url}: its 404 is not that of a configuration server; some other one lives there"
    )


def object_in(body: bytes) -> dict[str, object]:
    """The JSON object of an answer; empty when there is none."""
    try:
        answer = load_json(body)
    except AnswerError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _is_of_apollo(answer: dict[str, object]) -> bool:
    """Says whether this is an error of Apollo's container (with a path) or handlers (with an exception)."""
    named = isinstance(answer.get("path"), str) or isinstance(answer.get("exception"), str)
    return answer.get("status") == 404 and named


def _environment(server: Address) -> str:
    _, found, name = server.prefix.rpartition(f"/{_ENVIRONMENTS}/")
    return f"environment {name}" if found else "default environment"


def _hint(server: Address) -> str:
    """Guesses what an address with a wrong path was meant to be."""
    if not server.prefix:
        return ""
    parts = server.prefix.split("/")[1:]
    guess = f"{server.scheme}://{server.authority}"
    for position, part in enumerate(parts[:-1]):
        if part.lower().startswith("env"):
            guess = "/".join(["", *parts[:position], _ENVIRONMENTS, parts[position + 1]])
            break
    else:
        # Environments are written in capitals, and `/PRO` is what other configuration centers would take.
        if len(parts) == 1 and parts[0].isupper():
            guess = f"/{_ENVIRONMENTS}/{parts[0]}"
    return f" (did you mean {guess}?)"
