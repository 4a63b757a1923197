"""The one error root of this package."""


class InfraError(Exception):
    """Synthesis is refused; the message says what is wrong, the value, and what is allowed."""
