"""The private names of ministack for functions, schedules and state machines. See ministack.py."""

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

Worker = _runtime.Worker
"""An execution environment in ministack's pool."""

acquire_worker = _runtime.acquire_worker
execution_credentials = _runtime.execution_credentials
trace_id = _lambda._xray_trace_id_for_invocation  # noqa: SLF001  # X-Ray's header for a function with tracing
kill_workers = _runtime.kill_workers


def replace_python_executor(executor: Callable[[Function, Any, str], dict[str, Any]], worker: type[Any]) -> None:
    """Run Python functions by `executor`, in a pool of `worker`s. ministack runs Node.js functions.

    ministack runs Python functions with its own interpreter, packages and environment variables, and returns the same
    errorType for all exceptions.
    """
    original_execute = _lambda._execute_function_warm  # noqa: SLF001  # every invocation calls it
    original_class = _runtime._worker_class_for  # noqa: SLF001  # the class of a new worker

    def execute(function: Function, event: object, request_id: str) -> dict[str, Any]:
        runs_python = function["config"]["Runtime"].startswith("python")
        result: dict[str, Any] = (executor if runs_python else original_execute)(function, event, request_id)
        return result

    def class_for(config: dict[str, Any]) -> type[Any]:
        worker_class: type[Any] = worker if config["Runtime"].startswith("python") else original_class(config)
        return worker_class

    _lambda._execute_function_warm = execute  # noqa: SLF001
    _runtime._worker_class_for = class_for  # noqa: SLF001


def replace_end_of_workers(end: Callable[[list[Any]], None], release: Callable[[Any], None]) -> None:
    """End the workers that left the pool by `end`, and return workers to the pool by `release`."""
    leased, acquire = threading.local(), _runtime.acquire_worker

    def acquire_and_store(*arguments: Any, **options: Any) -> Any:
        acquired = acquire(*arguments, **options)
        leased.worker = acquired[0]
        return acquired

    # ministack's Node.js executor uses these names of its own module, and releases None for a worker that failed.
    _lambda.acquire_worker = acquire_and_store
    _lambda.release_worker = lambda worker: release(worker or leased.worker)
    _runtime.kill_workers = end


def invalidate_workers(function: str, scope: Scope) -> None:
    """Remove the workers of a function from the pool, and end them."""
    _runtime.invalidate_worker(function, account=scope[0], region=scope[1])


def invalidate_all_workers() -> None:
    """Remove all workers from the pool, and end them."""
    _runtime.reset()


def replace_asynchronous_invocation(invoke: Callable[[Function, Any], None]) -> None:
    """Invoke functions asynchronously by `invoke(function, event)`, which must return at once."""
    _lambda.invoke_async_with_retry = invoke

    def dispatch(arn: str, payload: str) -> None:
        if function := function_of(arn):
            invoke(function, json.loads(payload))

    _eventbridge._dispatch_to_lambda = dispatch  # noqa: SLF001  # for rules; the original invokes without retries


def function_of(reference: str) -> Function | None:
    """Return the record of a function by its ARN or name, in the account and region of the current request."""
    function, config, _ = _lambda._get_func_record_for_ref(reference)  # noqa: SLF001  # it accepts names, ARNs and qualifiers
    if not function or not config:
        return None
    record: Function = _lambda._execution_record_for_config(function, config)  # noqa: SLF001
    return record


def identity_of(function: str, scope: Scope) -> object:
    """Return an object that stays the same when a function changes, and differs for a new function of its name."""
    return _lambda._functions.get_scoped(*scope, function)  # noqa: SLF001  # ministack changes a record in place


def scope_of(config: dict[str, Any]) -> Scope:
    """Return the account and the region of a function's configuration."""
    scope: Scope = _runtime._account_region_from_function_config(config)  # noqa: SLF001
    return scope


def run_function(function: Function, event: object) -> dict[str, Any]:
    """Run one invocation in the scope of the function."""
    result: dict[str, Any] = _lambda._execute_function_with_config_scope(function, event)  # noqa: SLF001
    return result


def send_to_queue(queue_arn: str, body: object) -> None:
    """Put a message into a queue of the account and region of the current request."""
    _eventbridge._dispatch_to_sqs(_parse_arn(queue_arn), json.dumps(body))  # noqa: SLF001  # sends as an AWS service


def replace_scheduler(fire: Callable[[], None], seconds: float) -> None:
    """Call `fire` from EventBridge Scheduler's thread, at an interval of `seconds`."""
    _scheduler._tick_schedules = fire  # noqa: SLF001  # its loop catches and logs exceptions
    _scheduler._SCHEDULE_TICK_INTERVAL = seconds  # noqa: SLF001


def schedules() -> Iterator[tuple[Scope, str, Schedule]]:
    """Yield the schedules of all accounts: scope, `group/name` and record."""
    for (account, region, name), schedule in list(_scheduler._schedules._data.items()):  # noqa: SLF001
        yield (account, region), name, schedule


def remove_schedule(scope: Scope, name: str) -> None:
    """Remove a schedule."""
    _scheduler._schedules.pop_scoped(*scope, name, None)  # noqa: SLF001


epoch_of = _scheduler._to_epoch  # noqa: SLF001  # a date in one of the two forms of Scheduler's API
at_epoch = _scheduler._at_time_epoch  # noqa: SLF001
rate_seconds = _eventbridge._parse_rate_seconds  # noqa: SLF001
cron_fields = _eventbridge._parse_cron_fields  # noqa: SLF001
next_of_cron = _eventbridge._cron_next_fire  # noqa: SLF001


def default_event(event: dict[str, Any]) -> str:
    """Return the event that EventBridge delivers to a target without an input of its own."""
    return json.dumps(_eventbridge._pattern_event_view(event).event_with_detail())  # noqa: SLF001


deliver = _eventbridge._invoke_target  # noqa: SLF001  # (target, event, rule), for targets other than functions

_running_execution: ContextVar[str | None] = ContextVar("running_execution", default=None)


class ExecutionEnded(BaseException):
    """An execution was stopped. No state and no retrier of the state machine catches this."""


def end_stopped_executions() -> None:
    """End a stopped execution at its next transition. ministack continues its waits and retries."""
    run, sleep = _states._run_execution, _states._scaled_sleep  # noqa: SLF001  # every execution and every wait calls these

    def run_until_stopped(arn: str) -> None:
        token = _running_execution.set(arn)
        try:
            run(arn)
        except ExecutionEnded:
            pass  # its status is set already
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
    """Stop the running executions of a state machine, in the account and region of the current request."""
    for arn, execution in list(_states._executions.items()):  # noqa: SLF001
        if execution["stateMachineArn"] == state_machine and execution["status"] == "RUNNING":
            _states._stop_execution({"executionArn": arn, "cause": "The state machine was deleted."})  # noqa: SLF001
