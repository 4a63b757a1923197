"""What several tiers of tests share."""

import os
import signal

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped] # has no types

from localaws.certificates import CertificateAuthority

# Powertools reads these when a handler is imported, as from a function's environment.
os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "PrivateDatabase"
os.environ["POWERTOOLS_SERVICE_NAME"] = "tests"

# What runs in the background of a shell ignores Ctrl-C, and so would the processes that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The deployments, which come first and so to the first worker, take longest: the others step back for them.
if os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0":
    os.nice(5)

# The modules that share deployed stacks, and so must run one after the other.
DEPLOYMENTS = ("test_deployments.py", "test_deployments_that_fail.py", "test_destroying.py", "test_production.py")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """Return a certificate authority of this session's own."""
    return CertificateAuthority(tmp_path_factory.mktemp("certificates"))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """Give a worker one part after the other: those that share what is slow to make stay together."""
    return _ByPart(config, log)


class _ByPart(LoadScopeScheduling):  # type: ignore[misc] # likewise
    """The parts are the tiers, and the modules of the two slow tiers. The tests of the local AWS are one part.

    Marks of xdist_group would say the same, but xdist 3.8 writes them where pytest 9.2 does not look.
    """

    def _split_scope(self, nodeid: str) -> str:
        _, tier, module, *_ = nodeid.replace("::", "/").split("/")
        if tier == "e2e" and module not in DEPLOYMENTS:
            return "local AWS"
        return module if tier in {"postgres", "tools"} else tier


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what tests tried that tell how much they tried."""
    reports = terminalreporter.getreports("passed")
    tried = sorted(str(value) for report in reports for name, value in report.user_properties if name == "tried")
    if tried:
        terminalreporter.section("tried")
        terminalreporter.write_line("\n".join(tried))
