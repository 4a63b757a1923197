"""The functions of the template, compared with the code that runs in them."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from localaws.rehearsal import RehearsalSettings, rehearsal
from migrator.settings import UpgradeSettings
from querier import limits
from rds_iam import connection
from rds_iam.settings import DatabaseSettings
from tests.infra.template import Synthesized

HANDLERS = {
    "RolesHandler": "migrator.roles_handler.handler",
    "UpgradeOnEvent": "migrator.request_handler.on_event",
    "UpgradeMigrator": "migrator.upgrade_handler.is_complete",
    "OperationsRead": "migrator.read_handler.handler",
    "OperationsChange": "migrator.change_handler.handler",
    "QuerierHandler": "querier.handler.handler",
    "DatabaseLogsHandler": "migrator.logs_handler.handler",
    "ProtectionHandler": "migrator.protection_handler.handler",
}
USERS = {
    "RolesHandler": "postgres",
    "UpgradeMigrator": "migrator",
    "OperationsRead": "reader",
    "OperationsChange": "migrator",
    "QuerierHandler": "querier",
}
IN_VPC = tuple(USERS)


def _environment(template: Synthesized, function: str) -> dict[str, Any]:
    variables: dict[str, Any] = template.function(function)["Environment"]["Variables"]
    return variables


@pytest.mark.parametrize(("function", "handler"), HANDLERS.items())
def test_a_function_has_the_runtime_architecture_and_tracing_of_the_design(
    prod: Synthesized, function: str, handler: str
) -> None:
    properties = prod.function(function)
    assert properties["Handler"] == handler
    assert properties["Runtime"] == "python3.13"
    assert properties["Architectures"] == ["arm64"]
    assert properties["TracingConfig"] == {"Mode": "Active"}


@pytest.mark.parametrize("handler", HANDLERS.values())
def test_a_handler_is_the_name_of_an_existing_function(handler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    module, _, name = handler.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize("function", IN_VPC)
def test_a_function_that_logs_in_is_in_the_tier_with_egress(dev: Synthesized, function: str) -> None:
    subnets = [subnet["Ref"] for subnet in dev.function(function)["VpcConfig"]["SubnetIds"]]
    assert len(subnets) == 2
    assert all(subnet.startswith("NetworkVpcPrivateWithEgressSubnet") for subnet in subnets)


@pytest.mark.parametrize("function", sorted(HANDLERS.keys() - set(IN_VPC)))
def test_a_function_that_does_not_log_in_is_outside_the_vpc(prod: Synthesized, function: str) -> None:
    assert "VpcConfig" not in prod.function(function)


@pytest.mark.parametrize("function", IN_VPC)
def test_the_settings_of_a_function_accept_its_environment(dev: Synthesized, function: str, tmp_path: Path) -> None:
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


def test_a_rehearsal_has_the_limits_and_the_handlers_of_the_stack(prod: Synthesized) -> None:
    settings, migrator, roles = RehearsalSettings(), prod.function("UpgradeMigrator"), prod.function("RolesHandler")
    assert (migrator["Timeout"], migrator["MemorySize"]) == (settings.timeout_seconds, settings.memory_mb)
    assert (migrator["Handler"], roles["Handler"]) == (rehearsal.UPGRADE_HANDLER, rehearsal.ROLES_HANDLER)
    assert roles["Timeout"] == rehearsal.ROLES_TIMEOUT_SECONDS


def test_only_the_role_setup_has_the_arn_of_the_master_secret(prod: Synthesized) -> None:
    functions = [function for function in HANDLERS if "MASTER_SECRET_ARN" in _environment(prod, function)]
    assert functions == ["RolesHandler"]
    secret = {"Ref": prod.id_of("AWS::SecretsManager::Secret")}
    assert _environment(prod, "RolesHandler")["MASTER_SECRET_ARN"] == secret


def test_the_settings_of_the_migrator_accept_its_lock_timeout(dev: Synthesized) -> None:
    environment = _environment(dev, "UpgradeMigrator")
    assert environment["LOCK_TIMEOUT_SECONDS"] == "3"
    assert UpgradeSettings.from_environment(environment).lock_timeout_seconds == 3


def test_every_function_has_a_service_name_for_logs_and_metrics(prod: Synthesized) -> None:
    environments = {function: _environment(prod, function) for function in HANDLERS}
    assert {name: environment["POWERTOOLS_SERVICE_NAME"] for name, environment in environments.items()} == {
        "RolesHandler": "roles",
        "UpgradeOnEvent": "migrator",
        "UpgradeMigrator": "migrator",
        "OperationsRead": "read",
        "OperationsChange": "change",
        "QuerierHandler": "querier",
        "DatabaseLogsHandler": "database-logs",
        "ProtectionHandler": "protection",
    }
    namespaces = {environment["POWERTOOLS_METRICS_NAMESPACE"] for environment in environments.values()}
    assert namespaces == {"PrivateDatabase"}


@pytest.mark.parametrize("function", HANDLERS)
def test_the_log_group_of_a_function_has_the_name_in_failure_messages(prod: Synthesized, function: str) -> None:
    name = {"Fn::Join": ["", ["/aws/lambda/", {"Ref": prod.id_of("AWS::Lambda::Function", function)}]]}
    groups = [group for group in prod.of_type("AWS::Logs::LogGroup").values() if group.get("LogGroupName") == name]
    assert len(groups) == 1
    assert "LoggingConfig" not in prod.function(function)


def test_the_functions_of_cdk_log_to_a_group_of_the_stack(prod: Synthesized) -> None:
    handlers = {prod.id_of("AWS::Lambda::Function", prefix) for prefix in HANDLERS}
    others = [function for name, function in prod.of_type("AWS::Lambda::Function").items() if name not in handlers]
    assert {function["LoggingConfig"]["LogGroup"]["Ref"] for function in others} <= set(
        prod.of_type("AWS::Logs::LogGroup")
    )


def test_lambda_may_not_create_the_log_group_of_a_function(prod: Synthesized) -> None:
    """If Lambda were first, the deployment would fail. After the deletion, a group without retention would stay."""
    denied = {
        role: statement["Resource"]
        for role, statement in prod.statements()
        if statement["Effect"] == "Deny" and statement["Action"] == "logs:CreateLogGroup"
    }
    assert set(denied) == {prod.role_of(prefix) for prefix in HANDLERS}
    assert {resource["Fn::Join"][1][-1] for resource in denied.values()} == {":log-group:/aws/lambda/*"}


@pytest.mark.parametrize(
    ("resource", "function"),
    [
        ("Custom::DatabaseRoles", "RolesHandler"),
        ("Custom::AlembicUpgrade", "UpgradeOnEvent"),
        ("Custom::AlembicUpgrade", "UpgradeMigrator"),
        ("Custom::DatabaseLogs", "DatabaseLogsHandler"),
        ("Custom::TerminationProtection", "ProtectionHandler"),
        ("Custom::DeletionProtection", "ProtectionHandler"),
    ],
)
def test_a_custom_resource_is_created_after_the_log_group_of_its_function(
    prod: Synthesized, resource: str, function: str
) -> None:
    group = prod.id_of("AWS::Logs::LogGroup", function)
    assert all(group in prod.dependencies(name) for name in prod.of_type(resource))


def test_every_log_group_of_dev_has_a_retention_of_a_month(dev: Synthesized) -> None:
    assert {group["RetentionInDays"] for group in dev.of_type("AWS::Logs::LogGroup").values()} == {30}


def test_the_migrator_ends_before_the_function_of_the_framework_that_waits_for_it(dev: Synthesized) -> None:
    framework = dev.function("UpgradeProviderframeworkisComplete")
    assert dev.function("UpgradeMigrator")["Timeout"] == 14 * 60 < framework["Timeout"]


def test_the_role_setup_has_the_time_to_wait_for_an_unreachable_server(dev: Synthesized) -> None:
    """Two minutes remain for the setup and for the report of a failure."""
    assert dev.function("RolesHandler")["Timeout"] >= connection.UNREACHABLE_RETRY_SECONDS + 120


@pytest.mark.parametrize("function", ["UpgradeOnEvent", "DatabaseLogsHandler", "ProtectionHandler"])
def test_a_function_that_calls_apis_of_aws_has_the_time_for_two_attempts_of_ten_seconds(
    prod: Synthesized, function: str
) -> None:
    """Two attempts, each with 5 s to connect and 5 s to read: see `migrator.stack_status`."""
    assert prod.function(function)["Timeout"] >= 60


@pytest.mark.parametrize(
    ("resource", "function"),
    [
        ("Custom::DatabaseRoles", "RolesHandler"),
        ("Custom::DatabaseLogs", "DatabaseLogsHandler"),
        ("Custom::DeletionProtection", "ProtectionHandler"),
    ],
)
def test_cloudformation_waits_longer_than_the_timeout_of_the_function(
    prod: Synthesized, resource: str, function: str
) -> None:
    assert int(prod.properties(resource)["ServiceTimeout"]) > prod.function(function)["Timeout"]


def test_the_querier_fails_before_its_timeout_if_the_login_or_the_table_is_blocked(dev: Synthesized) -> None:
    """An attempt to log in may begin just before the time for logging in is over. Four statements follow."""
    login = limits.LOGIN_SECONDS + connection.CONNECT_TIMEOUT_SECONDS
    assert dev.function("QuerierHandler")["Timeout"] > login + 4 * limits.STATEMENT_TIMEOUT_SECONDS


def test_both_handlers_of_the_upgrade_run_the_same_zip(dev: Synthesized) -> None:
    assert dev.function("UpgradeOnEvent")["Code"] == dev.function("UpgradeMigrator")["Code"]
