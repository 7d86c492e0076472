"""What `--help` and `--version` show, built from the flag table."""

from __future__ import annotations

from helicon._impl.version import VERSION
from helicon.cli import flagtable
from helicon.cli.flags import OPTIONAL, SWITCH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from helicon.cli.flags import Flag

_OVERVIEW = """\
usage: helicon COMMAND [flags]

Reads an application's configuration from a configuration center that speaks Apollo's client protocol.

commands:
  run     start a program with the configuration as environment variables
  get     print the value of one key
  print   print the configuration in a file format
  watch   print a line for every change as it is released

Say where the server is and who is asking, once, in the environment:
  HELICON_META=http://127.0.0.1:8080   HELICON_APP_ID=order-service

then:
  helicon run -- python app.py
  helicon get http.timeout
  helicon print --format json

`helicon COMMAND --help` explains a command; `helicon --version` shows the version.
"""

_SUBCOMMANDS: dict[str, tuple[str, Sequence[Flag]]] = {
    "run": (
        """\
usage: helicon run [flags] -- CMD ARGS...

Fetches the configuration, turns its keys into environment variables (db.url becomes DB_URL) and replaces
itself with CMD: signals, exit code, terminal and stdin are the program's own. When no server answers, the
last good copy is used. Document namespaces (json, yaml, xml, txt) become a variable only with --map.

  helicon run -- python app.py
  helicon run --namespace application --namespace db --require db.url -- ./server --port 80
  helicon run --map routes.json=ROUTES --namespace routes.json -- node app.js
""",
        flagtable.RUN,
    ),
    "get": (
        """\
usage: helicon get KEY [flags]

Prints the value of KEY, exactly (a line break is added only on a terminal). KEY may also be the name of a
document namespace: then its text is printed. Of several namespaces the later one wins. Exit 1 when the
key is missing.

  helicon get http.timeout --default 2500
  helicon get routes.json --namespace routes.json > routes.json
""",
        flagtable.GET,
    ),
    "print": (
        """\
usage: helicon print [flags]

Prints the variables that `run` would set. Values are masked unless --unmask is given, also in a pipe.

  helicon print
  eval "$(helicon print --format export --unmask)"
  helicon print --format properties --names raw --case keep --unmask > app.properties
""",
        flagtable.PRINT,
    ),
    "watch": (
        """\
usage: helicon watch [flags]

Prints one line for every changed key as releases arrive, until interrupted: namespace, kind of change and
key. Reconnects by itself.

  helicon watch --namespace application --namespace routes.json
  helicon watch --format json --unmask
""",
        flagtable.WATCH,
    ),
}


def overview() -> str:
    """Gives the text of `helicon --help`."""
    return _OVERVIEW


def subcommand(name: str) -> str:
    """Gives the text of `helicon NAME --help`, with every flag and its twin."""
    text, flags = _SUBCOMMANDS[name]
    lines = [text]
    groups = dict.fromkeys(flag.group for flag in flags)
    for group in groups:
        lines.append(f"{group}:")
        lines += [line for flag in flags if flag.group == group for line in _described(flag)]
        lines.append("")
    lines.append("A flag wins over its variable. The guide is docs/helicon-run.md.")
    return "\n".join(lines) + "\n"


def version() -> str:
    """Gives the text of `helicon --version`."""
    return f"helicon {VERSION}\n"


def twin_of(flag: Flag) -> str:
    """Names the environment variable that stands in for a flag; empty when there is none."""
    return flag.twin or flagtable.SETTINGS_TWINS.get(flag.name, "")


def _described(flag: Flag) -> list[str]:
    if flag.kind == SWITCH:
        shape = f"--{flag.name}"
    elif flag.kind == OPTIONAL:
        shape = f"--{flag.name}[={flag.metavar}]"
    else:
        shape = f"--{flag.name} {flag.metavar}"
    notes = [f"default: {flag.default}"] if flag.default else []
    notes += [twin_of(flag)] if twin_of(flag) else []
    return [f"  {shape}", f"      {flag.help}" + (f" [{', '.join(notes)}]" if notes else "")]
