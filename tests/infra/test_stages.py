"""What `prod` changes, and that it changes nothing else by accident."""

from collections import Counter

from aws_cdk import RemovalPolicy
from aws_cdk.assertions import Annotations, Match

from infra import settings
from infra.stack import PrivateDatabaseStack
from tests.infra.template import Synthesized, attribute


def test_the_stages_have_stacks_of_their_own(dev_stack: PrivateDatabaseStack, prod_stack: PrivateDatabaseStack) -> None:
    assert (dev_stack.stack_name, prod_stack.stack_name) == ("PrivateDatabase", "PrivateDatabaseProd")


def test_only_prod_is_protected_from_being_destroyed(
    dev_stack: PrivateDatabaseStack, prod_stack: PrivateDatabaseStack
) -> None:
    assert not dev_stack.termination_protection
    assert prod_stack.termination_protection


def test_the_database_of_prod_survives_a_zone_and_a_mistake(prod: Synthesized) -> None:
    instance = prod.resources[prod.id_of("AWS::RDS::DBInstance")]
    assert instance["Properties"]["MultiAZ"] is True
    assert instance["Properties"]["DeleteAutomatedBackups"] is False
    assert (instance["DeletionPolicy"], instance["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_prod_is_watched_every_minute(prod: Synthesized) -> None:
    instance = prod.only("AWS::RDS::DBInstance")
    assert instance["MonitoringInterval"] == 60
    assert instance["MonitoringRoleArn"] == attribute(prod.id_of("AWS::IAM::Role", "DatabaseInstanceMonitoring"), "Arn")


def test_a_first_deployment_can_be_rolled_back_because_the_protection_comes_last(prod: Synthesized) -> None:
    assert "DeletionProtection" not in prod.only("AWS::RDS::DBInstance")
    last = prod.id_of("Custom::DeletionProtection")
    assert prod.comes_after(last) == prod.resources.keys() - {last}
    assert prod.only("Custom::DeletionProtection")["DBInstanceIdentifier"] == {
        "Ref": prod.id_of("AWS::RDS::DBInstance")
    }
    assert prod.only("Custom::DeletionProtection")["Protected"] == "true"


def test_the_termination_protection_is_lifted_whatever_else_fails(prod: Synthesized) -> None:
    at_once = prod.id_of("Custom::TerminationProtection", "ProtectionTerminationAtOnce")
    (first,) = prod.of_type("Custom::TerminationProtection").keys() - {at_once}
    before = prod.comes_after(first)
    assert all(name.startswith("ProtectionF") for name in before)
    for name in prod.resources.keys() - before - {first, at_once}:
        assert first in prod.comes_after(name)


def test_the_termination_protection_is_lifted_before_the_rollback_can_fail(prod: Synthesized) -> None:
    """A resource is deleted once nothing depends on it any more; the last one of all does not exist in a rollback."""
    at_once = prod.id_of("Custom::TerminationProtection", "ProtectionTerminationAtOnce")
    waiting = {name for name in prod.resources if at_once in prod.comes_after(name)}
    assert waiting == {prod.id_of("Custom::DeletionProtection")}


def test_nothing_of_a_failed_first_deployment_takes_a_name_that_the_next_one_needs(prod: Synthesized) -> None:
    """CloudFormation gives the others new names in each stack; a log group has the name of such a function."""
    named = ("LogGroupName", "DBInstanceIdentifier", "Name", "FunctionName", "RoleName", "QueueName", "SecretName")
    kept = [resource for resource in prod.resources.values() if resource.get("DeletionPolicy", "Delete") != "Delete"]
    names = [found["Properties"][key] for found in kept for key in named if key in found["Properties"]]
    assert len(kept) > 10
    assert all(name["Fn::Join"][1][0] == "/aws/lambda/" and name["Fn::Join"][1][1]["Ref"] for name in names)


def test_prod_without_protection_is_deleted_with_a_final_snapshot() -> None:
    chosen = settings.parse({"stage": "prod", "protection": "off"})
    assert (chosen.termination_protection, chosen.database.deletion_protection) == (False, False)
    assert chosen.database.removal_policy is RemovalPolicy.SNAPSHOT
    assert chosen.database.keep_backups


def test_the_password_of_a_retained_database_is_kept_with_it(prod: Synthesized) -> None:
    secret = prod.resources[prod.id_of("AWS::SecretsManager::Secret")]
    assert (secret["DeletionPolicy"], secret["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_logs_of_prod_are_kept_for_half_a_year_and_beyond_the_stack(prod: Synthesized) -> None:
    groups = [found for found in prod.resources.values() if found["Type"] == "AWS::Logs::LogGroup"]
    assert {group["Properties"]["RetentionInDays"] for group in groups} == {180}
    assert {group["DeletionPolicy"] for group in groups} == {"Retain"}
    assert prod.only("Custom::DatabaseLogs")["RetentionInDays"] == "180"


def test_prod_has_the_resources_of_dev_and_those_of_protection_and_monitoring(
    dev: Synthesized, prod: Synthesized
) -> None:
    def kinds(template: Synthesized) -> Counter[str]:
        return Counter(resource["Type"] for resource in template.resources.values())

    own = [resource for name, resource in prod.resources.items() if name.startswith("Protection")]
    assert kinds(prod) - kinds(dev) == Counter([*(resource["Type"] for resource in own), "AWS::IAM::Role"])
    assert not kinds(dev) - kinds(prod)


def test_an_override_of_a_setting_holds_in_prod_too() -> None:
    chosen = settings.parse({"stage": "prod", "architecture": "x86_64", "querier-schedule": "rate(1 hour)"})
    assert chosen.functions.architecture is settings.Architecture.X86_64
    assert chosen.querier_schedule == "rate(1 hour)"


def test_synth_warns_once_that_the_alarms_notify_nobody(
    dev: Synthesized, dev_stack: PrivateDatabaseStack, prod_stack: PrivateDatabaseStack
) -> None:
    assert {alarm.get("AlarmActions") for alarm in dev.of_type("AWS::CloudWatch::Alarm").values()} == {None}
    for stack in (dev_stack, prod_stack):
        (warning,) = Annotations.from_stack(stack).find_warning("*", Match.any_value())
        assert "alarms of this stack notify nobody" in str(warning.entry.data)
