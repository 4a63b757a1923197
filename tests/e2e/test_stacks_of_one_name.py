"""A stack with the name of a destroyed stack: its resources get the same names in the emulator."""

import json
import time

from localaws.aws import LocalAws
from tests.e2e.functions import TRUST
from tests.e2e.processes import processes_of
from tests.waiting import OFTEN, wait_until


def stack_template(marker: str) -> str:
    """Describe a state machine that invokes a function again and again, as CDK's Provider framework does."""
    code = f"def handler(event, context):\n    print({marker!r})\n    raise LookupError('not complete')\n"
    invoke_again = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 720, "BackoffRate": 1}
    definition = {
        "StartAt": "Poll",
        "States": {"Poll": {"Type": "Task", "Resource": "${Function}", "Retry": [invoke_again], "End": True}},
    }
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}}
    function = {
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Timeout": 60,
        "Code": {"ZipFile": code},
    }
    waiter = {
        "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
        "DefinitionString": json.dumps(definition),
        "DefinitionSubstitutions": {"Function": {"Fn::GetAtt": ["Function", "Arn"]}},
    }
    resources = {
        "Role": role,
        "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
        "Waiter": {"Type": "AWS::StepFunctions::StateMachine", "Properties": waiter},
    }
    return json.dumps({"Resources": resources})


def deploy(aws: LocalAws, marker: str) -> dict[str, str]:
    """Create the stack and return its physical ids by logical id."""
    cloudformation = aws.client("cloudformation")
    template = stack_template(marker)
    cloudformation.create_stack(StackName="polling", TemplateBody=template, Capabilities=["CAPABILITY_IAM"])
    cloudformation.get_waiter("stack_create_complete").wait(StackName="polling", WaiterConfig=OFTEN)
    described = cloudformation.describe_stack_resources(StackName="polling")["StackResources"]
    return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in described}


def destroy(aws: LocalAws) -> None:
    cloudformation = aws.client("cloudformation")
    cloudformation.delete_stack(StackName="polling")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="polling", WaiterConfig=OFTEN)


def test_functions_and_executions_of_a_destroyed_stack_end_and_do_not_continue_in_a_new_stack_of_its_name(
    aws: LocalAws,
) -> None:
    first = deploy(aws, "first")
    execution = aws.client("stepfunctions").start_execution(stateMachineArn=first["Waiter"])["executionArn"]
    aws.client("lambda").invoke(FunctionName=first["Function"], InvocationType="Event", Payload=b"{}")
    wait_until(lambda: aws.logs(first["Function"]).count("first") >= 3)
    assert processes_of(first["Function"])
    destroy(aws)
    assert processes_of(first["Function"]) == set()
    assert aws.client("stepfunctions").describe_execution(executionArn=execution)["status"] == "ABORTED"
    assert deploy(aws, "second") == first
    time.sleep(3)  # the time of three more polls of an execution that has not ended
    assert "second" not in aws.logs(first["Function"])
    destroy(aws)
