"""The errors of this package."""


class QuerierError(Exception):
    """Root of everything this package raises."""


class EventError(QuerierError):
    """The event does not say which day to write."""


class WriteError(QuerierError):
    """The database was too busy to write the row; a later try can succeed."""
