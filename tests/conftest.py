"""What several tiers of tests share."""

import os

import pytest

from localaws.certificates import Certificates

# Powertools reads these when a handler is imported, as from a function's environment.
os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "PrivateDatabase"
os.environ["POWERTOOLS_SERVICE_NAME"] = "tests"


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return a certificate authority of this session's own."""
    return Certificates(tmp_path_factory.mktemp("certificates"))
