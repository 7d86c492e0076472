"""Writes variables in the file formats other tools read (`helicon print`).

Each format is written for one reference reader, named in its function, and refuses by key what that reader
could not give back unchanged. Nothing is ever approximated.
"""

from __future__ import annotations

from helicon.cli.exits import configuration
from helicon.cli.names import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from helicon.cli.names import Variable

    Writer = Callable[[str, str], str]

_SCANNER_LINE = 65_535  # bytes: the longest line the Go readers of docker and Kubernetes take
_KUBERNETES_NAME = 128
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+,-")


class NotRepresentable(Exception):
    """Says why a format cannot hold a name or value; the text contains neither."""


def render(variables: Sequence[Variable], form: str) -> str:
    """Renders the variables, already sorted, as one text.

    Raises Failure (exit 78) naming the keys whose name or value the format cannot hold.
    """
    write = WRITERS[form]
    lines: list[str] = []
    refused: list[str] = []
    for variable in variables:
        try:
            lines.append(write(variable.name, variable.entry.value))
        except NotRepresentable as problem:
            refused.append(f"{variable.entry.origin()} {problem}")
    if refused:
        more = f"; and {len(refused) - 5} more" if len(refused) > 5 else ""
        raise configuration(
            "not_representable",
            f"format {form} cannot hold every value: {'; '.join(refused[:5])}{more}",
            "choose another --format (json holds everything), or leave keys out with --exclude KEY",
        )
    if form == "json":
        return "{\n" + ",\n".join(lines) + "\n}\n" if lines else "{}\n"
    if form == "yaml" and not lines:
        return "{}\n"
    return "".join([line + "\n" for line in lines])


def _dotenv(name: str, value: str) -> str:
    """For a POSIX shell (`set -a; . file`), in the shapes dotenv libraries read alike where they can.

    Bare when harmless, else single quotes; double quotes only for a value that holds a single quote.
    """
    _shell_name(name)
    _text(value)
    if value and _PLAIN.issuperset(value):
        return f"{name}={value}"
    if "'" not in value:
        return f"{name}='{value}'"
    for special in ("\\", '"', "$", "`"):
        value = value.replace(special, "\\" + special)
    return f'{name}="{value}"'


def _export(name: str, value: str) -> str:
    """For `eval` and `source` in a POSIX shell."""
    _shell_name(name)
    _text(value)
    escaped = value.replace("'", "'\\''")
    return f"export {name}='{escaped}'"


def _json(name: str, value: str) -> str:
    """For any JSON reader: one object, one variable a line. ASCII only, so it survives every pipe."""
    import json

    return f"  {json.dumps(name)}: {json.dumps(value)}"


def _yaml(name: str, value: str) -> str:
    """For YAML 1.1 and 1.2 readers: names and values always double-quoted, so `no` stays text."""
    _text(value, nul_allowed=True)
    _text(name)
    return f"{_yaml_string(name)}: {_yaml_string(value)}"


def _yaml_string(text: str) -> str:
    if text.isascii() and text.isprintable() and "\\" not in text and '"' not in text:
        return f'"{text}"'
    return '"' + "".join([_yaml_character(char) for char in text]) + '"'


def _yaml_character(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char == " " or char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _docker(name: str, value: str) -> str:
    """For `docker run --env-file`: everything after `=` is the value, no quotes, one line."""
    _text(value)
    if "\n" in value:
        raise NotRepresentable("holds a line break")
    if value.endswith("\r"):
        raise NotRepresentable("ends in a carriage return, which docker cuts off")
    line = f"{name}={value}"
    if name.startswith("#") or any(char.isspace() for char in name) or not name.isprintable():
        raise NotRepresentable("has a variable name that docker cannot read")
    _scannable(line)
    return line


def _kubernetes(name: str, value: str) -> str:
    """For the kubelet's `fileKeyRef`: single quotes, no escape of any kind, line breaks allowed."""
    _text(value)
    if not name.isascii() or not name.isprintable() or len(name) > _KUBERNETES_NAME or name[0] in "# ":
        raise NotRepresentable("has a variable name that Kubernetes does not allow")
    if name.endswith(" "):
        raise NotRepresentable("has a variable name that Kubernetes does not allow")
    if "'" in value:
        raise NotRepresentable("holds a single quote")
    if "\r\n" in value:
        raise NotRepresentable("holds a CRLF line break, which Kubernetes shortens")
    text = f"{name}='{value}'"
    for line in text.split("\n"):
        _scannable(line)
    return text


def _properties(name: str, value: str) -> str:
    """For `java.util.Properties`."""
    from helicon.protocol.properties import entry

    _text(value)
    _text(name)
    return entry(name, value)


def _shell_name(name: str) -> None:
    if posix(name) != name:
        raise NotRepresentable("has a variable name that a shell cannot set (use --names posix)")


def _text(value: str, *, nul_allowed: bool = False) -> None:
    if not nul_allowed and "\0" in value:
        raise NotRepresentable("holds a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NotRepresentable("holds a lone surrogate") from None


def _scannable(line: str) -> None:
    if len(line.encode()) > _SCANNER_LINE:
        raise NotRepresentable(f"makes a line longer than {_SCANNER_LINE} bytes")


WRITERS: dict[str, Writer] = {
    "dotenv": _dotenv,
    "export": _export,
    "json": _json,
    "yaml": _yaml,
    "docker": _docker,
    "k8s": _kubernetes,
    "properties": _properties,
}
