"""The context of an invocation, which Lambda passes to a handler."""

from dataclasses import dataclass

from aws_lambda_powertools.utilities.typing import LambdaContext


@dataclass
class Context(LambdaContext):
    """A context with a constant remaining time."""

    seconds_left: float = 60.0
    request_id: str = "5ba0e1a2-2a5c-4f0e-9a0e-3a9a3e0a1c11"

    def __post_init__(self) -> None:
        self._function_name = "function"
        self._memory_limit_in_mb = 512
        self._invoked_function_arn = "arn:aws:lambda:eu-central-1:000000000000:function:function"
        self._aws_request_id = self.request_id

    def get_remaining_time_in_millis(self) -> int:  # type: ignore[override] # Powertools declares it without self
        """Return the remaining time, which does not decrease: the handlers call this method once."""
        return int(self.seconds_left * 1000)
