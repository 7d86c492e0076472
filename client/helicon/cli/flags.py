"""A table-driven reader of command lines.

Stands in for argparse, whose import alone costs a third of a start. Strict: an unknown flag, a missing or
malformed value and a bad environment twin are usage errors (exit 64) that name what is wrong.
"""

from __future__ import annotations

from helicon.cli.exits import Failure, usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TEXT, LIST, PAIRS, CHOICE, DURATION, SWITCH, OPTIONAL = (
    "text",  # one value; the last one given counts
    "list",  # repeatable; the twin separates by commas
    "pairs",  # repeatable NAME=VALUE; the twin separates by line breaks, because values hold commas
    "choice",  # one of a fixed set
    "duration",  # seconds, or a number with ms, s, m or h
    "switch",  # given or not; on/off after `=` and in the twin
    "optional",  # given, given with one of the choices after `=`, or not
)

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")
_UNITS = (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0))


class Flag:
    """One flag: its kind, how it is shown, its environment twin, its default."""

    __slots__ = ("choices", "default", "group", "help", "kind", "metavar", "name", "twin")

    def __init__(
        self,
        name: str,
        kind: str,
        help_text: str,
        *,
        group: str,
        metavar: str = "",
        twin: str | None = None,
        choices: Sequence[str] = (),
        default: str = "",
    ) -> None:
        self.name = name
        self.kind = kind
        self.help = help_text
        self.group = group
        self.metavar = metavar or ("|".join(choices) if choices and kind == CHOICE else "")
        # A twin exists for every flag; "" says that somebody else reads the variable (client settings).
        self.twin = "HELICON_" + name.upper().replace("-", "_") if twin is None else twin
        self.choices = tuple(choices)
        self.default = default

    @property
    def repeatable(self) -> bool:
        """Says whether the flag collects its values."""
        return self.kind in (LIST, PAIRS)


class Options:
    """What a command line and the environment twins said, flag by flag, plus the rest of the line."""

    __slots__ = ("_flags", "_given", "rest")

    def __init__(self, flags: Mapping[str, Flag], given: dict[str, list[str]], rest: list[str]) -> None:
        self._flags = flags
        self._given = given
        self.rest = rest

    def text(self, name: str) -> str:
        """Gives the value of a text, choice or optional flag, or its default."""
        values = self._given.get(name)
        return values[-1] if values else self._flags[name].default

    def given(self, name: str) -> bool:
        """Says whether the flag or its twin was given at all."""
        return name in self._given

    def many(self, name: str) -> list[str]:
        """Gives the values of a repeatable flag, in order."""
        return self._given.get(name, [])

    def pairs(self, name: str) -> list[tuple[str, str]]:
        """Gives the values of a NAME=VALUE flag, in order."""
        split = [value.partition("=") for value in self._given.get(name, [])]
        return [(left, right) for left, _, right in split]

    def on(self, name: str) -> bool:
        """Says whether a switch is on."""
        return self.text(name) in _TRUE

    def seconds(self, name: str) -> float | None:
        """Gives a duration in seconds, or None when neither given nor defaulted."""
        text = self.text(name)
        return duration(text) if text else None


def parse(
    arguments: Sequence[str], flags: Sequence[Flag], environ: Mapping[str, str], *, command: bool = False
) -> Options:
    """Reads a command line. With `command`, the first word that is no flag begins a command of its own.

    Raises Failure (exit 64). A flag replaces its twin; it does not add to it.
    """
    table = {flag.name: flag for flag in flags}
    given: dict[str, list[str]] = {}
    rest: list[str] = []
    position = 0
    while position < len(arguments):
        argument = arguments[position]
        position += 1
        if argument == "--":
            rest += arguments[position:]
            break
        if not argument.startswith("--") or argument == "-":
            if argument.startswith("-") and len(argument) > 1:
                raise _unknown(argument, table)
            rest.append(argument)
            if command:
                rest += arguments[position:]
                break
            continue
        name, equals, value = argument[2:].partition("=")
        flag = table.get(name)
        if flag is None:
            raise _unknown("--" + name, table)
        if not equals:
            if flag.kind in (SWITCH, OPTIONAL):
                value = "on"
            elif position < len(arguments) and arguments[position] != "--":
                value = arguments[position]
                position += 1
            else:
                raise usage(f"--{name} needs a value: --{name} {flag.metavar}")
        checked = _check(flag, value, "--" + name)
        if flag.repeatable:
            given.setdefault(name, []).append(checked)
        else:
            given[name] = [checked]
    for flag in flags:
        if flag.twin and flag.name not in given and environ.get(flag.twin):
            given[flag.name] = _from_twin(flag, environ[flag.twin])
    return Options(table, given, rest)


def duration(text: str) -> float | None:
    """Reads `2.5`, `500ms`, `3s`, `1m` or `1h` as seconds; None when it is none of them."""
    number, factor = text, 1.0
    for unit, seconds in _UNITS:
        if text.endswith(unit):
            number, factor = text[: -len(unit)], seconds
            break
    if not number or not set(number) <= set("0123456789.") or number.count(".") > 1 or number == ".":
        return None
    return float(number) * factor


def _from_twin(flag: Flag, text: str) -> list[str]:
    if flag.kind == LIST:
        values = [part.strip() for part in text.split(",") if part.strip()]
    elif flag.kind == PAIRS:
        values = [line for line in text.split("\n") if line]
    else:
        values = [text]
    if flag.kind in (SWITCH, OPTIONAL) and text in _FALSE:
        return []
    return [_check(flag, value, flag.twin) for value in values]


def _check(flag: Flag, value: str, source: str) -> str:
    """Returns the value in its canonical form. Messages hold no value of a pair: it may be a secret."""
    if flag.kind == CHOICE and value not in flag.choices:
        raise usage(f"{source} is one of {', '.join(flag.choices)}, not {value!a}")
    if flag.kind == DURATION and duration(value) is None:
        raise usage(f"{source} is a duration such as 3s, 500ms or 1m, not {value!a}")
    if flag.kind == PAIRS and (not value.partition("=")[0] or "=" not in value):
        raise usage(f"{source} is written {flag.metavar}; the part before '=' or the '=' is missing")
    if flag.kind == SWITCH:
        if value not in _TRUE + _FALSE:
            raise usage(f"{source} is on or off, not {value!a}")
        return "on" if value in _TRUE else "off"
    if flag.kind == OPTIONAL and value != "on":
        if value not in (*flag.choices, *_TRUE, *_FALSE):
            raise usage(f"{source} is {' or '.join(flag.choices)} or nothing, not {value!a}")
        return value if value in flag.choices else "on" if value in _TRUE else ""
    if flag.kind == LIST and not value:
        raise usage(f"{source} needs a value: {flag.metavar}")
    return value


def _unknown(name: str, table: Mapping[str, Flag]) -> Failure:
    from difflib import get_close_matches  # only when somebody mistyped

    near = get_close_matches(name.lstrip("-"), table, n=1)
    hint = f"did you mean --{near[0]}?" if near else "--help lists the flags"
    return usage(f"unknown flag {name!a}", hint)
