"""The errors of the local AWS."""


class LocalAwsError(Exception):
    """The root of all errors of the local AWS. The message names the setting or the action, and says what to do."""


class AuthenticationError(LocalAwsError):
    """A token is rejected. The message is the reason, for the server's log only."""


class LoginRejectedError(LocalAwsError):
    """A login is rejected. `response` is the message for the client; the error's text is for the log only."""

    def __init__(self, response: bytes, reason: str) -> None:
        super().__init__(reason)
        self.response = response


class ProtocolError(LocalAwsError):
    """A client violates PostgreSQL's protocol."""
