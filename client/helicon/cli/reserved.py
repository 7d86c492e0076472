"""Names that configuration may not set: they would turn data into code, or redirect traffic and trust."""

from __future__ import annotations

_PREFIXES = (
    "LD_",  # the dynamic loader: LD_PRELOAD, LD_LIBRARY_PATH, LD_AUDIT
    "DYLD_",
    "PYTHON",
    "MALLOC_",
    "BASH_FUNC_",
    "LUA_INIT",  # and LUA_INIT_5_4
    "LUA_PATH",
    "LUA_CPATH",
    "CORECLR_",  # the profiler that .NET loads
    "COR_",
    "GIT_",  # commands (GIT_SSH_COMMAND), core.sshCommand (GIT_CONFIG_*), checks (GIT_SSL_NO_VERIFY), hooks (GIT_DIR)
    "LDAPTLS_",  # LDAPTLS_REQCERT=never
    "PIP_",  # where programs are installed from, and whether that is checked
    "XDG_",  # where programs look for their settings, like HOME
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
        "NODE_REPL_EXTERNAL_MODULE",
        "PERL5LIB",
        "PERL5OPT",
        "PERL5DB",
        "PERLLIB",
        "RUBYOPT",
        "RUBYLIB",
        "GEM_HOME",
        "GEM_PATH",
        "BUNDLE_GEMFILE",
        "JAVA_HOME",
        "JAVA_TOOL_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "_JAVA_OPTIONS",
        "JAVA_OPTS",
        "CATALINA_OPTS",
        "GRADLE_OPTS",
        "MAVEN_OPTS",
        "CLASSPATH",
        "PHPRC",
        "PHP_INI_SCAN_DIR",
        "ERL_FLAGS",
        "ERL_AFLAGS",
        "ERL_ZFLAGS",
        "ERL_LIBS",
        "DOTNET_STARTUP_HOOKS",
        "DOTNET_ADDITIONAL_DEPS",
        "DOTNET_SHARED_STORE",
        "DOTNET_ROOT",
        # trust: whom TLS believes, whether it checks at all, and where its keys are written
        "OPENSSL_CONF",
        "OPENSSL_MODULES",
        "OPENSSL_ENGINES",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "SSLKEYLOGFILE",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "AWS_CA_BUNDLE",
        "HTTPLIB2_CA_CERTS",
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
        "NODE_EXTRA_CA_CERTS",
        "NODE_TLS_REJECT_UNAUTHORIZED",
        "DENO_CERT",
        "DENO_TLS_CA_STORE",
        "PERL_LWP_SSL_CA_FILE",
        "PERL_LWP_SSL_CA_PATH",
        "PERL_LWP_SSL_VERIFY_HOSTNAME",
        "GODEBUG",
        # files that name servers and identities, some of them commands too
        "KUBECONFIG",
        "KUBERNETES_SERVICE_HOST",
        "KUBERNETES_SERVICE_PORT",
        "DOCKER_CONFIG",
        "DOCKER_HOST",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "KRB5_CONFIG",
        "LDAPCONF",
        "LDAPRC",
        "CURL_HOME",
        "WGETRC",
        "NETRC",
        # started as commands by common tools
        "EDITOR",
        "VISUAL",
        "PAGER",
        "BROWSER",
        "LESSOPEN",
        "LESSCLOSE",
        "MAKEFLAGS",
        "RSYNC_RSH",
        "SSH_ASKPASS",
        "SUDO_ASKPASS",
        "SVN_SSH",
        "TAR_OPTIONS",
        # Apollo's own names of what would redirect or impersonate the application
        "APOLLO_META",
        "APOLLO_CONFIG_SERVICE",
        "APOLLO_ACCESS_KEY_SECRET",
        "APOLLO_ACCESSKEY_SECRET",
    }
)

_ANY_CASE_PREFIXES = ("NPM_CONFIG_",)  # npm reads npm_config_registry in any case

_ANY_CASE = frozenset(
    {
        # where requests are sent through: curl reads http_proxy, Go HTTP_PROXY, Python even Http_Proxy
        "ALL_PROXY",
        "FTP_PROXY",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "RSYNC_PROXY",
        "SOCKS_PROXY",
        "WS_PROXY",
        "WSS_PROXY",
    }
)

CREDENTIALS = (
    "HELICON_ACCESS_KEY_SECRET",
    "HELICON_ACCESS_KEY_SECRET_FILE",
    "APOLLO_ACCESS_KEY_SECRET",
    "APOLLO_ACCESSKEY_SECRET",
    "HELICON_BOOTSTRAP_TOKEN",
    "HELICON_BOOTSTRAP_PASSWORD",
    "HELICON_MASTER_KEY",
    "HELICON_MASTER_KEY_FILE",
)
"""What lets somebody read the configuration, or rule the server where both share an environment: removed from
the program's environment unless asked for."""


def is_reserved(name: str) -> bool:
    """Says whether a variable name is denied to configuration.

    Case matters, as it does to the kernel, but for names that common readers take in any case.
    """
    if name in _EXACT or name.startswith(_PREFIXES):
        return True
    upper = name.upper()
    return upper in _ANY_CASE or upper.startswith(_ANY_CASE_PREFIXES)
