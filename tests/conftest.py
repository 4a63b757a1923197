"""What several tiers of tests share."""

import os
import signal
from pathlib import Path

import pytest

from localaws.certificates import Certificates

# Powertools reads these when a handler is imported, as from a function's environment.
os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "PrivateDatabase"
os.environ["POWERTOOLS_SERVICE_NAME"] = "tests"


TESTS = Path(__file__).parent

# What runs in the background of a shell ignores Ctrl-C, and so would the processes that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The deployments, which come first and so to the first worker, take longest: the others step back for them.
if os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0":
    os.nice(5)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return a certificate authority of this session's own."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give a worker one part after the other: those that share what is slow to make stay together."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item.path)))


def _group(path: Path) -> str:
    tier = path.relative_to(TESTS).parts[0]
    return path.stem if tier == "postgres" else tier


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what tests tried that tell how much they tried."""
    reports = terminalreporter.getreports("passed")
    tried = sorted(str(value) for report in reports for name, value in report.user_properties if name == "tried")
    if tried:
        terminalreporter.section("tried")
        terminalreporter.write_line("\n".join(tried))
