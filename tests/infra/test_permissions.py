"""Exactly who may do what: the emulator evaluates the policies, these tests say what they must be."""

from typing import Any

import pytest

from tests.infra.template import Synthesized, attribute, listed

UPGRADE_FRAMEWORK = [f"UpgradeFrameworkframework{part}" for part in ("onEvent", "isComplete", "onTimeout")]
OUR_FUNCTIONS = ("RolesFunction", "UpgradeChecker", "UpgradeMigrator", "QuerierFunction")


def _login_as(template: Synthesized, user: str) -> Any:
    resource_id = attribute(template.id_of("AWS::RDS::DBInstance"), "DbiResourceId")
    parts = ["arn:aws:rds-db:eu-central-1:", {"Ref": "AWS::AccountId"}, ":dbuser:", resource_id, f"/{user}"]
    return {"Fn::Join": ["", parts]}


def test_each_function_may_log_in_as_its_own_user_and_nobody_else_may_log_in(dev: Synthesized) -> None:
    assert dev.who_may("rds-db:connect") == {
        dev.role_of("RolesFunction"): [_login_as(dev, "postgres")],
        dev.role_of("UpgradeMigrator"): [_login_as(dev, "migrator")],
        dev.role_of("QuerierFunction"): [_login_as(dev, "querier")],
    }


def test_only_the_roles_function_reads_the_master_secret(dev: Synthesized) -> None:
    secret = {"Ref": dev.id_of("AWS::SecretsManager::Secret")}
    assert dev.who_may("secretsmanager:GetSecretValue") == {dev.role_of("RolesFunction"): [secret]}
    assert not dev.of_type("AWS::SecretsManager::ResourcePolicy")


def test_the_functions_that_recognise_a_rollback_ask_for_the_status_of_their_own_stack_only(dev: Synthesized) -> None:
    functions = ("UpgradeChecker", "RolesFunction")
    own_stack = [{"Ref": "AWS::StackId"}]
    assert dev.who_may("cloudformation:DescribeStacks") == {dev.role_of(name): own_stack for name in functions}


def test_no_policy_allows_all_actions_of_a_service_or_database_logins_by_wildcard(dev: Synthesized) -> None:
    actions = [action for _, statement in dev.statements() for action in listed(statement["Action"])]
    assert not [action for action in actions if "*" in action]


def test_a_wildcard_resource_is_for_x_ray_alone(dev: Synthesized) -> None:
    anywhere = {
        action
        for _, statement in dev.statements()
        if "*" in listed(statement["Resource"])
        for action in listed(statement["Action"])
    }
    assert anywhere == {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}


def test_functions_share_no_role(dev: Synthesized) -> None:
    assert len({dev.role_of(prefix) for prefix in OUR_FUNCTIONS}) == len(OUR_FUNCTIONS)


@pytest.mark.parametrize(
    ("function", "callers"),
    [
        ("RolesFunction", ["RolesFrameworkframeworkonEvent"]),
        ("UpgradeChecker", UPGRADE_FRAMEWORK),
        ("UpgradeMigrator", UPGRADE_FRAMEWORK),
        ("QuerierFunction", ["QuerierSchedulerRole"]),
    ],
)
def test_only_its_framework_or_its_schedule_invokes_a_function(
    dev: Synthesized, function: str, callers: list[str]
) -> None:
    arn = attribute(dev.id_of("AWS::Lambda::Function", function), "Arn")
    allowed = {role for role, resources in dev.who_may("lambda:InvokeFunction").items() if arn in resources}
    assert allowed == {dev.id_of("AWS::IAM::Role", caller) for caller in callers}
    assert not dev.of_type("AWS::Lambda::Permission")


def test_the_scheduler_takes_the_role_for_this_account_only(dev: Synthesized) -> None:
    (statement,) = dev.only("AWS::IAM::Role", "QuerierSchedulerRole")["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
