"""The differences between the stages `dev` and `prod`."""

from collections import Counter

from aws_cdk import RemovalPolicy

from infra.context import parse
from infra.stack import PrivateDatabaseStack
from tests.infra.template import Synthesized, attribute


def test_each_stage_has_its_own_stack(dev_stack: PrivateDatabaseStack, prod_stack: PrivateDatabaseStack) -> None:
    assert (dev_stack.stack_name, prod_stack.stack_name) == ("PrivateDatabase", "PrivateDatabaseProd")


def test_only_prod_has_termination_protection(
    dev_stack: PrivateDatabaseStack, prod_stack: PrivateDatabaseStack
) -> None:
    assert not dev_stack.termination_protection
    assert prod_stack.termination_protection


def test_the_database_of_prod_has_two_zones_and_is_retained(prod: Synthesized) -> None:
    instance = prod.resources[prod.id_of("AWS::RDS::DBInstance")]
    assert instance["Properties"]["MultiAZ"] is True
    assert instance["Properties"]["DeleteAutomatedBackups"] is False
    assert (instance["DeletionPolicy"], instance["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_prod_has_enhanced_monitoring_every_minute(prod: Synthesized) -> None:
    instance = prod.properties("AWS::RDS::DBInstance")
    assert instance["MonitoringInterval"] == 60
    assert instance["MonitoringRoleArn"] == attribute(prod.id_of("AWS::IAM::Role", "DatabaseInstanceMonitoring"), "Arn")


def test_the_database_is_protected_last_so_that_a_first_deployment_can_be_rolled_back(prod: Synthesized) -> None:
    assert "DeletionProtection" not in prod.properties("AWS::RDS::DBInstance")
    last = prod.id_of("Custom::DeletionProtection")
    assert prod.dependencies(last) == prod.resources.keys() - {last}
    assert prod.properties("Custom::DeletionProtection")["DBInstanceIdentifier"] == {
        "Ref": prod.id_of("AWS::RDS::DBInstance")
    }
    assert prod.properties("Custom::DeletionProtection")["Protected"] == "true"


def test_every_resource_is_created_after_the_one_that_removes_the_termination_protection(prod: Synthesized) -> None:
    at_once = prod.id_of("Custom::TerminationProtection", "ProtectionTerminationAtOnce")
    (first,) = prod.of_type("Custom::TerminationProtection").keys() - {at_once}
    before = prod.dependencies(first)
    assert all(name.startswith(("ProtectionHandler", "ProtectionProvider")) for name in before)
    for name in prod.resources.keys() - before - {first, at_once}:
        assert first in prod.dependencies(name)


def test_only_the_last_resource_depends_on_the_one_that_removes_the_protection_at_once(prod: Synthesized) -> None:
    """CloudFormation deletes it first in a rollback, because the last resource does not exist then."""
    at_once = prod.id_of("Custom::TerminationProtection", "ProtectionTerminationAtOnce")
    dependents = {name for name in prod.resources if at_once in prod.dependencies(name)}
    assert dependents == {prod.id_of("Custom::DeletionProtection")}


def test_no_retained_resource_has_a_name_that_the_next_deployment_needs(prod: Synthesized) -> None:
    """A log group has the name of its function, and CloudFormation generates a new name for it in each stack."""
    named = ("LogGroupName", "DBInstanceIdentifier", "Name", "FunctionName", "RoleName", "QueueName", "SecretName")
    retained = [
        resource for resource in prod.resources.values() if resource.get("DeletionPolicy", "Delete") != "Delete"
    ]
    names = [resource["Properties"][key] for resource in retained for key in named if key in resource["Properties"]]
    assert len(retained) > 10
    assert all(name["Fn::Join"][1][0] == "/aws/lambda/" and name["Fn::Join"][1][1]["Ref"] for name in names)


def test_prod_without_protection_is_deleted_with_a_final_snapshot() -> None:
    settings = parse({"stage": "prod", "protection": "off"})
    assert (settings.termination_protection, settings.database.deletion_protection) == (False, False)
    assert settings.database.removal_policy is RemovalPolicy.SNAPSHOT
    assert settings.database.keep_backups


def test_the_secret_of_a_retained_database_is_retained(prod: Synthesized) -> None:
    secret = prod.resources[prod.id_of("AWS::SecretsManager::Secret")]
    assert (secret["DeletionPolicy"], secret["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_logs_of_prod_are_retained_for_half_a_year_and_after_the_deletion_of_the_stack(prod: Synthesized) -> None:
    groups = [resource for resource in prod.resources.values() if resource["Type"] == "AWS::Logs::LogGroup"]
    assert {group["Properties"]["RetentionInDays"] for group in groups} == {180}
    assert {group["DeletionPolicy"] for group in groups} == {"Retain"}
    assert prod.properties("Custom::DatabaseLogs")["RetentionInDays"] == "180"


def test_prod_has_the_resources_of_dev_and_those_of_protection_and_monitoring(
    dev: Synthesized, prod: Synthesized
) -> None:
    def types(template: Synthesized) -> Counter[str]:
        return Counter(resource["Type"] for resource in template.resources.values())

    protection = [resource for name, resource in prod.resources.items() if name.startswith("Protection")]
    assert types(prod) - types(dev) == Counter([*(resource["Type"] for resource in protection), "AWS::IAM::Role"])
    assert not types(dev) - types(prod)


def test_a_setting_of_the_context_is_used_in_prod() -> None:
    settings = parse({"stage": "prod", "architecture": "x86_64", "querier-schedule": "rate(1 hour)"})
    assert settings.architecture.name == "x86_64"
    assert settings.querier_schedule == "rate(1 hour)"
