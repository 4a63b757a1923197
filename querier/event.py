"""Read the day to write from the event that invokes the querier.

The schedule sends the time at which it was due, so that a retry after midnight writes the same day. An operator sends
the day that was missed.
"""

import datetime as dt
import re
import reprlib

from querier.errors import EventError

# EventBridge Scheduler sends 2026-11-20T04:00:00Z. The day in UTC of a time without an offset is unknown.
_DAY_OR_TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d))?", re.ASCII)
_RULE = "a day such as '2026-11-20', or a time with its offset from UTC such as '2026-11-20T04:00:00Z'"
_SHORT = reprlib.Repr(maxstring=100)
_USAGE = 'invoke the function with {"time": "2026-11-20"}, or with {} to write the current day in UTC'


def day_to_write(event: object) -> dt.date:
    """Return the day, in UTC, of the key `time` of the event, or the current day for an empty event.

    Raises EventError for any other event: a misspelt key must not write the current day.
    """
    if event == {}:
        return dt.datetime.now(dt.UTC).date()
    if not isinstance(event, dict) or "time" not in event:
        raise EventError(f"event must be an object with the key 'time' (got {_SHORT.repr(event)}); {_USAGE}")
    value = event["time"]
    if not isinstance(value, str) or not _DAY_OR_TIME.fullmatch(value):
        raise _bad_time(value)
    try:
        return _day_in_utc(value)
    except (ValueError, OverflowError) as exc:  # such as 2026-02-30, or the first hours of the year 1
        raise _bad_time(value) from exc


def _day_in_utc(value: str) -> dt.date:
    if "T" not in value:
        return dt.date.fromisoformat(value)
    return dt.datetime.fromisoformat(value).astimezone(dt.UTC).date()


def _bad_time(value: object) -> EventError:
    return EventError(f"time must be {_RULE} (got {_SHORT.repr(value)}); {_USAGE}")
