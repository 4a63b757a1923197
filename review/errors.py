"""The errors of this package."""


class ReviewError(Exception):
    """The revisions cannot be reviewed. The message names the reason, and the remedy if there is one."""


class GitError(ReviewError):
    """Git failed. The message is the message of git."""
