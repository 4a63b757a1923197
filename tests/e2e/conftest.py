"""The local AWS of this tier, and the stack that its tests deploy."""

import time
from collections.abc import Iterator

import pytest

from localaws.aws import LocalAws
from localaws.cdk import Cdk
from tests.e2e.assemblies import Assemblies
from tests.e2e.stack import Deployed, status


@pytest.fixture(scope="session")
def assemblies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assemblies]:
    """Synthesize the assemblies in the background, in the order of their deployment."""
    with Assemblies(tmp_path_factory.mktemp("assemblies")) as begun:
        yield begun


@pytest.fixture(scope="session")
def aws() -> Iterator[LocalAws]:
    with LocalAws.start() as started:
        yield started


@pytest.fixture(scope="session")
def cdk(assemblies: Assemblies, aws: LocalAws) -> Cdk:
    """Bootstrap the account and return the CLI."""
    cli = Cdk(aws)
    cli.bootstrap()
    return cli


@pytest.fixture(scope="session")
def created(aws: LocalAws, cdk: Cdk, assemblies: Assemblies) -> Iterator[Deployed]:
    """Deploy the stack for the first time. The modules about deployments continue with it, one after another."""
    outputs = cdk.deploy(assemblies["first"])
    yield Deployed(outputs, time.monotonic())
    if status(aws):
        cdk.destroy(assemblies["first"])


@pytest.fixture(scope="session")
def upgraded(created: Deployed, cdk: Cdk, assemblies: Assemblies) -> dict[str, str]:
    """Deploy a second revision."""
    return cdk.deploy(assemblies["second"])
