"""`helicon run`: configuration into the environment, then the program in our place."""

from __future__ import annotations

import os
import time

from helicon.cli import environment, flagtable, names
from helicon.cli.exits import usage
from helicon.cli.flags import parse
from helicon.cli.launch import launch
from helicon.cli.merged import entries, require
from helicon.cli.report import Report
from helicon.cli.source import from_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from helicon.cli.flags import Options
    from helicon.cli.loaded import Loaded


def run(arguments: list[str], inherited: dict[bytes, bytes], _: Report) -> NoReturn:
    """Runs the command line after `run`. Does not return: the program takes the process over.

    Raises Failure for everything that keeps the program from starting.
    """
    environ = decoded(inherited)
    options = parse(arguments, flagtable.RUN, environ, command=True)
    if not options.rest or not options.rest[0]:
        raise usage("run needs a command", "helicon run -- python app.py")
    if options.many("pass") and not options.text("pristine"):
        raise usage("--pass needs --pristine: without it everything is inherited anyway")
    report = Report(options.text("log"), quiet=options.on("quiet"))
    loaded = from_options(options, environ, report)
    found = entries(loaded.parts, options.pairs("default"))
    require(found, options.many("require"), loaded.namespaces)
    mapped = mapping(options)
    variables = names.variables(found, mapped)
    built = environment.build(variables, inherited, rules(options, loaded))
    if built.skipped:
        report.warning("value_too_long", f"left out, too long for a variable: {'; '.join(built.skipped)}")
    report.info(
        "starting",
        f"{len(variables)} variables from {loaded.described()}{names.left_out(found, mapped)}",
        variables=len(variables),
        source=loaded.source,
        releases=loaded.releases(),
    )
    if os.getpid() == 1:
        report.info("process_one", "the program will be process 1: it must handle TERM itself, or run behind an init")
    launch(options.rest, built.block)


def mapping(options: Options) -> names.Mapping:
    """Gathers the mapping flags."""
    return names.Mapping(
        names=options.text("names"),
        case=options.text("case"),
        strip_prefix=options.text("strip-prefix"),
        add_prefix=options.text("add-prefix"),
        explicit=dict(options.pairs("map")),
        include=options.many("include"),
        exclude=options.many("exclude"),
        on_collision=options.text("on-collision"),
    )


def rules(options: Options, loaded: Loaded) -> environment.Rules:
    """Gathers the environment flags."""
    return environment.Rules(
        precedence=options.text("precedence"),
        keep=options.many("keep"),
        assign=options.pairs("set"),
        pristine=options.text("pristine"),
        pass_globs=options.many("pass"),
        allow_reserved=options.many("allow-reserved"),
        pass_credentials=options.on("pass-credentials"),
        oversize=options.text("oversize"),
        origin=origin(loaded) if options.text("export-meta") == "on" else {},
    )


def origin(loaded: Loaded) -> dict[str, str]:
    """Builds the variables that tell the program where its configuration came from."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(loaded.fetched_at)) if loaded.fetched_at else ""
    return {
        "HELICON_RUN_SOURCE": loaded.source,
        "HELICON_RUN_RELEASES": ",".join([f"{name}={key}" for name, key in loaded.releases().items()]),
        "HELICON_RUN_FETCHED_AT": stamp,
    }


def decoded(environ: dict[bytes, bytes]) -> dict[str, str]:
    """Gives the environment as text, for reading settings; unreadable bytes survive as surrogates."""
    return {os.fsdecode(name): os.fsdecode(value) for name, value in environ.items()}
