"""Checks of others on the templates: cdk-nag, cfn-lint, and the flags that CDK recommends."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack, Validations
from aws_cdk import aws_sqs as sqs
from cdk_nag import AwsSolutionsChecks
from cfnlint.api import lint  # type: ignore[import-untyped]  # it has annotations, but does not say so

from infra.settings import PROJECT
from infra.stack import PrivateDatabaseStack
from tests.infra.template import Synthesized


def test_cdk_nag_has_nothing_to_say_about_dev(dev_stack: PrivateDatabaseStack) -> None:
    assert AwsSolutionsChecks().validate_scope(dev_stack).violations == []


def test_cdk_nag_has_nothing_to_say_about_prod(prod_stack: PrivateDatabaseStack) -> None:
    assert AwsSolutionsChecks().validate_scope(prod_stack).violations == []


def test_a_finding_of_cdk_nag_fails_the_synth() -> None:
    app = App()
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    sqs.Queue(Stack(app, "Careless"), "Queue", encryption=sqs.QueueEncryption.UNENCRYPTED)
    with pytest.raises(RuntimeError, match="AwsSolutions-SQS4"):
        app.synth()


def test_the_app_has_cdk_nag_plugged_in() -> None:
    assert "add_plugins(AwsSolutionsChecks(app))" in (PROJECT / "app.py").read_text()


def test_cfn_lint_finds_no_error(prod: Synthesized) -> None:
    """The template of prod has all that dev's has, and more."""
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
    assert json.loads((PROJECT / "cdk.json").read_text())["context"] == recommended
    assert len(recommended) == 89


@pytest.mark.parametrize("output", ["DatabaseEndpoint", "DatabaseName", "DeadLetterQueue", "QuerierFunction"])
def test_the_stack_says_where_things_are(dev: Synthesized, output: str) -> None:
    assert output in dev.body["Outputs"]


def test_the_stack_says_what_was_migrated(dev: Synthesized) -> None:
    upgrade = dev.id_of("Custom::AlembicUpgrade")
    for output, attribute in {
        "Revision": "Revision",
        "RevisionsApplied": "RevisionsApplied",
        "UpgradeSeconds": "Seconds",
    }.items():
        assert dev.body["Outputs"][output]["Value"] == {"Fn::GetAtt": [upgrade, attribute]}
