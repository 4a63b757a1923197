"""The private names of ministack that concern what runs: functions, schedules, state machines. See ministack.py."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from ministack.core import lambda_runtime as _runtime
from ministack.core.arn import parse_arn as _parse_arn
from ministack.core.responses import request_scope
from ministack.services import eventbridge as _eventbridge
from ministack.services import lambda_svc as _lambda
from ministack.services import scheduler as _scheduler
from ministack.services import stepfunctions as _states

type Function = dict[str, Any]
type Schedule = dict[str, Any]
type Scope = tuple[str, str]
"""An account and a region."""

__all__ = ["request_scope"]

ExecutionEnvironmentBase = _runtime.Worker
"""The class of the execution environments in ministack's pool."""

acquire_environment = _runtime.acquire_worker
execution_credentials = _runtime.execution_credentials
trace_id = _lambda._xray_trace_id_for_invocation  # noqa: SLF001  # X-Ray's header for a function with tracing on
kill_now = _runtime.kill_workers


def replace_python_executor(executor: Callable[[Function, Any, str], dict[str, Any]], environment: type[Any]) -> None:
    """Run Python functions by `executor`, in pooled `environment`s; Node.js functions stay with ministack.

    ministack runs Python functions with its own interpreter and packages, in its own environment variables, and
    answers every exception with the same errorType.
    """
    original_execute = _lambda._execute_function_warm  # noqa: SLF001  # what every invocation passes through
    original_class = _runtime._worker_class_for  # noqa: SLF001  # what the pool makes

    def execute(function: Function, event: object, request_id: str) -> dict[str, Any]:
        runs_python = function["config"]["Runtime"].startswith("python")
        answer: dict[str, Any] = (executor if runs_python else original_execute)(function, event, request_id)
        return answer

    def class_for(config: dict[str, Any]) -> type[Any]:
        chosen: type[Any] = environment if config["Runtime"].startswith("python") else original_class(config)
        return chosen

    _lambda._execute_function_warm = execute  # noqa: SLF001
    _runtime._worker_class_for = class_for  # noqa: SLF001


def replace_ending_of_environments(end: Callable[[list[Any]], None], release: Callable[[Any], None]) -> None:
    """End environments by `end`, which gets what left the pool, and return leased ones by `release`."""
    leased, acquire = threading.local(), _runtime.acquire_worker

    def acquire_and_note(*arguments: Any, **options: Any) -> Any:
        answer = acquire(*arguments, **options)
        leased.environment = answer[0]
        return answer

    # ministack's Node.js executor, whose module has imported these names, says None for an environment that broke.
    _lambda.acquire_worker = acquire_and_note
    _lambda.release_worker = lambda environment: release(environment or leased.environment)
    _runtime.kill_workers = end


def end_environments(function: str, scope: Scope) -> None:
    """Take the execution environments of a function out of the pool, and end them."""
    _runtime.invalidate_worker(function, account=scope[0], region=scope[1])


def end_all_environments() -> None:
    """Take all out of the pool, and end them."""
    _runtime.reset()


def replace_asynchronous_invocation(invoke: Callable[[Function, Any], None]) -> None:
    """Invoke functions asynchronously by `invoke(function, event)`, which returns at once."""
    _lambda.invoke_async_with_retry = invoke

    def dispatch(arn: str, payload: str) -> None:
        if function := function_of(arn):
            invoke(function, json.loads(payload))

    _eventbridge._dispatch_to_lambda = dispatch  # noqa: SLF001  # for rules; it would invoke without retries


def function_of(reference: str) -> Function | None:
    """Return the record of a function by its ARN or name, in the account and region of the running request."""
    function, config, _ = _lambda._get_func_record_for_ref(reference)  # noqa: SLF001  # names, ARNs and qualifiers
    if not function or not config:
        return None
    record: Function = _lambda._execution_record_for_config(function, config)  # noqa: SLF001
    return record


def identity_of(function: str, scope: Scope) -> object:
    """Return what stays the same while a function is changed, and differs for another one of its name."""
    return _lambda._functions.get_scoped(*scope, function)  # noqa: SLF001  # ministack changes records in place


def scope_of(config: dict[str, Any]) -> Scope:
    """Return the account and the region of a function's configuration."""
    scope: Scope = _runtime._account_region_from_function_config(config)  # noqa: SLF001
    return scope


def run_function(function: Function, event: object) -> dict[str, Any]:
    """Run one invocation in the scope of the function."""
    answer: dict[str, Any] = _lambda._execute_function_with_config_scope(function, event)  # noqa: SLF001
    return answer


def send_to_queue(queue_arn: str, body: object) -> None:
    """Put a message into a queue of the account and region of the running request."""
    _eventbridge._dispatch_to_sqs(_parse_arn(queue_arn), json.dumps(body))  # noqa: SLF001  # as an AWS service sends


def replace_scheduler(fire_what_is_due: Callable[[], None], seconds: float) -> None:
    """Let EventBridge Scheduler's thread call `fire_what_is_due` every so many seconds."""
    _scheduler._tick_schedules = fire_what_is_due  # noqa: SLF001  # its loop catches and logs exceptions
    _scheduler._SCHEDULE_TICK_INTERVAL = seconds  # noqa: SLF001


def schedules() -> Iterator[tuple[Scope, str, Schedule]]:
    """Yield the schedules of all accounts: the scope, `group/name`, and the record."""
    for (account, region, name), schedule in list(_scheduler._schedules._data.items()):  # noqa: SLF001
        yield (account, region), name, schedule


def remove_schedule(scope: Scope, name: str) -> None:
    """Remove a schedule that is over."""
    _scheduler._schedules.pop_scoped(*scope, name, None)  # noqa: SLF001


epoch_of = _scheduler._to_epoch  # noqa: SLF001  # a date of Scheduler's API, which clients write in two ways
at_epoch = _scheduler._at_time_epoch  # noqa: SLF001
rate_seconds = _eventbridge._parse_rate_seconds  # noqa: SLF001
cron_fields = _eventbridge._parse_cron_fields  # noqa: SLF001
next_of_cron = _eventbridge._cron_next_fire  # noqa: SLF001


def default_event(event: dict[str, Any]) -> str:
    """Return what EventBridge delivers where a target has no input of its own."""
    return json.dumps(_eventbridge._pattern_event_view(event).event_with_detail())  # noqa: SLF001


deliver = _eventbridge._invoke_target  # noqa: SLF001  # (target, event, rule): to targets that are no functions

_running_execution: ContextVar[str | None] = ContextVar("running_execution", default=None)


class ExecutionEnded(BaseException):
    """An execution was stopped: no state or retrier may catch this, and no status follows."""


def end_stopped_executions() -> None:
    """End an execution at its next transition when it is stopped. ministack goes on with waits and retries."""
    run, sleep = _states._run_execution, _states._scaled_sleep  # noqa: SLF001  # each execution, each wait passes here

    def run_until_stopped(arn: str) -> None:
        token = _running_execution.set(arn)
        try:
            run(arn)
        except ExecutionEnded:
            pass  # its status says so already
        finally:
            _running_execution.reset(token)

    def sleep_unless_stopped(seconds: float) -> None:
        sleep(seconds)
        arn = _running_execution.get()
        if arn and _states._executions.get(arn, {}).get("status") != "RUNNING":  # noqa: SLF001
            raise ExecutionEnded

    _states._run_execution = run_until_stopped  # noqa: SLF001
    _states._scaled_sleep = sleep_unless_stopped  # noqa: SLF001


def stop_executions(state_machine: str) -> None:
    """Stop the running executions of a state machine, in the account and region of the running request."""
    for arn, execution in list(_states._executions.items()):  # noqa: SLF001
        if execution["stateMachineArn"] == state_machine and execution["status"] == "RUNNING":
            _states._stop_execution({"executionArn": arn, "cause": "The state machine was deleted."})  # noqa: SLF001
