"""Turns a skip or an expected failure into a red run when CI=true: CI proves only what it runs."""

from __future__ import annotations

import os

import pytest


class NoSkips:
    """Collects the tests that did not run to their end and fails the session for them."""

    def __init__(self) -> None:
        self.unproven: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if hasattr(report, "wasxfail"):
            self.unproven[report.nodeid] = f"expected to fail: {report.wasxfail or 'no reason given'}"
        elif report.skipped:
            self.unproven[report.nodeid] = _reason(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.unproven[report.nodeid] = _reason(report)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int | pytest.ExitCode) -> None:
        if self.unproven and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.unproven:
            return
        terminalreporter.section("skipped in CI, which counts as failed", red=True, bold=True)
        for nodeid, reason in sorted(self.unproven.items()):
            terminalreporter.line(f"{nodeid}: {reason}", red=True)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    detail = report.longrepr
    return str(detail[2]) if isinstance(detail, tuple) else str(detail)


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("CI") == "true":
        config.pluginmanager.register(NoSkips(), "helicon-no-skips")
