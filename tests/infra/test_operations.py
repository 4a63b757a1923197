"""The functions of operators: the permissions to use them, and the outputs by which the command finds them."""

from typing import Any

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


def test_the_outputs_name_the_reading_function_and_its_policy(dev: Synthesized) -> None:
    function = dev.id_of("AWS::Lambda::Function", "OperationsRead")
    assert output(dev, outputs.READ_FUNCTION) == {"Ref": function}
    assert output(dev, outputs.READ_POLICY) == {"Ref": dev.id_of("AWS::IAM::ManagedPolicy", "OperationsReadPolicy")}


def test_the_permission_to_read_is_for_one_function_this_stack_and_its_logs(dev: Synthesized) -> None:
    permissions = statements(dev, "OperationsReadPolicy")
    assert permissions.keys() == {"lambda:InvokeFunction", "cloudformation:DescribeStacks", "logs:FilterLogEvents"}
    assert permissions["lambda:InvokeFunction"] == [
        attribute(dev.id_of("AWS::Lambda::Function", "OperationsRead"), "Arn")
    ]
    assert "stack/PrivateDatabase/*" in str(permissions["cloudformation:DescribeStacks"])
    assert all("log-group:" in str(resource) for resource in permissions["logs:FilterLogEvents"])


def test_the_reader_reads_all_tables_in_dev_and_granted_tables_in_prod(dev: Synthesized, prod: Synthesized) -> None:
    assert dev.properties("Custom::DatabaseRoles")["ReaderReadsAll"] == "true"
    assert prod.properties("Custom::DatabaseRoles")["ReaderReadsAll"] == "false"


def test_the_functions_of_operators_and_the_migrator_have_the_same_zip(dev: Synthesized) -> None:
    assert dev.function("OperationsRead")["Code"] == dev.function("UpgradeMigrator")["Code"]
