"""The errors of this package."""


class MigratorError(Exception):
    """The root of all errors of this package."""


class EventError(MigratorError):
    """The event of CloudFormation, or one of its properties, is malformed."""


class RolesError(MigratorError):
    """The roles of the database could not be set up."""


class UpgradeError(MigratorError):
    """The schema could not be brought to head. The revisions before the failed one stay applied."""


class LockNotAvailableError(UpgradeError):
    """A table of the revision was in use for longer than the lock timeout. Another try may succeed."""


class ConnectionLostError(UpgradeError):
    """The connection was lost during the upgrade. The upgrade may start over, from the state of the database."""


class HistoryError(UpgradeError):
    """The revisions of the deployment do not fit the revisions that were applied to the database."""


class CancelledError(UpgradeError):
    """CloudFormation has rolled the deployment back, or no longer waits for it. No further revision may be applied."""


class LockTimeoutError(UpgradeError):
    """Another upgrade held the advisory lock until the deadline."""


class ProtectionError(MigratorError):
    """A protection could not be lifted, or forbids the deletion of the stack."""


class BaselineError(UpgradeError):
    """The schema of the database is not that of the baseline, or cannot be compared with it."""
