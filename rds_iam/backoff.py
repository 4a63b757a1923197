"""Growing, jittered pauses, so that those who failed together do not come back together."""

import random
import time
from dataclasses import dataclass

from rds_iam.deadline import Deadline


@dataclass
class Backoff:
    """Pauses between `first` and `longest` seconds, each twice the one before, less up to half of it by chance."""

    first: float
    longest: float
    tries: int = 0

    def pause(self, deadline: Deadline) -> bool:
        """Sleep, unless the deadline would pass meanwhile; tell whether there is time for another try."""
        self.tries += 1
        seconds = min(self.first * 2 ** (self.tries - 1), self.longest)
        if deadline.seconds_left <= seconds:
            return False
        time.sleep(seconds * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not cryptography
        return True
