"""The permissions of every role. The local AWS evaluates the policies, and these tests compare them with the design."""

from typing import Any

import pytest

from tests.infra.template import Synthesized, attribute, listed

UPGRADE_PROVIDER = [f"UpgradeProviderframework{part}" for part in ("onEvent", "isComplete", "onTimeout")]
HANDLERS = (
    *("RolesHandler", "UpgradeOnEvent", "UpgradeMigrator", "QuerierHandler", "DatabaseLogsHandler"),
    *("ProtectionHandler", "OperationsRead", "OperationsChange"),
)


def _login_as(template: Synthesized, user: str) -> Any:
    resource_id = attribute(template.id_of("AWS::RDS::DBInstance"), "DbiResourceId")
    parts = ["arn:aws:rds-db:eu-central-1:", {"Ref": "AWS::AccountId"}, ":dbuser:", resource_id, f"/{user}"]
    return {"Fn::Join": ["", parts]}


def test_each_function_may_log_in_as_one_user_and_no_other_role_may_log_in(dev: Synthesized) -> None:
    assert dev.roles_allowed("rds-db:connect") == {
        dev.role_of("RolesHandler"): [_login_as(dev, "postgres")],
        dev.role_of("UpgradeMigrator"): [_login_as(dev, "migrator")],
        dev.role_of("OperationsRead"): [_login_as(dev, "reader")],
        dev.role_of("OperationsChange"): [_login_as(dev, "migrator")],
        dev.role_of("QuerierHandler"): [_login_as(dev, "querier")],
    }


def test_only_the_role_setup_may_read_the_master_secret(dev: Synthesized) -> None:
    secret = {"Ref": dev.id_of("AWS::SecretsManager::Secret")}
    assert dev.roles_allowed("secretsmanager:GetSecretValue") == {dev.role_of("RolesHandler"): [secret]}
    assert not dev.of_type("AWS::SecretsManager::ResourcePolicy")


def test_the_functions_that_recognise_a_rollback_may_describe_only_their_own_stack(dev: Synthesized) -> None:
    functions = ("UpgradeOnEvent", "RolesHandler", "DatabaseLogsHandler")
    own_stack = [{"Ref": "AWS::StackId"}]
    assert dev.roles_allowed("cloudformation:DescribeStacks") == {dev.role_of(name): own_stack for name in functions}


@pytest.mark.parametrize(
    ("function", "actions"),
    [
        (
            "RolesHandler",
            {
                "cloudformation:DescribeStacks",
                "rds-db:connect",
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetSecretValue",
            },
        ),
        ("UpgradeOnEvent", {"cloudformation:DescribeStacks"}),
        ("UpgradeMigrator", {"rds-db:connect"}),
        ("OperationsRead", {"rds-db:connect"}),
        ("OperationsChange", {"lambda:InvokeFunction", "rds-db:connect"}),
        ("QuerierHandler", {"rds-db:connect", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage"}),
        (
            "DatabaseLogsHandler",
            {"cloudformation:DescribeStacks", "logs:CreateLogGroup", "logs:PutRetentionPolicy"},
        ),
        (
            "ProtectionHandler",
            {
                "cloudformation:DescribeStacks",
                "cloudformation:UpdateTerminationProtection",
                "rds:DescribeDBInstances",
                "rds:ModifyDBInstance",
            },
        ),
    ],
)
def test_a_function_may_call_these_actions_and_send_traces(prod: Synthesized, function: str, actions: set[str]) -> None:
    role = prod.role_of(function)
    allowed = {
        action
        for name, statement in prod.statements()
        if name == role and statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
    }
    assert allowed == actions | {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}


def test_no_policy_has_a_wildcard_in_an_action(dev: Synthesized) -> None:
    actions = [action for _, statement in dev.statements() for action in listed(statement["Action"])]
    assert not [action for action in actions if "*" in action]


def test_only_the_actions_of_x_ray_are_allowed_on_all_resources(dev: Synthesized) -> None:
    actions = {
        action
        for _, statement in dev.statements()
        if statement["Effect"] == "Allow" and "*" in listed(statement["Resource"])
        for action in listed(statement["Action"])
    }
    assert actions == {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}


def test_every_function_has_its_own_role(prod: Synthesized) -> None:
    assert len({prod.role_of(prefix) for prefix in HANDLERS}) == len(HANDLERS)


@pytest.mark.parametrize(
    ("function", "callers"),
    [
        ("RolesHandler", ["RolesProviderframeworkonEvent", "OperationsChange"]),
        ("UpgradeOnEvent", UPGRADE_PROVIDER),
        ("UpgradeMigrator", UPGRADE_PROVIDER),
        ("QuerierHandler", ["QuerierSchedulerRole"]),
        ("OperationsRead", []),
        ("OperationsChange", []),
    ],
)
def test_only_its_provider_or_its_schedule_may_invoke_a_function(
    dev: Synthesized, function: str, callers: list[str]
) -> None:
    arn = attribute(dev.id_of("AWS::Lambda::Function", function), "Arn")
    allowed = {role for role, resources in dev.roles_allowed("lambda:InvokeFunction").items() if arn in resources}
    assert allowed == {dev.id_of("AWS::IAM::Role", caller) for caller in callers}
    assert not dev.of_type("AWS::Lambda::Permission")


def test_one_function_may_change_the_protection_of_this_stack_and_of_this_database(prod: Synthesized) -> None:
    function = prod.role_of("ProtectionHandler")
    assert prod.roles_allowed("cloudformation:UpdateTerminationProtection") == {function: [{"Ref": "AWS::StackId"}]}
    may_modify = prod.roles_allowed("rds:ModifyDBInstance")
    assert list(may_modify) == [function]
    (instance,) = may_modify[function]
    assert instance["Fn::Join"][1][-1] == {"Ref": prod.id_of("AWS::RDS::DBInstance")}
    assert not prod.roles_allowed("rds:DeleteDBInstance")


def test_no_role_of_dev_may_change_a_protection(dev: Synthesized) -> None:
    assert not dev.roles_allowed("cloudformation:UpdateTerminationProtection")
    assert not dev.roles_allowed("rds:ModifyDBInstance")


def test_only_the_retention_of_the_logs_of_the_database_may_be_set(dev: Synthesized) -> None:
    """IAM compares some actions with the ARN of the log group, and others with the ARN that ends in `:*`."""
    prefix = ["arn:aws:logs:eu-central-1:", {"Ref": "AWS::AccountId"}, ":log-group:/aws/rds/instance/"]
    instance = {"Ref": dev.id_of("AWS::RDS::DBInstance")}
    groups = [
        {"Fn::Join": ["", [*prefix, instance, f"/{log}{suffix}"]]}
        for suffix in ("", ":*")
        for log in dev.properties("AWS::RDS::DBInstance")["EnableCloudwatchLogsExports"]
    ]
    for action in ("logs:PutRetentionPolicy", "logs:CreateLogGroup"):
        ((role, resources),) = dev.roles_allowed(action).items()
        assert role == dev.role_of("DatabaseLogsHandler")
        assert sorted(map(str, resources)) == sorted(map(str, groups))


def test_the_retention_of_logs_is_set_after_the_function_gets_the_permission(dev: Synthesized) -> None:
    role = {"Ref": dev.role_of("DatabaseLogsHandler")}
    policies = {name for name, policy in dev.of_type("AWS::IAM::Policy").items() if role in policy["Roles"]}
    assert len(policies) == 2
    assert policies <= dev.dependencies(dev.id_of("Custom::DatabaseLogs"))


def test_the_scheduler_may_assume_the_role_for_this_account_only(dev: Synthesized) -> None:
    (statement,) = dev.properties("AWS::IAM::Role", "QuerierSchedulerRole")["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
