"""The two custom resources: what they promise the handlers, and what they wait for."""

import json
from typing import Any

from syrupy.assertion import SnapshotAssertion

from infra.settings import PROJECT
from rds_alembic.revisions.alembic_project import AlembicProject
from tests.infra.template import Synthesized, attribute


def _contract(properties: dict[str, Any], **redacted: str) -> dict[str, Any]:
    return properties | {"ServiceToken": "<the framework's function>"} | redacted


def test_the_properties_of_the_roles_are_the_contract_with_their_handler(
    dev: Synthesized, snapshot: SnapshotAssertion
) -> None:
    properties = dev.only("Custom::DatabaseRoles")
    instance = dev.id_of("AWS::RDS::DBInstance")
    assert properties["Database"] == {
        "ResourceId": attribute(instance, "DbiResourceId"),
        "Endpoint": attribute(instance, "Endpoint.Address"),
        "Name": "app",
    }
    assert _contract(properties, Database="<identity>") == snapshot


def test_the_properties_of_the_upgrade_are_the_contract_with_its_handler(
    dev: Synthesized, snapshot: SnapshotAssertion
) -> None:
    properties = dev.only("Custom::AlembicUpgrade")
    assert len(properties["MigrationsDigest"]) == 64
    # Each new revision changes these two, which is their purpose and no change of the contract.
    assert _contract(properties, MigrationsDigest="<sha256>", Revisions="<ids>") == snapshot


def test_the_upgrade_lists_the_revisions_of_the_project(dev: Synthesized) -> None:
    history = AlembicProject.read(PROJECT)
    properties = dev.only("Custom::AlembicUpgrade")
    assert properties["Revisions"] == list(history.revisions)
    assert properties["MigrationsDigest"] == history.digest


def test_roles_come_before_the_upgrade(dev: Synthesized) -> None:
    assert dev.id_of("Custom::DatabaseRoles") in dev.depends_on(dev.id_of("Custom::AlembicUpgrade"))


def test_both_wait_for_the_database_and_for_the_rules_that_let_their_function_through(dev: Synthesized) -> None:
    for resource, function in (
        ("Custom::DatabaseRoles", "RolesFunction"),
        ("Custom::AlembicUpgrade", "UpgradeMigrator"),
    ):
        group = attribute(dev.id_of("AWS::EC2::SecurityGroup", function), "GroupId")
        ingress = dev.of_type("AWS::EC2::SecurityGroupIngress")
        egress = dev.of_type("AWS::EC2::SecurityGroupEgress")
        needed = {dev.id_of("AWS::RDS::DBInstance"), dev.id_of("AWS::Lambda::Function", function)}
        needed |= {name for name, rule in ingress.items() if rule["SourceSecurityGroupId"] == group}
        needed |= {name for name, rule in egress.items() if rule["GroupId"] == group}
        assert len(needed) == 4
        assert needed <= dev.depends_on(dev.id_of(resource))


def test_cloudformation_waits_a_quarter_of_an_hour_for_roles_and_an_hour_for_the_upgrade(dev: Synthesized) -> None:
    assert dev.only("Custom::DatabaseRoles")["ServiceTimeout"] == "900"
    assert dev.only("Custom::AlembicUpgrade")["ServiceTimeout"] == "3600"


def test_the_frameworks_functions_stand_outside_the_vpc(dev: Synthesized) -> None:
    framework = [
        function
        for function in dev.of_type("AWS::Lambda::Function").values()
        if function["Handler"].startswith("framework.")
    ]
    assert len(framework) == 5
    assert not [function for function in framework if "VpcConfig" in function]


def test_the_upgrade_is_polled_every_five_seconds_for_an_hour(dev: Synthesized) -> None:
    parts = dev.only("AWS::StepFunctions::StateMachine")["DefinitionString"]["Fn::Join"][1]
    definition = json.loads("".join(part if isinstance(part, str) else "arn" for part in parts))
    (retry,) = definition["States"]["framework-isComplete-task"]["Retry"]
    assert (retry["IntervalSeconds"], retry["MaxAttempts"], retry["BackoffRate"]) == (5, 720, 1)


def test_a_failed_migration_rings(dev: Synthesized) -> None:
    alarm = dev.only("AWS::CloudWatch::Alarm", "UpgradeFailedAlarm")
    migrator = {"Ref": dev.id_of("AWS::Lambda::Function", "UpgradeMigrator")}
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("AWS/Lambda", "Errors", "Sum")
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": migrator}]
    assert (alarm["Threshold"], alarm["TreatMissingData"]) == (1, "notBreaching")
