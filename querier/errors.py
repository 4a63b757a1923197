"""The errors of this package."""


class QuerierError(Exception):
    """The root of all errors of this package."""


class EventError(QuerierError):
    """The event does not name the day to write."""


class WriteError(QuerierError):
    """The row could not be written in time. A later try may succeed."""
