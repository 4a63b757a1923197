"""What can go wrong in the local AWS, as one family."""


class LocalAwsError(Exception):
    """Something the local AWS cannot do; the message says what, with the value, and what is allowed."""


class Refused(LocalAwsError):  # noqa: N818 - says what became of the login
    """A login is turned away; the message is the reason, for the server's log and never for the client."""
