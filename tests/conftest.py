"""The fixtures of several tiers, and the order in which the workers run the suite."""

import os
import signal

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped] # has no types

from localaws.certificates import CertificateAuthority

settings.register_profile("thousands")  # a test reads the name of the profile

# Powertools reads these variables when a handler is imported.
os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "PrivateDatabase"
os.environ["POWERTOOLS_SERVICE_NAME"] = "tests"

# A shell starts background jobs with SIGINT ignored. Processes that the tests start and interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The deployments take longest. The first worker runs them, and the other workers yield the processor to it.
if os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0":
    os.nice(5)

# The modules that continue with the stacks of one another, in this order.
DEPLOYMENTS = (
    *("test_deployments.py", "test_deployments_commands.py", "test_deployments_runbook.py"),
    *("test_deployments_that_fail.py", "test_destroying.py", "test_production.py"),
)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """Return the certificate authority of this session."""
    return CertificateAuthority(tmp_path_factory.mktemp("certificates"))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """Give each worker one part of the suite after another."""
    return _ByPart(config, log)


class _ByPart(LoadScopeScheduling):  # type: ignore[misc] # likewise
    """The division of the suite into parts: the tests of a part share what takes long to create.

    Most modules are a part of their own. The small modules of the units come last, so that all workers end together.
    Marks of xdist_group do not work, because xdist 3.8 writes them where pytest 9.2 does not look.
    """

    def _split_scope(self, nodeid: str) -> str:
        _, tier, module, *_ = nodeid.replace("::", "/").split("/")
        if tier == "e2e":
            return "deployments" if module in DEPLOYMENTS else "local AWS"
        if "[PostgreSQL " in nodeid:
            return "servers of all versions"
        return tier if tier == "infra" else f"{tier}/{module}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many cases each property test has tried."""
    reports = terminalreporter.getreports("passed")
    tried = sorted(str(value) for report in reports for name, value in report.user_properties if name == "tried")
    if tried:
        terminalreporter.section("tried")
        terminalreporter.write_line("\n".join(tried))
