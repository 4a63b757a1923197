"""The functions of operators: the permissions to use them, and the outputs by which the command finds them."""

from typing import Any

import pytest

from rds_alembic import outputs
from tests.infra.template import Synthesized, attribute, listed


def output(template: Synthesized, description: str) -> Any:
    (value,) = [each["Value"] for each in template.body["Outputs"].values() if each.get("Description") == description]
    return value


def statements(template: Synthesized, policy: str) -> dict[str, list[Any]]:
    """Return the resources of each action of a managed policy."""
    document = template.properties("AWS::IAM::ManagedPolicy", policy)["PolicyDocument"]
    return {
        action: listed(statement["Resource"])
        for statement in document["Statement"]
        for action in listed(statement["Action"])
    }


@pytest.mark.parametrize(
    ("name", "function", "policy"),
    [
        ("Read", outputs.READ_FUNCTION, outputs.READ_POLICY),
        ("Change", outputs.CHANGE_FUNCTION, outputs.CHANGE_POLICY),
    ],
)
def test_the_outputs_name_each_function_and_its_policy(dev: Synthesized, name: str, function: str, policy: str) -> None:
    assert output(dev, function) == {"Ref": dev.id_of("AWS::Lambda::Function", f"Operations{name}")}
    assert output(dev, policy) == {"Ref": dev.id_of("AWS::IAM::ManagedPolicy", f"Operations{name}Policy")}


def test_the_permission_to_read_is_for_one_function_this_stack_and_its_logs(dev: Synthesized) -> None:
    permissions = statements(dev, "OperationsReadPolicy")
    assert permissions.keys() == {"lambda:InvokeFunction", "cloudformation:DescribeStacks", "logs:FilterLogEvents"}
    assert permissions["lambda:InvokeFunction"] == [
        attribute(dev.id_of("AWS::Lambda::Function", "OperationsRead"), "Arn")
    ]
    assert "stack/PrivateDatabase/*" in str(permissions["cloudformation:DescribeStacks"])
    assert all("log-group:" in str(resource) for resource in permissions["logs:FilterLogEvents"])


def test_the_permission_to_change_also_is_for_the_changing_function_and_for_a_stuck_rollback(dev: Synthesized) -> None:
    permissions = statements(dev, "OperationsChangePolicy")
    functions = [dev.id_of("AWS::Lambda::Function", f"Operations{name}") for name in ("Change", "Read")]
    assert permissions["lambda:InvokeFunction"] == [attribute(name, "Arn") for name in functions]
    assert permissions.keys() - statements(dev, "OperationsReadPolicy").keys() == {
        "cloudformation:ContinueUpdateRollback",
        "cloudformation:DescribeStackEvents",
    }
    assert "stack/PrivateDatabase/*" in str(permissions["cloudformation:ContinueUpdateRollback"])


def test_a_downgrade_is_allowed_in_dev_only(dev: Synthesized, prod: Synthesized) -> None:
    allowed = [each.function("OperationsChange")["Environment"]["Variables"]["ALLOW_DOWNGRADE"] for each in (dev, prod)]
    assert allowed == ["true", "false"]


def test_the_changing_function_sets_up_the_roles_of_the_deployment(dev: Synthesized) -> None:
    variables = dev.function("OperationsChange")["Environment"]["Variables"]
    assert variables["ROLES_FUNCTION"] == {"Ref": dev.id_of("AWS::Lambda::Function", "RolesHandler")}
    assert '"Reader":"reader"' in str(variables["ROLES_PROPERTIES"])


def test_the_reader_reads_all_tables_in_dev_and_granted_tables_in_prod(dev: Synthesized, prod: Synthesized) -> None:
    assert dev.properties("Custom::DatabaseRoles")["ReaderReadsAll"] == "true"
    assert prod.properties("Custom::DatabaseRoles")["ReaderReadsAll"] == "false"


def test_the_functions_of_operators_and_the_migrator_have_the_same_zip(dev: Synthesized) -> None:
    codes = [dev.function(name)["Code"] for name in ("UpgradeMigrator", "OperationsRead", "OperationsChange")]
    assert codes[0] == codes[1] == codes[2]
