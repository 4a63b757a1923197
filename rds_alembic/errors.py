"""The errors of this package."""


class RdsAlembicError(Exception):
    """The deployment cannot be synthesized. The message names the setting, its rule and its value."""
