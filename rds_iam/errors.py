"""The errors of this package."""


class RdsIamError(Exception):
    """The root of all errors of this package."""


class SettingsError(RdsIamError):
    """A setting in the environment of the function is missing or malformed."""


class ConnectError(RdsIamError):
    """The database could not be reached, or rejected the login, until the deadline."""
