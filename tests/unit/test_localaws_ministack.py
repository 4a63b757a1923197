"""The private names of ministack that `ministack.py` and `ministack_runtime.py` in `localaws/emulator/` use.

A new version of ministack that changes one of them fails here.
"""

import inspect
import os
from collections.abc import Callable

import pytest

from localaws.constants import STATE

os.environ["STATE_DIR"] = str(STATE / "ministack")  # the import of ministack writes files there

from ministack import app
from ministack.core import iam_evaluator, lambda_runtime, responses
from ministack.services import ec2, eventbridge, lambda_svc, rds, scheduler, secretsmanager, stepfunctions
from ministack.services.cloudformation import provisioners, stacks

from localaws.emulator import ministack, network

HINT = "ministack has changed: see localaws/emulator/ministack.py, which uses this private name"


def parameters(function: Callable[..., object]) -> list[str]:
    return list(inspect.signature(function).parameters)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (stacks._runs_on_worker_thread, ["resource_type"]),
        (stacks._delete_resource, ["resource_type", "physical_id", "props", "stack_name", "logical_id"]),
        (stacks._with_dependencies, ["logical_ids", "res_defs", "remaining"]),
        (provisioners._ec2_apply_tags, ["physical_id", "props", "old_props"]),
        (provisioners._rds_db_instance_attrs, ["instance"]),
        (provisioners._rds_db_instance_delete, ["physical_id", "props"]),
        (lambda_svc._execute_function_warm, ["func", "event", "request_id"]),
        (lambda_svc._xray_trace_id_for_invocation, ["config", "inbound_trace_header"]),
        (lambda_runtime._worker_class_for, ["config"]),
        (lambda_runtime.acquire_worker, ["func_name", "config", "code_zip", "qualifier", "max_concurrency"]),
        (lambda_runtime.invalidate_worker, ["func_name", "qualifier", "account", "region"]),
        (lambda_runtime.release_worker, ["worker"]),
        (lambda_runtime.execution_credentials, ["config"]),
        (lambda_runtime.reset, []),
        (lambda_runtime.Worker.__init__, ["self", "func_name", "config", "code_zip"]),
        (iam_evaluator.resolve_credential, ["access_key_id", "account_id", "session_token"]),
        (iam_evaluator.resolve_principal, ["access_key_id", "account_id", "credential"]),
        (iam_evaluator.is_root_access_key, ["access_key_id"]),
        (responses.request_scope, ["account_id", "region"]),
        (rds._ACTION_MAP["StopDBInstance"], ["p"]),
        (rds._p, ["params", "key", "default"]),
        (rds._resolve_instance, ["db_id"]),
        (secretsmanager._resolve, ["secret_id", "use_arn_scope"]),
        (lambda_runtime.kill_workers, ["workers"]),
        (lambda_runtime._account_region_from_function_config, ["config"]),
        (lambda_svc.invoke_async_with_retry, ["func", "event"]),
        (lambda_svc._get_func_record_for_ref, ["function_ref"]),
        (lambda_svc._execution_record_for_config, ["func", "config"]),
        (lambda_svc._execute_function_with_config_scope, ["func", "event"]),
        (eventbridge._dispatch_to_lambda, ["arn", "payload"]),
        (eventbridge._dispatch_to_sqs, ["spec", "payload", "sqs_parameters"]),
        (eventbridge._invoke_target, ["target", "event", "rule", "view"]),
        (eventbridge._pattern_event_view, ["event"]),
        (eventbridge._parse_rate_seconds, ["expr"]),
        (eventbridge._parse_cron_fields, ["expr"]),
        (eventbridge._cron_next_fire, ["fields", "after_dt"]),
        (scheduler._tick_schedules, []),
        (scheduler._to_epoch, ["value"]),
        (scheduler._at_time_epoch, ["expr"]),
        (stepfunctions._run_execution, ["exec_arn"]),
        (stepfunctions._scaled_sleep, ["seconds"]),
        (stepfunctions._stop_execution, ["data"]),
        (app._docker_socket_present, []),
    ],
    ids=lambda value: getattr(value, "__qualname__", None),
)
def test_a_private_function_of_ministack_has_the_expected_parameters(
    function: Callable[..., object], expected: list[str]
) -> None:
    assert parameters(function) == expected, HINT


@pytest.mark.parametrize(
    "name",
    [
        "AWS::RDS::DBInstance",
        "AWS::SecretsManager::Secret",
        "AWS::Lambda::Function",
        "AWS::StepFunctions::StateMachine",
    ],
)
def test_ministack_has_an_update_handler_for_the_wrapped_types(name: str) -> None:
    assert ministack.ResourceType.registered(name).update, HINT


@pytest.mark.parametrize("name", ["EIP", "NatGateway", "FlowLog", "SecurityGroupIngress", "SecurityGroupEgress"])
def test_ministack_does_not_have_the_types_that_the_emulator_adds(name: str) -> None:
    assert f"AWS::EC2::{name}" not in provisioners._RESOURCE_HANDLERS, (
        f"ministack has {name} now: delete it from localaws/emulator/network.py"
    )


def test_a_separate_security_group_rule_is_added_to_the_group_and_removed() -> None:
    response = ministack.ec2("CreateSecurityGroup", {"GroupName": "test", "GroupDescription": "test"})
    group = network._element(response, "groupId")
    ingress = network.security_group_rule("Ingress")
    properties = {"GroupId": group, "IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "CidrIp": "10.0.0.0/16"}
    rule, attributes = ingress.create("Rule", properties, "stack")
    assert attributes == {"Id": rule}
    assert [rule["FromPort"] for rule in ec2._security_groups[group]["IpPermissions"]] == [5432]
    ingress.delete(rule, properties)
    assert ec2._security_groups[group]["IpPermissions"] == []


def test_a_rule_for_a_group_that_does_not_exist_raises_the_error_of_ec2() -> None:
    with pytest.raises(ValueError, match=r"InvalidGroup.NotFound Security group sg-none not found"):
        network.security_group_rule("Egress").create("Rule", {"GroupId": "sg-none", "IpProtocol": "-1"}, "stack")


def test_an_address_a_gateway_and_a_flow_log_are_created_and_deleted() -> None:
    address, attributes = network.create_address("Eip", {"Tags": [{"Key": "Name", "Value": "eip"}]}, "stack")
    assert address == f"{attributes['PublicIp']}|{attributes['AllocationId']}"
    gateway, _ = network.create_nat_gateway("Nat", {"SubnetId": "subnet-1", "AllocationId": "eipalloc-1"}, "stack")
    flow_log, _ = network.create_flow_log("Log", {"ResourceId": "vpc-1", "ResourceType": "VPC"}, "stack")
    assert ec2._flow_logs[flow_log]["ResourceId"] == "vpc-1"
    network.delete_flow_log(flow_log, {})
    network.delete_nat_gateway(gateway, {})
    network.delete_address(address, {})
    assert flow_log not in ec2._flow_logs
    assert attributes["AllocationId"] not in ec2._addresses
