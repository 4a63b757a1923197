"""The interface between the IAM authentication proxy and the part that verifies tokens, as IAM does for RDS."""

from typing import Protocol


class TokenVerifier(Protocol):
    """Verifies the token of one login. The proxy calls it in a thread."""

    def verify(self, *, user: str, token: str, host: str, port: int) -> str:
        """Return the principal that signed `token`. Raises AuthenticationError with the reason for a rejection."""
        ...
