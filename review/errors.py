"""The errors of this package."""


class ReviewError(Exception):
    """The revisions cannot be reviewed. The message names the reason, and the remedy if there is one."""


class RollbackError(Exception):
    """The revision rolled back its own work. The migrator fails such a revision."""


class Interruption(BaseException):
    """The end of a revision after a statement outside a transaction, as by the end of the function."""
