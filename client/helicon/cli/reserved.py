"""Names that configuration may not set: they would turn data into code, or redirect the tool itself."""

from __future__ import annotations

_PREFIXES = (
    "LD_",  # the dynamic loader: LD_PRELOAD, LD_LIBRARY_PATH, LD_AUDIT
    "DYLD_",
    "PYTHON",
    "MALLOC_",
    "BASH_FUNC_",
    "GIT_CONFIG",  # can set core.sshCommand
    "HELICON_",  # our own settings: configuration must not choose the server of a nested start
)

_EXACT = frozenset(
    {
        # where programs, files and identities are looked up
        "PATH",
        "HOME",
        "SHELL",
        "PWD",
        "OLDPWD",
        "CDPATH",
        "TMPDIR",
        # shells execute or re-parse these
        "IFS",
        "ENV",
        "BASH_ENV",
        "SHELLOPTS",
        "BASHOPTS",
        "PS4",
        "PROMPT_COMMAND",
        "GLOBIGNORE",
        "ZDOTDIR",
        "FPATH",
        # the C library honours these for ordinary programs and drops them for privileged ones
        "GCONV_PATH",
        "GETCONF_DIR",
        "GLIBC_TUNABLES",
        "HOSTALIASES",
        "LOCALDOMAIN",
        "LOCPATH",
        "NIS_PATH",
        "NLSPATH",
        "RESOLV_HOST_CONF",
        "RES_OPTIONS",
        "TZDIR",
        "TERMINFO",
        "TERMINFO_DIRS",
        "TERMCAP",
        # interpreters load code or options from these
        "NODE_OPTIONS",
        "NODE_PATH",
        "NODE_EXTRA_CA_CERTS",
        "PERL5LIB",
        "PERL5OPT",
        "PERL5DB",
        "PERLLIB",
        "RUBYOPT",
        "RUBYLIB",
        "JAVA_TOOL_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "_JAVA_OPTIONS",
        "CLASSPATH",
        "PHPRC",
        "PHP_INI_SCAN_DIR",
        "LUA_PATH",
        "LUA_CPATH",
        "LUA_INIT",
        "DOTNET_STARTUP_HOOKS",
        "CORECLR_ENABLE_PROFILING",
        "CORECLR_PROFILER",
        "CORECLR_PROFILER_PATH",
        "COR_ENABLE_PROFILING",
        "COR_PROFILER",
        "COR_PROFILER_PATH",
        # trust: whom TLS believes, and where its keys are written
        "OPENSSL_CONF",
        "OPENSSL_MODULES",
        "OPENSSL_ENGINES",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "SSLKEYLOGFILE",
        # started as commands by common tools
        "EDITOR",
        "VISUAL",
        "PAGER",
        "BROWSER",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_EDITOR",
        "GIT_PAGER",
        "GIT_ASKPASS",
        "SSH_ASKPASS",
        "GIT_EXTERNAL_DIFF",
        "GIT_PROXY_COMMAND",
        "GIT_EXEC_PATH",
        # Apollo's own names of what would redirect or impersonate the application
        "APOLLO_META",
        "APOLLO_CONFIG_SERVICE",
        "APOLLO_ACCESS_KEY_SECRET",
        "APOLLO_ACCESSKEY_SECRET",
    }
)

CREDENTIALS = (
    "HELICON_ACCESS_KEY_SECRET",
    "HELICON_ACCESS_KEY_SECRET_FILE",
    "APOLLO_ACCESS_KEY_SECRET",
    "APOLLO_ACCESSKEY_SECRET",
)
"""What lets somebody read the configuration: removed from the program's environment unless asked for."""


def is_reserved(name: str) -> bool:
    """Says whether a variable name is denied to configuration. Case matters, as it does to the kernel."""
    return name in _EXACT or name.startswith(_PREFIXES)
