"""Builds the environment block of the program: who wins, what is denied, what fits.

Everything is checked here, before the program starts, because the kernel's own answer (E2BIG, EINVAL)
never says which key it means.
"""

from __future__ import annotations

import os

from helicon.cli.exits import configuration
from helicon.cli.globs import matches
from helicon.cli.reserved import CREDENTIALS, is_reserved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from helicon.cli.names import Variable

_PRISTINE = ("PATH", "HOME", "TERM", "TZ", "LANG")
_PRISTINE_GLOBS = ["LC_*"]
_POINTER = 8  # bytes the kernel counts for each pointer of argv and envp
_TOTAL_CEILING = 6 * 1024 * 1024  # three quarters of the kernel's default stack, however large the limit
_TOTAL_FLOOR = 128 * 1024
_NAMED = 5  # how many offenders a message names


class Rules:
    """The environment flags of one command line; see the flag table for their meaning."""

    __slots__ = (
        "allow_reserved",
        "assign",
        "keep",
        "origin",
        "oversize",
        "pass_credentials",
        "pass_globs",
        "precedence",
        "pristine",
    )

    def __init__(
        self,
        *,
        precedence: str = "server",
        keep: Sequence[str] = (),
        assign: Sequence[tuple[str, str]] = (),
        pristine: str = "",
        pass_globs: Sequence[str] = (),
        allow_reserved: Sequence[str] = (),
        pass_credentials: bool = False,
        oversize: str = "error",
        origin: Mapping[str, str] | None = None,
    ) -> None:
        self.precedence = precedence
        self.keep = list(keep)
        self.assign = list(assign)
        self.pristine = pristine
        self.pass_globs = list(pass_globs)
        self.allow_reserved = list(allow_reserved)
        self.pass_credentials = pass_credentials
        self.oversize = oversize
        self.origin = dict(origin or {})


class Built:
    """A checked environment block, sorted by name, and the keys left out of it with `--oversize skip`."""

    __slots__ = ("block", "skipped")

    def __init__(self, block: dict[bytes, bytes], skipped: list[str]) -> None:
        self.block = block
        self.skipped = skipped


def build(variables: Sequence[Variable], inherited: dict[bytes, bytes], rules: Rules) -> Built:
    """Lays configuration over the inherited environment and checks every string of the result.

    Raises Failure (exit 78) naming keys, never values: reserved name, NUL, not UTF-8, too long.
    """
    _refuse_reserved(variables, rules.allow_reserved)
    block = base(inherited, rules)
    skipped: list[str] = []
    too_long: list[str] = []
    for variable in variables:
        name = _encode(variable.name, variable, "name")
        if name in block and (rules.precedence == "env" or matches(variable.name, rules.keep)):
            continue
        value = _encode(variable.entry.value, variable, "value")
        if len(name) + len(value) + 2 > string_limit():
            (skipped if rules.oversize == "skip" else too_long).append(
                f"{variable.entry.origin()} as {variable.name!a}: {len(value)} bytes"
            )
            continue
        block[name] = value
    if too_long:
        raise configuration(
            "value_too_long",
            f"too long for an environment variable (name and value: {string_limit() - 2} bytes): " + _some(too_long),
            "leave them out with --exclude KEY or --oversize skip, and read them with `helicon get`",
        )
    for text, value_text in (*rules.origin.items(), *rules.assign):
        block[os.fsencode(text)] = os.fsencode(value_text)
    return Built({name: block[name] for name in sorted(block)}, skipped)


def base(inherited: dict[bytes, bytes], rules: Rules) -> dict[bytes, bytes]:
    """Returns what the program inherits: without our credentials, and little of it with `--pristine`."""
    block = dict(inherited)
    if rules.pristine:
        wanted = list(rules.pass_globs)
        if rules.pristine != "all":
            wanted += [*_PRISTINE, *_PRISTINE_GLOBS]
        block = {name: value for name, value in block.items() if matches(os.fsdecode(name), wanted)}
    if not rules.pass_credentials:
        for credential in CREDENTIALS:
            block.pop(credential.encode(), None)
    return block


def require_fit(argv: Sequence[bytes], block: dict[bytes, bytes], path_bytes: int = 0) -> None:
    """Raises Failure (exit 78) naming the largest variables when the kernel would refuse the total.

    The kernel counts the strings of argv and envp with their NULs, eight bytes per pointer, and the path of
    the program (`path_bytes`), against a quarter of the stack limit.
    """
    limit = total_limit()
    sizes = {name: len(name) + len(value) + 2 for name, value in block.items()}
    strings = sum(sizes.values()) + sum(len(argument) + 1 for argument in argv) + path_bytes + 1
    total = strings + (len(sizes) + len(argv)) * _POINTER
    if total <= limit:
        return
    largest = sorted(sizes, key=lambda name: (-sizes[name], name))[:_NAMED]
    raise configuration(
        "environment_too_big",
        f"the environment and arguments need {total} bytes and the system takes {limit} "
        f"(a quarter of the stack limit); the largest: "
        + ", ".join(f"{os.fsdecode(name)!a} {sizes[name]} bytes" for name in largest),
        "leave keys out with --include or --exclude, or raise `ulimit -s`",
    )


def string_limit() -> int:
    """Gives the kernel's limit of one `NAME=value` string with its NUL: 32 pages (131,072 bytes)."""
    return 32 * os.sysconf("SC_PAGE_SIZE")


def total_limit() -> int:
    """Gives the kernel's limit of argv and environment together, in bytes, from the stack limit."""
    import resource  # only here and only once per start

    soft, _ = resource.getrlimit(resource.RLIMIT_STACK)
    if soft == resource.RLIM_INFINITY:
        return _TOTAL_CEILING
    return max(min(soft // 4, _TOTAL_CEILING), _TOTAL_FLOOR)


def _refuse_reserved(variables: Sequence[Variable], allowed: list[str]) -> None:
    denied = [v for v in variables if is_reserved(v.name) and v.name not in allowed]
    if denied:
        raise configuration(
            "reserved_name",
            "configuration may not set "
            + _some([f"{variable.name} (key {variable.entry.origin()})" for variable in denied]),
            "rename it with --map KEY=NAME or --add-prefix, leave it out with --exclude KEY, "
            "or allow it with --allow-reserved NAME",
        )


def _encode(text: str, variable: Variable, what: str) -> bytes:
    if "\0" in text:
        problem = "contains a NUL character, which no environment can hold"
    else:
        try:
            return text.encode()
        except UnicodeEncodeError:
            problem = "contains a lone surrogate, which UTF-8 cannot encode"
    raise configuration(
        "value_not_representable",
        f"the {what} of key {variable.entry.origin()} {problem}",
        "correct it in the configuration center, or leave it out with --exclude KEY",
    )


def _some(items: list[str]) -> str:
    return "; ".join(items[:_NAMED]) + (f"; and {len(items) - _NAMED} more" if len(items) > _NAMED else "")
