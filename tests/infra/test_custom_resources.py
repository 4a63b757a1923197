"""The properties of the custom resources, and their dependencies."""

import json

from infra.settings import PROJECT
from rds_alembic.revisions.alembic_project import AlembicProject
from tests.infra.template import Synthesized, attribute


def test_the_role_setup_gets_the_roles_and_the_identity_of_the_database(dev: Synthesized) -> None:
    properties = dev.properties("Custom::DatabaseRoles")
    instance = dev.id_of("AWS::RDS::DBInstance")
    identity = {
        "ResourceId": attribute(instance, "DbiResourceId"),
        "Endpoint": attribute(instance, "Endpoint.Address"),
        "Name": "app",
    }
    assert properties == {
        "ServiceToken": attribute(dev.id_of("AWS::Lambda::Function", "RolesProviderframework"), "Arn"),
        "ServiceTimeout": "900",
        "Owner": "app_owner",
        "Migrator": "migrator",
        "Users": ["querier"],
        "Reader": "reader",
        "ReaderReadsAll": "true",
        "RevokePublic": "true",
        "HandOverFrom": [],
        "HandBackTo": "",
        "Extensions": [],
        "Baseline": "",
        "BaselineDatabase": "",
        "Database": identity,
        "Rerun": "",
    }


def test_the_upgrade_gets_the_revisions_of_the_project_and_the_identity_of_the_database(dev: Synthesized) -> None:
    project = AlembicProject.read(PROJECT)
    assert dev.properties("Custom::AlembicUpgrade") == {
        "ServiceToken": attribute(dev.id_of("AWS::Lambda::Function", "UpgradeProviderframeworkonEvent"), "Arn"),
        "ServiceTimeout": "3600",
        "TimeoutSeconds": "3600",
        "MigrationsDigest": project.migrations_digest,
        "Revisions": list(project.revisions),
        "Database": dev.properties("Custom::DatabaseRoles")["Database"],
        "EnvironmentDigest": "",
        "Baseline": "",
        "BaselineDatabase": "",
        "AcceptDifferences": "",
        "AllowAhead": "",
        "Rerun": "",
    }


def test_the_role_setup_runs_before_the_upgrade(dev: Synthesized) -> None:
    assert dev.id_of("Custom::DatabaseRoles") in dev.depends_on(dev.id_of("Custom::AlembicUpgrade"))


def test_role_setup_and_upgrade_wait_for_the_database_and_the_rules_of_both_security_groups(dev: Synthesized) -> None:
    for resource, function in (
        ("Custom::DatabaseRoles", "RolesHandler"),
        ("Custom::AlembicUpgrade", "UpgradeMigrator"),
    ):
        group = attribute(dev.id_of("AWS::EC2::SecurityGroup", function), "GroupId")
        ingress = dev.of_type("AWS::EC2::SecurityGroupIngress")
        egress = dev.of_type("AWS::EC2::SecurityGroupEgress")
        expected = {dev.id_of("AWS::RDS::DBInstance"), dev.id_of("AWS::Lambda::Function", function)}
        expected |= {name for name, rule in ingress.items() if rule["SourceSecurityGroupId"] == group}
        expected |= {name for name, rule in egress.items() if rule["GroupId"] == group}
        assert len(expected) == 4
        assert expected <= dev.depends_on(dev.id_of(resource))


def test_the_functions_of_the_provider_framework_are_outside_the_vpc(dev: Synthesized) -> None:
    framework = [
        function
        for function in dev.of_type("AWS::Lambda::Function").values()
        if function["Handler"].startswith("framework.")
    ]
    assert len(framework) == 5
    assert not [function for function in framework if "VpcConfig" in function]


def test_the_upgrade_is_polled_every_five_seconds_for_an_hour(dev: Synthesized) -> None:
    parts = dev.properties("AWS::StepFunctions::StateMachine")["DefinitionString"]["Fn::Join"][1]
    definition = json.loads("".join(part if isinstance(part, str) else "arn" for part in parts))
    (retry,) = definition["States"]["framework-isComplete-task"]["Retry"]
    assert (retry["IntervalSeconds"], retry["MaxAttempts"], retry["BackoffRate"]) == (5, 720, 1)


def test_a_failed_upgrade_raises_an_alarm(dev: Synthesized) -> None:
    alarm = dev.properties("AWS::CloudWatch::Alarm", "UpgradeFailedAlarm")
    migrator = {"Ref": dev.id_of("AWS::Lambda::Function", "UpgradeMigrator")}
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("AWS/Lambda", "Errors", "Sum")
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": migrator}]
    assert (alarm["Threshold"], alarm["TreatMissingData"]) == (1, "notBreaching")
