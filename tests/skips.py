"""A pytest plugin: what was skipped is said at the end, and `--no-skips` allows none but for the lack of a GPU."""

from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest

NO_SKIPS, SKIPPED_TO = "--no-skips", "--skipped-to"
REMEDY = "'make test-packages' brings what the skipped tests need, save for a GPU (as root or with sudo, on Debian)"
ALLOWED = "gpu"
"""In the reason of a skip that CI allows, whatever its case."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("skips")
    group.addoption(NO_SKIPS, action="store_true", help="fail where a test is skipped, unless its reason names a GPU")
    group.addoption(SKIPPED_TO, type=Path, metavar="FILE", help="append what was skipped to FILE")


class Skips:
    """Collects the reasons of skips, and with `forbidden` makes failures of those that name no GPU."""

    def __init__(self, forbidden: bool, file: Path | None) -> None:
        self._forbidden = forbidden
        self._file = file
        self._reasons: Counter[str] = Counter()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """A test, or the fixture of one, that skips."""
        report = yield
        self._judge(report)
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """A file of tests that skips as a whole."""
        report = yield
        self._judge(report)
        return report

    def _judge(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.outcome != "skipped" or hasattr(report, "wasxfail"):
            return
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = " ".join(reason.removeprefix("Skipped: ").split())
        self._reasons[reason] += 1
        if self._forbidden and ALLOWED not in reason.lower():
            report.outcome = "failed"
            report.longrepr = f"{report.nodeid} was skipped, which {NO_SKIPS} forbids: {reason}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was skipped, and what to do about it."""
        lines = [f"{count:4} skipped: {reason}" for reason, count in sorted(self._reasons.items())]
        if not lines:
            return
        if self._file:
            with self._file.open("a", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in lines)
        terminalreporter.section("skipped")
        for line in [*lines, REMEDY]:
            terminalreporter.line(line)


def pytest_configure(config: pytest.Config) -> None:
    """Begin to collect."""
    config.pluginmanager.register(Skips(config.getoption(NO_SKIPS), config.getoption(SKIPPED_TO)), "clipdepth-skips")
