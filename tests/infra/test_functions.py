"""What `infra` promises the functions, compared with what the functions themselves say they want."""

import ast
from pathlib import Path
from typing import Any

import pytest

from infra.settings import PROJECT
from migrator import roles_handler
from migrator.settings import UpgradeSettings
from querier import limits
from rds_iam import connection
from rds_iam.settings import DatabaseSettings
from tests.infra.template import Synthesized

OURS = {
    "RolesFunction": "migrator.roles_handler.handler",
    "UpgradeChecker": "migrator.request_handler.on_event",
    "UpgradeMigrator": "migrator.upgrade_handler.is_complete",
    "QuerierFunction": "querier.handler.handler",
    "DatabaseLogsFunction": "migrator.logs_handler.handler",
}
IN_VPC = ("RolesFunction", "UpgradeMigrator", "QuerierFunction")
USERS = {"RolesFunction": "postgres", "UpgradeMigrator": "migrator", "QuerierFunction": "querier"}


def _environment(template: Synthesized, function: str) -> dict[str, Any]:
    variables: dict[str, Any] = template.function(function)["Environment"]["Variables"]
    return variables


@pytest.mark.parametrize(("function", "handler"), OURS.items())
def test_a_function_is_as_the_design_says(dev: Synthesized, function: str, handler: str) -> None:
    properties = dev.function(function)
    assert properties["Handler"] == handler
    assert properties["Runtime"] == "python3.13"
    assert properties["Architectures"] == ["arm64"]
    assert properties["TracingConfig"] == {"Mode": "Active"}


@pytest.mark.parametrize("handler", OURS.values())
def test_a_handler_names_a_function_that_exists(handler: str) -> None:
    module, _, name = handler.rpartition(".")
    source = (PROJECT / module.replace(".", "/")).with_suffix(".py")
    defined = [node.name for node in ast.parse(source.read_text()).body if isinstance(node, ast.FunctionDef)]
    assert name in defined


@pytest.mark.parametrize("function", IN_VPC)
def test_who_logs_in_stands_in_the_tier_with_egress(dev: Synthesized, function: str) -> None:
    subnets = [subnet["Ref"] for subnet in dev.function(function)["VpcConfig"]["SubnetIds"]]
    assert len(subnets) == 2
    assert all(subnet.startswith("NetworkVpcPrivateWithEgressSubnet") for subnet in subnets)


def test_the_function_that_only_checks_a_request_needs_no_vpc(dev: Synthesized) -> None:
    assert "VpcConfig" not in dev.function("UpgradeChecker")


@pytest.mark.parametrize("function", IN_VPC)
def test_the_functions_own_settings_parse_the_environment(dev: Synthesized, function: str, tmp_path: Path) -> None:
    (tmp_path / "rds-ca.pem").touch()
    at_deployment = {"Endpoint.Address": "db.example", "Endpoint.Port": "5432"}
    environment = {
        name: at_deployment[value["Fn::GetAtt"][1]] if isinstance(value, dict) and "Fn::GetAtt" in value else str(value)
        for name, value in _environment(dev, function).items()
    }
    from_lambda = {"AWS_REGION": "eu-central-1", "LAMBDA_TASK_ROOT": str(tmp_path)}
    settings = DatabaseSettings.from_environment(environment | from_lambda)
    assert (settings.host, settings.port, settings.database) == ("db.example", 5432, "app")
    assert settings.user == USERS[function]
    assert settings.ssl_root_cert == tmp_path / "rds-ca.pem"


def test_only_the_roles_function_is_told_where_the_secret_is(dev: Synthesized) -> None:
    told = [function for function in OURS if "MASTER_SECRET_ARN" in _environment(dev, function)]
    assert told == ["RolesFunction"]
    secret = {"Ref": dev.id_of("AWS::SecretsManager::Secret")}
    assert _environment(dev, "RolesFunction")["MASTER_SECRET_ARN"] == secret


def test_the_migrators_own_settings_parse_its_lock_timeout(dev: Synthesized) -> None:
    environment = _environment(dev, "UpgradeMigrator")
    assert environment["LOCK_TIMEOUT_SECONDS"] == "3"
    assert UpgradeSettings.from_environment(environment).lock_timeout_seconds == 3


def test_every_function_of_ours_has_a_name_for_logs_and_metrics(dev: Synthesized) -> None:
    environments = {function: _environment(dev, function) for function in OURS}
    assert {name: found["POWERTOOLS_SERVICE_NAME"] for name, found in environments.items()} == {
        "RolesFunction": "roles",
        "UpgradeChecker": "migrator",
        "UpgradeMigrator": "migrator",
        "QuerierFunction": "querier",
        "DatabaseLogsFunction": "database-logs",
    }
    assert {found["POWERTOOLS_METRICS_NAMESPACE"] for found in environments.values()} == {"PrivateDatabase"}


def test_the_log_group_that_a_failure_message_names_is_the_one_of_the_function(prod: Synthesized) -> None:
    for prefix in (*OURS, "ProtectionFunction"):
        function = prod.id_of("AWS::Lambda::Function", prefix)
        name = {"Fn::Join": ["", ["/aws/lambda/", {"Ref": function}]]}
        groups = [group for group in prod.of_type("AWS::Logs::LogGroup").values() if group.get("LogGroupName") == name]
        assert len(groups) == 1
        assert "LoggingConfig" not in prod.resources[function]["Properties"]


def test_the_functions_of_cdk_log_to_a_group_of_the_stack(dev: Synthesized) -> None:
    ours = {dev.id_of("AWS::Lambda::Function", prefix) for prefix in OURS}
    others = [function for name, function in dev.of_type("AWS::Lambda::Function").items() if name not in ours]
    assert {function["LoggingConfig"]["LogGroup"]["Ref"] for function in others} <= set(
        dev.of_type("AWS::Logs::LogGroup")
    )


def test_lambda_does_not_create_the_log_group_of_a_function(prod: Synthesized) -> None:
    """The deployment would fail if Lambda came first; after the deletion, a group without retention would stay."""
    denied = {
        role: statement["Resource"]
        for role, statement in prod.statements()
        if statement["Effect"] == "Deny" and statement["Action"] == "logs:CreateLogGroup"
    }
    assert set(denied) == {prod.role_of(prefix) for prefix in (*OURS, "ProtectionFunction")}
    assert {resource["Fn::Join"][1][-1] for resource in denied.values()} == {":log-group:/aws/lambda/*"}


@pytest.mark.parametrize(
    ("resource", "function"),
    [
        ("Custom::DatabaseRoles", "RolesFunction"),
        ("Custom::AlembicUpgrade", "UpgradeChecker"),
        ("Custom::AlembicUpgrade", "UpgradeMigrator"),
        ("Custom::DatabaseLogs", "DatabaseLogsFunction"),
        ("Custom::TerminationProtection", "ProtectionFunction"),
        ("Custom::DeletionProtection", "ProtectionFunction"),
    ],
)
def test_a_custom_resource_waits_for_the_log_group_of_its_function(
    prod: Synthesized, resource: str, function: str
) -> None:
    group = prod.id_of("AWS::Logs::LogGroup", function)
    assert all(group in prod.comes_after(name) for name in prod.of_type(resource))


def test_every_log_group_forgets_after_a_month(dev: Synthesized) -> None:
    assert {group["RetentionInDays"] for group in dev.of_type("AWS::Logs::LogGroup").values()} == {30}


def test_the_migrator_ends_before_the_function_that_waits_for_it(dev: Synthesized) -> None:
    framework = dev.function("UpgradeFrameworkframeworkisComplete")
    assert dev.function("UpgradeMigrator")["Timeout"] < framework["Timeout"]


def test_the_migrator_may_work_for_fourteen_minutes(dev: Synthesized) -> None:
    assert dev.function("UpgradeMigrator")["Timeout"] == 14 * 60


def test_the_role_setup_has_the_time_to_wait_for_a_server_that_cannot_be_reached(dev: Synthesized) -> None:
    waits = connection.UNREACHABLE_RETRY_SECONDS + roles_handler._RESERVE_SECONDS
    assert dev.function("RolesFunction")["Timeout"] > waits + 60


@pytest.mark.parametrize("function", ["UpgradeChecker", "DatabaseLogsFunction", "ProtectionFunction"])
def test_a_function_that_calls_apis_of_aws_outlives_an_api_that_does_not_answer(
    prod: Synthesized, function: str
) -> None:
    """Two attempts, each with 5 s to connect and 5 s to read: see `migrator.stack_status`."""
    assert prod.function(function)["Timeout"] >= 60


@pytest.mark.parametrize(
    ("resource", "function"),
    [
        ("Custom::DatabaseRoles", "RolesFunction"),
        ("Custom::DatabaseLogs", "DatabaseLogsFunction"),
        ("Custom::DeletionProtection", "ProtectionFunction"),
    ],
)
def test_cloudformation_waits_longer_than_the_function_works(prod: Synthesized, resource: str, function: str) -> None:
    assert int(prod.only(resource)["ServiceTimeout"]) > prod.function(function)["Timeout"]


def test_the_querier_gives_up_on_a_login_and_on_a_locked_table_before_its_timeout(dev: Synthesized) -> None:
    assert dev.function("QuerierFunction")["Timeout"] > limits.longest_run_seconds()


def test_checking_and_migrating_run_the_same_zip(dev: Synthesized) -> None:
    assert dev.function("UpgradeChecker")["Code"] == dev.function("UpgradeMigrator")["Code"]
