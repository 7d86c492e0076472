"""What configuration may not set, and what the program does not inherit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from helicon.cli.reserved import CREDENTIALS, is_reserved
from tests.cli.fake_apollo import FakeApollo
from tests.cli.process import Cli

PAGE = Path(__file__).parents[3] / "docs" / "helicon-run.md"

DENIED = """
    PATH HOME LD_PRELOAD BASH_ENV GCONV_PATH XDG_CONFIG_HOME
    HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY FTP_PROXY http_proxy https_proxy all_proxy no_proxy ftp_proxy Http_Proxy
    REQUESTS_CA_BUNDLE CURL_CA_BUNDLE AWS_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS
    NODE_TLS_REJECT_UNAUTHORIZED KUBECONFIG PERL5LIB PERL5OPT RUBYOPT RUBYLIB
    JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS DOTNET_STARTUP_HOOKS CORECLR_PROFILER_PATH_64
    GIT_SSH_COMMAND GIT_SSL_NO_VERIFY GIT_CONFIG_COUNT GIT_DIR PIP_INDEX_URL npm_config_registry
    HELICON_META APOLLO_META
"""

FREE = "DB_URL HTTP_TIMEOUT PROXY APP_HTTP_PROXY PROXY_URL DIGIT_COUNT JAVA_VERSION NODE_ENV DOTNET_ENVIRONMENT TZ path"


@pytest.mark.parametrize("name", DENIED.split())
def test_is_reserved__name_that_redirects_or_executes__is_denied(name: str) -> None:
    assert is_reserved(name)


@pytest.mark.parametrize("name", FREE.split())
def test_is_reserved__name_of_an_application__is_free(name: str) -> None:
    assert not is_reserved(name)


def test_docs__every_reserved_name_of_the_page__is_denied() -> None:
    """The page's table, row by row; a `*` stands for the rest of a name."""
    section = PAGE.read_text().partition("Names that configuration may not set")[2].partition("\nOne `NAME=value`")[0]
    named = re.findall(r"`([A-Za-z0-9_*]+)`", "".join(line for line in section.splitlines() if line.startswith("| ")))

    assert len(named) > 50
    assert [name for name in named if not is_reserved(name.replace("*", "X"))] == []


@pytest.mark.parametrize("case", ["upper", "keep"])
def test_run__proxy_in_the_configuration__is_78_unless_allowed(case: str, server: FakeApollo, cli: Cli) -> None:
    server.publish({"http_proxy": "http://127.0.0.1:9", "node.tls.reject.unauthorized": "0"})
    name = "HTTP_PROXY" if case == "upper" else "http_proxy"
    flags = ["run", "--case", case]

    refused = cli(*flags, "true")
    allowed = cli(*flags, "--allow-reserved", name, "--exclude", "node.*", "--", "env", "-0")

    assert refused.code == 78
    assert f"{name} (key 'http_proxy' (application))" in refused.err
    assert allowed.variables()[name] == "http://127.0.0.1:9"


def test_run__secrets_of_the_client_and_of_the_server__do_not_reach_the_program(server: FakeApollo, cli: Cli) -> None:
    server.publish({})
    env: dict[str, str | None] = dict.fromkeys(CREDENTIALS, "s3cret")
    env["HELICON_ACCESS_KEY_SECRET_FILE"] = None  # one secret at a time

    stripped = cli("run", "--", "env", "-0", env=env)
    pristine = cli("run", "--pristine", "--pass", "HELICON_*", "--", "env", "-0", env=env)

    for result in (stripped, pristine):
        assert result.code == 0, result.err
        assert b"s3cret" not in result.out
    assert {"HELICON_BOOTSTRAP_TOKEN", "HELICON_BOOTSTRAP_PASSWORD", "HELICON_MASTER_KEY"} <= set(CREDENTIALS)
    assert "HELICON_MASTER_KEY_FILE" in CREDENTIALS
