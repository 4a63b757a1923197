"""The event of the querier names the day that it writes."""

import datetime as dt
from typing import Any

import pytest

from querier.errors import EventError
from querier.event import day_to_write


@pytest.mark.parametrize(
    ("time", "day"),
    [
        ("2026-11-20T04:00:00Z", dt.date(2026, 11, 20)),
        ("2026-11-20T23:59:59.999Z", dt.date(2026, 11, 20)),
        ("2026-11-20T00:30:00+02:00", dt.date(2026, 11, 19)),
        ("2026-11-20T23:30-02:00", dt.date(2026, 11, 21)),
        ("2024-02-29", dt.date(2024, 2, 29)),
    ],
)
def test_the_event_names_a_day_in_utc(time: str, day: dt.date) -> None:
    assert day_to_write({"time": time}) == day


def test_the_other_keys_of_the_default_event_of_eventbridge_scheduler_are_ignored() -> None:
    event = {"version": "0", "detail-type": "Scheduled Event", "time": "2026-11-20T04:00:00Z", "detail": "{}"}
    assert day_to_write(event) == dt.date(2026, 11, 20)


def test_an_empty_event_means_the_current_day() -> None:
    before = dt.datetime.now(dt.UTC).date()
    assert before <= day_to_write({}) <= dt.datetime.now(dt.UTC).date()


@pytest.mark.parametrize(
    "time",
    [
        "",
        "today",
        "<aws.scheduler.scheduled-time>",
        "20.11.2026",
        "20261120",
        "2026-W47-5",
        "2026-11-20T04:00:00",
        "2026-11-20 04:00:00Z",
        "2026-02-30",
        "2026-11-20T25:00:00Z",
        "0001-01-01T00:00:00+02:00",
        "\uff12026-11-20",
        "2026-11-20\n",
        1763611200,
        None,
        ["2026-11-20"],
    ],
)
def test_a_time_that_does_not_name_a_day_is_rejected_with_its_value_and_the_command(time: Any) -> None:
    with pytest.raises(EventError) as error:
        day_to_write({"time": time})
    assert str(error.value).startswith("time must be a day such as '2026-11-20'")
    assert f"(got {time!r}); invoke the function with" in str(error.value)


@pytest.mark.parametrize("event", [{"day": "2026-11-20"}, {"Time": "2026-11-20"}, "2026-11-20", [], None, 0])
def test_an_event_without_a_time_is_rejected_instead_of_writing_the_current_day(event: object) -> None:
    with pytest.raises(EventError) as error:
        day_to_write(event)
    assert str(error.value).startswith(f"event must be an object with the key 'time' (got {event!r})")


def test_a_long_value_is_shortened_in_the_message() -> None:
    with pytest.raises(EventError) as error:
        day_to_write({"time": "x" * 100_000})
    assert len(str(error.value)) < 400
