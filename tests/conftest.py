"""What several tiers of tests share."""

import os
from pathlib import Path

import pytest

from localaws.certificates import Certificates

# Powertools reads these when a handler is imported, as from a function's environment.
os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "PrivateDatabase"
os.environ["POWERTOOLS_SERVICE_NAME"] = "tests"


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return a certificate authority of this session's own."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each of three workers a part that takes about as long as the others, and starts its servers only once."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item.path)))


def _group(path: Path) -> str:
    if "e2e" in path.parts:
        return "deployments"
    return "interruptions" if path.stem in {"test_crashes", "test_cloudformation"} else "the rest"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what tests tried that tell how much they tried."""
    reports = terminalreporter.getreports("passed")
    tried = sorted(str(value) for report in reports for name, value in report.user_properties if name == "tried")
    if tried:
        terminalreporter.section("tried")
        terminalreporter.write_line("\n".join(tried))
