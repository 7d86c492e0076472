"""`helicon get KEY`: one value to stdout."""

from __future__ import annotations

from helicon.cli import flagtable
from helicon.cli.exits import MISSING, Failure, usage
from helicon.cli.flags import parse
from helicon.cli.merged import entries
from helicon.cli.output import write
from helicon.cli.report import Report
from helicon.cli.run import decoded
from helicon.cli.source import from_options


def get(arguments: list[str], inherited: dict[bytes, bytes], _: Report) -> int:
    """Runs the command line after `get`. Raises Failure, with exit 1 for a key that does not exist."""
    environ = decoded(inherited)
    options = parse(arguments, flagtable.GET, environ)
    if len(options.rest) != 1 or not options.rest[0]:
        raise usage("get needs one key", "helicon get http.timeout")
    key = options.rest[0]
    report = Report(options.text("log"), quiet=options.on("quiet"))
    loaded = from_options(options, environ, report)
    # Later namespaces come later and win; a document stands by the name of its namespace.
    values = [entry.value for entry in entries(loaded.parts) if entry.key == key]
    if values:
        write(values[-1])
    elif options.given("default"):
        write(options.text("default"))
    else:
        searched = ", ".join(loaded.namespaces)
        raise Failure(
            MISSING, "key_missing", f"there is no key {key!a} in {searched}", "give --default VALUE or --namespace NAME"
        )
    return 0
