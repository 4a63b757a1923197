"""Pause between tries. The pauses grow and have jitter, so that clients that failed together do not retry together."""

import random
import time
from dataclasses import dataclass

from rds_iam.deadline import Deadline


@dataclass
class Backoff:
    """Pauses between `first` and `longest` seconds. Each is twice the previous one, less up to half at random."""

    first: float
    longest: float
    tries: int = 0

    def pause(self, deadline: Deadline) -> bool:
        """Sleep, and return whether there is time for another try. Does not sleep past the deadline."""
        self.tries += 1
        seconds = min(self.first * 2 ** (self.tries - 1), self.longest)
        if deadline.seconds_left <= seconds:
            return False
        time.sleep(seconds * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not cryptography
        return True
