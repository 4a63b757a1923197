"""Checks of the templates by cdk-nag and cfn-lint, and the feature flags that CDK recommends."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Stack
from aws_cdk import aws_sqs as sqs
from cdk_nag import AwsSolutionsChecks
from cfnlint.api import lint  # type: ignore[import-untyped]  # the package has annotations and no py.typed

from app import create_app
from infra.settings import PROJECT
from infra.stack import PrivateDatabaseStack
from tests.infra.template import Synthesized, attribute


def test_cdk_nag_has_no_findings_in_dev(dev_stack: PrivateDatabaseStack) -> None:
    assert AwsSolutionsChecks().validate_scope(dev_stack).violations == []


def test_cdk_nag_has_no_findings_in_prod(prod_stack: PrivateDatabaseStack) -> None:
    assert AwsSolutionsChecks().validate_scope(prod_stack).violations == []


def test_a_finding_of_cdk_nag_fails_the_synth_of_the_app() -> None:
    app = create_app({})
    (stack,) = [child for child in app.node.children if isinstance(child, Stack)]
    sqs.Queue(stack, "Unencrypted", encryption=sqs.QueueEncryption.UNENCRYPTED)
    with pytest.raises(RuntimeError, match="AwsSolutions-SQS4"):
        app.synth()


def test_cfn_lint_has_no_errors_in_prod(prod: Synthesized) -> None:
    """The template of prod has all resources of dev."""
    matches = lint(json.dumps(prod.body), regions=["eu-central-1"])
    assert [str(match) for match in matches if match.rule.severity == "error"] == []


def test_all_recommended_feature_flags_are_set(tmp_path: Path) -> None:
    cdk = PROJECT / "node_modules" / ".bin" / "cdk"
    subprocess.run(
        [cdk, "init", "app", "--language", "python", "--generate-only"],
        cwd=tmp_path,
        env=os.environ | {"HOME": str(tmp_path), "CDK_DISABLE_CLI_TELEMETRY": "1"},
        check=True,
        capture_output=True,
    )
    recommended: dict[str, Any] = json.loads((tmp_path / "cdk.json").read_text())["context"]
    assert recommended
    assert json.loads((PROJECT / "cdk.json").read_text())["context"] == recommended


def test_the_stack_outputs_the_names_of_its_resources(dev: Synthesized) -> None:
    outputs = {name: output["Value"] for name, output in dev.body["Outputs"].items()}
    assert outputs["DatabaseEndpoint"] == attribute(dev.id_of("AWS::RDS::DBInstance"), "Endpoint.Address")
    assert outputs["DatabaseName"] == dev.properties("AWS::RDS::DBInstance")["DBName"]
    assert outputs["QuerierFunction"] == {"Ref": dev.id_of("AWS::Lambda::Function", "QuerierHandler")}
    assert outputs["DeadLetterQueue"] == {"Ref": dev.id_of("AWS::SQS::Queue")}


def test_the_stack_outputs_the_result_of_the_upgrade(dev: Synthesized) -> None:
    upgrade = dev.id_of("Custom::AlembicUpgrade")
    for output, name in {
        "Revision": "Revision",
        "RevisionsApplied": "RevisionsApplied",
        "UpgradeSeconds": "Seconds",
        "Schema": "Schema",
    }.items():
        assert dev.body["Outputs"][output]["Value"] == attribute(upgrade, name)
