"""One local AWS for the tier, bootstrapped, with one stack; the app's variants are synthesized beside it."""

import time
from collections.abc import Iterator

import pytest

from localaws.aws import LocalAws
from localaws.cdk import Cdk
from tests.e2e.assemblies import Assemblies
from tests.e2e.stack import Deployed, status


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


@pytest.fixture(scope="session")
def created(aws: LocalAws, cdk: Cdk, assemblies: Assemblies) -> Iterator[Deployed]:
    """Deploy the stack for the first time; every module about deployments goes on from where the last one left it."""
    outputs = cdk.deploy(assemblies["first"])
    yield Deployed(outputs, time.monotonic())
    if status(aws):
        cdk.destroy(assemblies["first"])


@pytest.fixture(scope="session")
def upgraded(created: Deployed, cdk: Cdk, assemblies: Assemblies) -> dict[str, str]:
    """Deploy a second revision."""
    return cdk.deploy(assemblies["second"])
