"""Exactly who may do what: the emulator evaluates the policies, these tests say what they must be."""

from typing import Any

import pytest

from tests.infra.template import Synthesized, attribute, listed

UPGRADE_FRAMEWORK = [f"UpgradeFrameworkframework{part}" for part in ("onEvent", "isComplete", "onTimeout")]
OUR_FUNCTIONS = (
    *("RolesFunction", "UpgradeChecker", "UpgradeMigrator", "QuerierFunction", "DatabaseLogsFunction"),
    "ProtectionFunction",
)


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
    functions = ("UpgradeChecker", "RolesFunction", "DatabaseLogsFunction")
    own_stack = [{"Ref": "AWS::StackId"}]
    assert dev.who_may("cloudformation:DescribeStacks") == {dev.role_of(name): own_stack for name in functions}


def test_no_policy_allows_all_actions_of_a_service_or_database_logins_by_wildcard(dev: Synthesized) -> None:
    actions = [action for _, statement in dev.statements() for action in listed(statement["Action"])]
    assert not [action for action in actions if "*" in action]


def test_a_wildcard_resource_is_for_x_ray_alone(dev: Synthesized) -> None:
    anywhere = {
        action
        for _, statement in dev.statements()
        if statement["Effect"] == "Allow" and "*" in listed(statement["Resource"])
        for action in listed(statement["Action"])
    }
    assert anywhere == {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}


def test_functions_share_no_role(prod: Synthesized) -> None:
    assert len({prod.role_of(prefix) for prefix in OUR_FUNCTIONS}) == len(OUR_FUNCTIONS)


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


def test_the_protection_is_lifted_by_one_function_for_this_stack_and_this_database(prod: Synthesized) -> None:
    function = prod.role_of("ProtectionFunction")
    assert prod.who_may("cloudformation:UpdateTerminationProtection") == {function: [{"Ref": "AWS::StackId"}]}
    may_modify = prod.who_may("rds:ModifyDBInstance")
    assert list(may_modify) == [function]
    (instance,) = may_modify[function]
    assert instance["Fn::Join"][1][-1] == {"Ref": prod.id_of("AWS::RDS::DBInstance")}
    assert not prod.who_may("rds:DeleteDBInstance")


def test_dev_has_nothing_that_could_lift_a_protection(dev: Synthesized) -> None:
    assert not dev.who_may("cloudformation:UpdateTerminationProtection")
    assert not dev.who_may("rds:ModifyDBInstance")


def test_the_retention_of_logs_is_set_for_those_of_the_database_alone(dev: Synthesized) -> None:
    allowed = dev.who_may("logs:PutRetentionPolicy")
    assert list(allowed) == [dev.role_of("DatabaseLogsFunction")]
    instance = {"Ref": dev.id_of("AWS::RDS::DBInstance")}
    (groups,) = allowed.values()
    assert all(instance in group["Fn::Join"][1] for group in groups)


def test_the_scheduler_takes_the_role_for_this_account_only(dev: Synthesized) -> None:
    (statement,) = dev.only("AWS::IAM::Role", "QuerierSchedulerRole")["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
