"""The rule for the setting `lock-timeout`."""

import re

from rds_alembic.errors import RdsAlembicError

MAX_SECONDS = 300


def parse_lock_timeout(text: str) -> float:
    """Return the seconds that a text names. Raises RdsAlembicError."""
    seconds = float(text) if re.fullmatch(r"\d{1,4}(\.\d{1,3})?", text) else 0.0
    if not 0 < seconds <= MAX_SECONDS:
        raise RdsAlembicError(f"lock-timeout must be a number of seconds above 0, up to {MAX_SECONDS} (got {text!r})")
    return seconds
