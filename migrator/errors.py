"""The errors of this package."""


class MigratorError(Exception):
    """Root of everything this package raises."""


class EventError(MigratorError):
    """CloudFormation's event, or the properties in it, are not what the template promises."""


class RolesError(MigratorError):
    """The roles of the database could not be brought to what the properties ask for."""


class UpgradeError(MigratorError):
    """The schema could not be brought to head; the revisions before the failed one stay applied."""


class LockNotAvailableError(UpgradeError):
    """A table of the revision was in use for longer than its lock_timeout: worth another try."""


class ConnectionLostError(UpgradeError):
    """The server went away during the upgrade: worth starting over from what the database says."""


class HistoryError(UpgradeError):
    """The deployment's history does not fit the revisions that were applied to the database."""


class CancelledError(UpgradeError):
    """CloudFormation has given the deployment up: no further revision may be applied for it."""


class LockTimeoutError(UpgradeError):
    """Another upgrade held the lock until the time was over."""


class ProtectionError(MigratorError):
    """A protection could not be lifted, or forbids what CloudFormation is about to do."""
