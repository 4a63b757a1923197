"""A database that a deployment replaces: the old database is deleted after the deployment has succeeded."""

import json
from typing import Any

import psycopg2
import pytest

from localaws.aws import Database, LocalAws
from tests.e2e.databases import INSTANCE, query
from tests.waiting import OFTEN

STACK = "replaced"
TEMPLATE = {
    "Parameters": {"Name": {"Type": "String"}, "Fails": {"Type": "String"}},
    "Conditions": {"Fails": {"Fn::Equals": [{"Ref": "Fails"}, "true"]}},
    "Resources": {
        "Database": {
            "Type": "AWS::RDS::DBInstance",
            "Properties": {**INSTANCE, "DBName": {"Ref": "Name"}},
        },
        "Failing": {
            "Type": "AWS::EC2::SecurityGroupEgress",
            "Condition": "Fails",
            "DependsOn": "Database",
            "Properties": {"GroupId": "sg-none", "IpProtocol": "-1", "CidrIp": "10.0.0.0/8"},
        },
    },
    "Outputs": {
        "Port": {"Value": {"Fn::GetAtt": ["Database", "Endpoint.Port"]}},
        "Id": {"Value": {"Fn::GetAtt": ["Database", "DbiResourceId"]}},
    },
}


def deploy(aws: LocalAws, name: str, *, fails: bool = False) -> tuple[str, dict[str, str]]:
    """Create or update the stack; return its status and outputs."""
    cloudformation = aws.client("cloudformation")
    values = {"Name": name, "Fails": str(fails).lower()}
    arguments: dict[str, Any] = {
        "StackName": STACK,
        "TemplateBody": json.dumps(TEMPLATE),
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
    }
    if any(stack["StackName"] == STACK for stack in cloudformation.describe_stacks()["Stacks"]):
        cloudformation.update_stack(**arguments)
        waiter = "stack_rollback_complete" if fails else "stack_update_complete"
    else:
        cloudformation.create_stack(**arguments)
        waiter = "stack_create_complete"
    cloudformation.get_waiter(waiter).wait(StackName=STACK, WaiterConfig=OFTEN)
    [stack] = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    return stack["StackStatus"], {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def test_a_replaced_database_is_deleted_after_the_update_and_not_by_a_rollback(aws: LocalAws) -> None:
    others = aws.databases()

    def running() -> list[Database]:
        return [database for database in aws.databases() if database not in others]

    _, first = deploy(aws, "app")
    query(first["Port"], "CREATE TABLE kept AS SELECT 42 AS answer")
    before = running()

    status, after_rollback = deploy(aws, "other", fails=True)
    assert (status, after_rollback) == ("UPDATE_ROLLBACK_COMPLETE", first)
    assert running() == before
    assert query(first["Port"], "SELECT answer FROM kept") == [(42,)]

    status, second = deploy(aws, "other")
    assert status == "UPDATE_COMPLETE"
    assert second["Id"] != first["Id"]
    assert [str(database.port) for database in running()] == [second["Port"]]
    assert query(second["Port"], "SELECT to_regclass('kept')", database="other") == [(None,)]
    with pytest.raises(psycopg2.OperationalError, match="Connection refused"):
        query(first["Port"], "SELECT 1")

    aws.client("cloudformation").delete_stack(StackName=STACK)
    aws.client("cloudformation").get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig=OFTEN)
    assert running() == []
