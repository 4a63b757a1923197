"""The times of the schedules in the local AWS, and their events."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from localaws.constants import STATE

os.environ["STATE_DIR"] = str(STATE / "ministack")  # the import of ministack writes files there

from localaws.emulator import ministack_runtime
from localaws.emulator.schedules import Scheduler, after, fill_in, first

CREATED = datetime(2026, 11, 25, 10, 20, 30, tzinfo=UTC)

type Make = Callable[..., dict[str, Any]]


def schedule(expression: str, **changed: object) -> dict[str, Any]:
    """Return ministack's record of a schedule."""
    times = {"CreationDate": CREATED.timestamp(), "LastModificationDate": CREATED.timestamp()}
    target = {"Arn": "arn:aws:lambda:eu-central-1:000000000000:function:f"}
    record = {"Arn": "arn:schedule", "ScheduleExpression": expression, "State": "ENABLED", "Target": target}
    return {**record, **times, **changed}


@pytest.mark.parametrize(
    ("expression", "changed", "expected"),
    [
        ("cron(0 4 * * ? *)", {}, "2026-11-26T04:00:00"),
        ("cron(0 4 * * ? *)", {"ScheduleExpressionTimezone": "Europe/Berlin"}, "2026-11-26T03:00:00"),
        ("cron(30 12 * * ? *)", {"ScheduleExpressionTimezone": "America/New_York"}, "2026-11-25T17:30:00"),
        ("rate(5 minutes)", {}, "2026-11-25T10:25:30"),
        ("rate(1 day)", {"StartDate": "2026-12-01T00:00:00Z"}, "2026-12-02T00:00:00"),
        ("at(2027-01-01T00:00:00)", {}, "2027-01-01T00:00:00"),
        ("at(2027-01-01T00:00:00)", {"ScheduleExpressionTimezone": "Asia/Tokyo"}, "2026-12-31T15:00:00"),
    ],
)
def test_a_schedule_is_due_in_its_own_time_zone(expression: str, changed: dict[str, object], expected: str) -> None:
    assert first(schedule(expression, **changed)) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_a_one_time_schedule_is_due_once() -> None:
    once = schedule("at(2027-01-01T00:00:00)")
    due = first(once)
    assert due is not None
    assert after(once, due) is None


def test_all_occurrences_of_the_context_attributes_are_replaced() -> None:
    attributes = ("schedule-arn", "scheduled-time", "execution-id", "attempt-number")
    text = " ".join(f"<aws.scheduler.{name}>" for name in attributes) + " <aws.scheduler.scheduled-time>"
    due = datetime(2022, 3, 22, 18, 59, 43, 999, tzinfo=UTC)
    filled = fill_in(text, schedule_arn="arn:1", due=due, execution="d32c5kddcf5bb8c3")
    assert filled == "arn:1 2022-03-22T18:59:43Z d32c5kddcf5bb8c3 1 2022-03-22T18:59:43Z"


class Clock:
    """A clock that a test controls, and a list of schedules."""

    def __init__(self) -> None:
        self.now = CREATED
        self.schedules: dict[str, dict[str, Any]] = {}
        self.fired: list[str] = []
        self.scheduler = Scheduler(
            now=lambda: self.now, fire=lambda scope, record, due: self.fired.append(f"{due:%H:%M:%S}")
        )

    def run(self, seconds: int) -> list[str]:
        """Advance the clock, and return the times at which the fired schedules were due."""
        self.fired.clear()
        for _ in range(seconds):
            self.now += timedelta(seconds=1)
            self.scheduler.fire_what_is_due()
        return list(self.fired)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    scope = ("000000000000", "eu-central-1")

    def listed() -> Iterator[tuple[tuple[str, str], str, dict[str, Any]]]:
        yield from ((scope, name, record) for name, record in list(clock.schedules.items()))

    monkeypatch.setattr(ministack_runtime, "schedules", listed)
    monkeypatch.setattr(ministack_runtime, "remove_schedule", lambda _, name: clock.schedules.pop(name))
    return clock


def test_the_scheduled_time_is_the_time_at_which_the_schedule_was_due(clock: Clock) -> None:
    clock.schedules["minutely"] = schedule("rate(1 minute)")
    clock.schedules["daily"] = schedule("cron(22 10 * * ? *)")
    assert clock.run(130) == ["10:21:30", "10:22:00", "10:22:30"]


def test_a_disabled_schedule_does_not_fire_later_for_the_missed_times(clock: Clock) -> None:
    clock.schedules["minutely"] = schedule("rate(1 minute)", State="DISABLED")
    assert clock.run(90) == []
    clock.schedules["minutely"]["State"] = "ENABLED"
    assert clock.run(60) == ["10:22:30"]


def test_a_new_schedule_of_the_same_name_starts_from_its_own_creation(clock: Clock) -> None:
    clock.schedules["minutely"] = schedule("rate(1 minute)")
    assert clock.run(70) == ["10:21:30"]
    del clock.schedules["minutely"]
    clock.run(120)
    again = clock.now.timestamp()
    clock.schedules["minutely"] = schedule("rate(1 minute)", CreationDate=again, LastModificationDate=again)
    assert clock.run(59) == []
    assert clock.run(1) == [f"{clock.now:%H:%M:%S}"]


def test_a_schedule_ends_at_its_end_date_and_a_one_time_schedule_after_its_time(clock: Clock) -> None:
    end = (CREATED + timedelta(seconds=90)).timestamp()
    clock.schedules["ends"] = schedule("rate(1 minute)", EndDate=end, ActionAfterCompletion="DELETE")
    clock.schedules["once"] = schedule("at(2026-11-25T10:21:00)", ActionAfterCompletion="DELETE")
    clock.schedules["stays"] = schedule("at(2026-11-25T10:21:05)", ActionAfterCompletion="NONE")
    assert clock.run(200) == ["10:21:00", "10:21:05", "10:21:30"]
    assert list(clock.schedules) == ["stays"]
