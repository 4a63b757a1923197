"""The event that invokes the querier: it names the day to write.

The schedule sends the time that it was due at, so that a retry after midnight writes the same day. An operator sends
the day that was missed.
"""

import datetime as dt
import re
import reprlib

from querier.errors import EventError

# EventBridge Scheduler sends 2026-11-20T04:00:00Z. Without an offset, a time does not say which day it is in UTC.
_DAY_OR_TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d))?", re.ASCII)
_RULE = "a day such as '2026-11-20', or a time with its offset from UTC such as '2026-11-20T04:00:00Z'"
_SHORT = reprlib.Repr(maxstring=100)
_USAGE = 'invoke the function with {"time": "2026-11-20"}, or with {} to write the current day in UTC'


def day_to_write(event: object) -> dt.date:
    """Return the day in UTC that the key `time` of the event is in; an empty event means the current day.

    Raises EventError for anything else: a misspelt key must not write the current day.
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
