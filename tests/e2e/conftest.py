"""One local AWS for the tier, bootstrapped; the app's variants are synthesized beside it."""

from collections.abc import Iterator

import pytest

from localaws.aws import LocalAws
from localaws.cdk import Cdk
from tests.e2e.assemblies import Assemblies


@pytest.fixture(scope="session")
def assemblies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assemblies]:
    """Begin with the syntheses, one after another: they take one processor while the deployments mostly wait."""
    with Assemblies(tmp_path_factory.mktemp("assemblies")) as begun:
        yield begun


@pytest.fixture(scope="session")
def aws() -> Iterator[LocalAws]:
    with LocalAws.start() as started:
        yield started


@pytest.fixture(scope="session")
def cdk(assemblies: Assemblies, aws: LocalAws) -> Cdk:
    """Return the CLI on a bootstrapped account."""
    cli = Cdk(aws)
    cli.bootstrap()
    return cli
