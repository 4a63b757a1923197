import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Environment
from aws_cdk.assertions import Template

from infra.context import parse
from infra.settings import PROJECT
from infra.stack import PrivateDatabaseStack
from tests.infra.template import Synthesized


def _stack(stage: str, outdir: Path) -> PrivateDatabaseStack:
    flags: dict[str, Any] = json.loads((PROJECT / "cdk.json").read_text())["context"]
    settings = parse({"stage": stage})
    app = App(context=flags, outdir=str(outdir), analytics_reporting=False)
    return PrivateDatabaseStack(app, settings.stack_name, settings=settings, env=Environment(region=settings.region))


@pytest.fixture(scope="session")
def dev_stack(tmp_path_factory: pytest.TempPathFactory) -> PrivateDatabaseStack:
    return _stack("dev", tmp_path_factory.mktemp("dev"))


@pytest.fixture(scope="session")
def prod_stack(tmp_path_factory: pytest.TempPathFactory) -> PrivateDatabaseStack:
    return _stack("prod", tmp_path_factory.mktemp("prod"))


@pytest.fixture(scope="session")
def dev(dev_stack: PrivateDatabaseStack) -> Synthesized:
    return Synthesized(Template.from_stack(dev_stack).to_json())


@pytest.fixture(scope="session")
def prod(prod_stack: PrivateDatabaseStack) -> Synthesized:
    return Synthesized(Template.from_stack(prod_stack).to_json())
