"""Every flag of every subcommand. docs/helicon-run.md lists them; a test keeps the two equal."""

from __future__ import annotations

from helicon.cli.flags import CHOICE, DURATION, LIST, OPTIONAL, PAIRS, SWITCH, TEXT, Flag

_SOURCE = "where the configuration comes from"
_MAPPING = "keys become variable names"
_ENV = "the environment of the program"
_TROUBLE = "when the server is away"
_LOG = "messages"

# The twins of these are client settings, shared with the SDK and with Apollo's names as a fallback.
SETTINGS_TWINS = {
    "meta": "HELICON_META",
    "app-id": "HELICON_APP_ID",
    "env": "HELICON_ENV",
    "cluster": "HELICON_CLUSTER",
    "data-center": "HELICON_DATA_CENTER",
    "namespace": "HELICON_NAMESPACES",
    "label": "HELICON_LABEL",
    "secret-file": "HELICON_ACCESS_KEY_SECRET_FILE",
}

SOURCE = (
    Flag("meta", LIST, "meta server address; repeatable", group=_SOURCE, metavar="URL", twin=""),
    Flag("app-id", TEXT, "application id", group=_SOURCE, metavar="ID", twin=""),
    Flag("env", TEXT, "environment, put where the address holds {env}", group=_SOURCE, metavar="NAME", twin=""),
    Flag("cluster", TEXT, "cluster (default: default)", group=_SOURCE, metavar="NAME", twin=""),
    Flag("data-center", TEXT, "data center", group=_SOURCE, metavar="NAME", twin=""),
    Flag(
        "namespace",
        LIST,
        "namespace; repeatable, a later one wins (default: application)",
        group=_SOURCE,
        metavar="NAME",
        twin="",
    ),
    Flag("label", TEXT, "label for gray releases", group=_SOURCE, metavar="TEXT", twin=""),
    Flag("secret-file", TEXT, "file that holds the access-key secret", group=_SOURCE, metavar="FILE", twin=""),
)

KEYS = (
    Flag("require", LIST, "fail when this key is missing; repeatable", group=_SOURCE, metavar="KEY"),
    Flag("default", PAIRS, "value of a key that is missing; repeatable", group=_SOURCE, metavar="KEY=VALUE"),
)

MAPPING = (
    Flag(
        "names",
        CHOICE,
        "posix replaces what a shell cannot set by _; raw keeps it",
        group=_MAPPING,
        choices=("posix", "raw"),
        default="posix",
    ),
    Flag("case", CHOICE, "letter case of names", group=_MAPPING, choices=("upper", "keep", "lower"), default="upper"),
    Flag("strip-prefix", TEXT, "remove this from the start of keys", group=_MAPPING, metavar="PREFIX"),
    Flag("add-prefix", TEXT, "put this in front of names", group=_MAPPING, metavar="PREFIX"),
    Flag(
        "map",
        PAIRS,
        "give a key, or a document namespace, exactly this name; repeatable",
        group=_MAPPING,
        metavar="KEY=NAME",
    ),
    Flag("include", LIST, "take only keys that match; repeatable", group=_MAPPING, metavar="GLOB"),
    Flag("exclude", LIST, "leave out keys that match; repeatable", group=_MAPPING, metavar="GLOB"),
    Flag(
        "on-collision",
        CHOICE,
        "when two keys become one name",
        group=_MAPPING,
        choices=("error", "first", "last"),
        default="error",
    ),
)

ENVIRONMENT = (
    Flag(
        "precedence",
        CHOICE,
        "who wins when a variable exists already",
        group=_ENV,
        choices=("server", "env"),
        default="server",
    ),
    Flag("keep", LIST, "existing variables that win anyway; repeatable", group=_ENV, metavar="GLOB"),
    Flag("set", PAIRS, "variable that wins over everything; repeatable", group=_ENV, metavar="NAME=VALUE"),
    Flag(
        "pristine",
        OPTIONAL,
        "inherit only PATH, HOME, TERM, TZ, LANG and LC_*; =all: not even these",
        group=_ENV,
        metavar="all",
        choices=("all",),
    ),
    Flag("pass", LIST, "with --pristine: inherit these too; repeatable", group=_ENV, metavar="GLOB"),
    Flag(
        "allow-reserved",
        LIST,
        "let configuration set this reserved name, such as PATH; repeatable",
        group=_ENV,
        metavar="NAME",
    ),
    Flag("pass-credentials", SWITCH, "leave our access key in the environment", group=_ENV),
    Flag(
        "oversize",
        CHOICE,
        "when a value is longer than the kernel takes",
        group=_ENV,
        choices=("error", "skip"),
        default="error",
    ),
    Flag(
        "export-meta",
        CHOICE,
        "tell the program where its configuration came from (HELICON_RUN_*)",
        group=_ENV,
        choices=("on", "off"),
        default="on",
    ),
)

TROUBLE = (
    Flag(
        "on-unavailable",
        LIST,
        "tried in order: backup, wait:DURATION, continue, fail (default: backup,fail)",
        group=_TROUBLE,
        metavar="STEPS",
    ),
    Flag(
        "start-timeout",
        DURATION,
        "time for the server to answer (default: 3s with a backup, 30s without)",
        group=_TROUBLE,
        metavar="DURATION",
    ),
    Flag("backup", TEXT, "folder of the backup, or off", group=_TROUBLE, metavar="DIR|off"),
    Flag("offline", SWITCH, "use the backup alone, ask no server", group=_TROUBLE),
    Flag(
        "on-auth-error",
        CHOICE,
        "when the server refuses our access key",
        group=_TROUBLE,
        choices=("fail", "backup"),
        default="fail",
    ),
    Flag(
        "on-empty",
        CHOICE,
        "when a namespace that had keys suddenly has none",
        group=_TROUBLE,
        choices=("refuse", "accept"),
        default="refuse",
    ),
)

MESSAGES = (
    Flag("log", CHOICE, "form of our messages on stderr", group=_LOG, choices=("text", "json"), default="text"),
    Flag("quiet", SWITCH, "only warnings and errors", group=_LOG),
)

RUN = (*SOURCE, *KEYS, *MAPPING, *ENVIRONMENT, *TROUBLE, *MESSAGES)

GET = (
    *SOURCE,
    Flag("default", TEXT, "printed when the key is missing", group="output", metavar="VALUE", twin=""),
    *TROUBLE,
    *MESSAGES,
)

PRINT = (
    Flag(
        "format",
        CHOICE,
        "what is written",
        group="output",
        choices=("dotenv", "export", "json", "yaml", "docker", "k8s", "properties"),
        default="dotenv",
        twin="",
    ),
    Flag("unmask", SWITCH, "show the values", group="output", twin=""),
    *SOURCE,
    *KEYS,
    *MAPPING,
    *TROUBLE,
    *MESSAGES,
)

WATCH = (
    Flag("format", CHOICE, "what is written", group="output", choices=("text", "json"), default="text", twin=""),
    Flag("unmask", SWITCH, "show the values", group="output", twin=""),
    *SOURCE,
    *MESSAGES,
)
