"""Holds the family of errors of the client.

    HeliconError
    ├── SettingsError           the settings cannot be used; nothing was started
    ├── BindError               a release does not fit the class that it was bound to
    └── RequestError            one exchange with the servers failed
        ├── UnavailableError    no usable answer: worth another try, and a reason to use the backup
        ├── DeniedError         401 or 403: the servers are up and say no
        ├── NotReleasedError    404: the servers are up and hold no release of this namespace
        ├── AddressError        404: a server is up, and the address leads to nothing of it
        └── RefusedError        another answer that repeating does not change

Codes are stable; messages are for people and may change. No message holds a value or a secret.
"""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from helicon._impl.address import Address


class HeliconError(Exception):
    """The root of everything that this package raises on purpose."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[object, ...]:
        """Keeps errors picklable, because process pools send them across."""
        return (_rebuild, (type(self), self.args, self.__dict__))


class SettingsError(HeliconError):
    """A setting is missing or cannot be used.

    Codes: `missing_setting`, `invalid_setting`, `conflicting_settings`, `unreadable_file`.
    """

    def __init__(self, code: str, message: str, *, variable: str) -> None:
        super().__init__(code, message)
        self.variable = variable


class Fault(NamedTuple):
    """One reason why a configuration does not fit a class."""

    code: str
    """`missing_key` or `invalid_value`."""
    field: str
    """The field, with dots where classes are nested; empty when the class refuses the values together."""
    reason: str
    """A sentence that names the key and never its value."""


class BindError(HeliconError):
    """A configuration does not fit the class that it is bound to.

    Codes: `unsupported_class`, else that of the first fault: `missing_key`, `invalid_value`.
    """

    faults: tuple[Fault, ...] = ()
    """All that does not fit, in the order of the fields; the message names each."""

    @classmethod
    def of(cls, target: str, faults: list[Fault]) -> BindError:
        """Builds the error of a class that a configuration does not fit."""
        reasons = [f"{fault.field}: {fault.reason}" if fault.field else fault.reason for fault in faults]
        error = cls(faults[0].code, f"{target} does not fit: {'; '.join(reasons)}")
        error.faults = tuple(faults)
        return error


class RequestError(HeliconError):
    """One exchange with the servers did not bring what it was for.

    Codes of `UnavailableError`: `dns_failed`, `connect_failed`, `tls_failed`, `timeout`, `connection_lost`,
    `bad_http`, `too_large`, `redirect`, `server_error`, `overloaded`, `bad_answer`, `not_served_here`,
    `behind`, `internal`.
    Codes of the others: `denied`, `not_released`, `unknown_environment`, `wrong_address`, `refused`.
    """

    def __init__(self, code: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after
        """Seconds that the server asked to wait, already bounded."""
        self.server: Address | None = None
        """The server that gave the answer, when there was one."""


class UnavailableError(RequestError):
    """No usable answer came."""


class DeniedError(RequestError):
    """The servers refuse this app's access key, or ask for one."""


class NotReleasedError(RequestError):
    """The servers hold no release of the namespace for this app and cluster."""


class AddressError(RequestError):
    """A configuration server answers at this address and knows nothing that the address names.

    Codes: `unknown_environment`, `wrong_address`. Final only when no other server has an answer.
    """


class RefusedError(RequestError):
    """The servers refuse the request as such."""


def _rebuild(kind: type[HeliconError], args: tuple[object, ...], state: dict[str, object]) -> HeliconError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error
