"""The errors of this package."""


class RdsIamError(Exception):
    """Root of everything this package raises."""


class SettingsError(RdsIamError):
    """The environment of the function is incomplete or malformed."""


class ConnectError(RdsIamError):
    """The database could not be reached, or refused the login, until the deadline."""
