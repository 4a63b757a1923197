"""EventBridge Scheduler: the times of the schedules and their events. ministack has no context attributes."""

from __future__ import annotations

import json
import logging
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from localaws.emulator import asynchronous
from localaws.emulator import ministack_runtime as runtime
from localaws.emulator.ministack_runtime import Schedule, Scope

TICK_SECONDS = 1.0
log = logging.getLogger(__name__)

type Key = tuple[Scope, str]
type Version = tuple[object, ...]
"""The parts of a schedule that differ after an update, or after a deletion and a new creation."""


def fire(scope: Scope, schedule: Schedule, due: datetime) -> None:
    """Send the event of a schedule to its target."""
    target = schedule["Target"]
    event = {
        "EventId": str(uuid.uuid4()),
        "Source": "aws.scheduler",
        "DetailType": "Scheduled Event",
        "Detail": "{}",
        "Time": due.timestamp(),
        "Resources": [schedule["Arn"]],
        "Account": scope[0],
        "Region": scope[1],
    }
    with runtime.request_scope(*scope):
        text = target.get("Input") or runtime.default_event(event)
        text = fill_in(text, schedule_arn=schedule["Arn"], due=due, execution=secrets.token_hex(8))
        if ":lambda:" in target["Arn"]:
            _invoke(target, text)
        else:
            runtime.deliver({**target, "Input": text}, event, schedule)


@dataclass
class Scheduler:
    """The next time of each schedule.

    - `now`: return the time
    - `fire`: invoke the target of a schedule that was due at a time
    """

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    fire: Callable[[Scope, Schedule, datetime], None] = fire
    _due: dict[Key, tuple[Version, datetime | None]] = field(default_factory=dict)

    def register(self) -> None:
        """Replace ministack's scheduler."""
        runtime.replace_scheduler(self.fire_what_is_due, TICK_SECONDS)

    def fire_what_is_due(self) -> None:
        """Invoke the target of each schedule that is due, once for each of its times."""
        now = self.now()
        for scope, name, schedule in runtime.schedules():
            due = self._next(scope, name, schedule)
            ended = (end := runtime.epoch_of(schedule.get("EndDate"))) is not None and now.timestamp() > end
            if due and due <= now and not ended:
                following = after(schedule, due)
                self._due[scope, name] = _version(schedule), following
                if schedule.get("State") == "ENABLED":
                    self.fire(scope, schedule, due)
                ended = following is None
            if ended and schedule.get("ActionAfterCompletion") == "DELETE":
                runtime.remove_schedule(scope, name)

    def _next(self, scope: Scope, name: str, schedule: Schedule) -> datetime | None:
        version, due = self._due.get((scope, name), ((), None))
        if version != _version(schedule):
            due = first(schedule)
            self._due[scope, name] = _version(schedule), due
        return due


def first(schedule: Schedule) -> datetime | None:
    """Return the first time of a schedule."""
    changed = _utc(schedule["LastModificationDate"])
    start = runtime.epoch_of(schedule.get("StartDate"))
    begin = max(changed, _utc(start)) if start is not None else changed
    at = runtime.at_epoch(schedule["ScheduleExpression"])
    if at is not None:
        return _in_zone(schedule, _utc(at))
    return after(schedule, begin)


def after(schedule: Schedule, time: datetime) -> datetime | None:
    """Return the next time after `time`. Return None after the last time, or if the expression is not supported."""
    expression = schedule["ScheduleExpression"]
    if seconds := runtime.rate_seconds(expression):
        return time + timedelta(seconds=seconds)
    fields = runtime.cron_fields(expression)
    if fields is None:
        return None
    local: datetime | None = runtime.next_of_cron(fields, time.astimezone(_zone(schedule)))
    return local and local.astimezone(UTC)


def fill_in(text: str, *, schedule_arn: str, due: datetime, execution: str) -> str:
    """Replace the context attributes in the input of a target."""
    attributes = {
        "schedule-arn": schedule_arn,
        "scheduled-time": f"{due:%Y-%m-%dT%H:%M:%SZ}",
        "execution-id": execution,
        "attempt-number": "1",  # the emulator's Lambda accepts every event, so that there is no second attempt
    }
    for name, value in attributes.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def _invoke(target: dict[str, Any], text: str) -> None:
    """Invoke the function asynchronously, with retries. Without the function, send to the schedule's dead letters."""
    function = runtime.function_of(target["Arn"])
    payload = json.loads(text)
    if function:
        asynchronous.invoke(function, payload)
        return
    log.warning("the target %s of a schedule does not exist", target["Arn"])
    if queue := (target.get("DeadLetterConfig") or {}).get("Arn"):
        runtime.send_to_queue(queue, payload)


def _version(schedule: Schedule) -> Version:
    return schedule["CreationDate"], schedule["LastModificationDate"], schedule["ScheduleExpression"]


def _in_zone(schedule: Schedule, time: datetime) -> datetime:
    """Convert a time that was read as UTC to the time zone of the schedule."""
    return time.replace(tzinfo=_zone(schedule)).astimezone(UTC)


def _zone(schedule: Schedule) -> ZoneInfo:
    return ZoneInfo(schedule.get("ScheduleExpressionTimezone") or "UTC")


def _utc(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)
