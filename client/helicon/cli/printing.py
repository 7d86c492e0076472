"""`helicon print`: the variables of `run`, in a file format."""

from __future__ import annotations

from helicon.cli import flagtable, names
from helicon.cli.exits import usage
from helicon.cli.flags import parse
from helicon.cli.formats import render
from helicon.cli.merged import entries, require
from helicon.cli.output import write
from helicon.cli.report import Report
from helicon.cli.run import decoded, mapping
from helicon.cli.source import from_options

MASK = "********"


def print_variables(arguments: list[str], inherited: dict[bytes, bytes], _: Report) -> int:
    """Runs the command line after `print`.

    Values are masked unless asked for, also when stdout is a pipe or a file: terminals, build logs and
    chat windows are all reached through pipes.
    """
    environ = decoded(inherited)
    options = parse(arguments, flagtable.PRINT, environ)
    if options.rest:
        raise usage(f"print takes no {options.rest[0]!a}", "helicon print --format json")
    report = Report(options.text("log"), quiet=options.on("quiet"))
    loaded = from_options(options, environ, report)
    found = entries(loaded.parts, options.pairs("default"))
    require(found, options.many("require"), loaded.namespaces)
    mapped = mapping(options)
    variables = names.variables(found, mapped)
    if not variables and (documents := names.left_out(found, mapped)):
        report.info("documents", f"no variables{documents}")
    if not options.on("unmask"):
        for variable in variables:
            variable.entry.value = MASK
        report.info("masked", "values are masked; --unmask shows them")
    write(render(variables, options.text("format")))
    return 0
