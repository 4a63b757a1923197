"""What `prod` changes, and that it changes nothing else by accident."""

from aws_cdk.assertions import Annotations, Match

from infra import settings
from infra.stack import PrivateDatabaseStack
from tests.infra.template import Synthesized


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
    assert instance["Properties"]["DeletionProtection"] is True
    assert instance["Properties"]["DeleteAutomatedBackups"] is False
    assert (instance["DeletionPolicy"], instance["UpdateReplacePolicy"]) == ("Snapshot", "Snapshot")


def test_the_password_of_a_snapshot_is_kept_with_it(prod: Synthesized) -> None:
    secret = prod.resources[prod.id_of("AWS::SecretsManager::Secret")]
    assert (secret["DeletionPolicy"], secret["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_logs_of_prod_are_kept_for_half_a_year_and_beyond_the_stack(prod: Synthesized) -> None:
    groups = [found for found in prod.resources.values() if found["Type"] == "AWS::Logs::LogGroup"]
    assert {group["Properties"]["RetentionInDays"] for group in groups} == {180}
    assert {group["DeletionPolicy"] for group in groups} == {"Retain"}


def test_the_stages_have_the_same_resources(dev: Synthesized, prod: Synthesized) -> None:
    def kinds(template: Synthesized) -> list[str]:
        return sorted(found["Type"] for found in template.resources.values())

    assert kinds(dev) == kinds(prod)


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
