"""The lock modes of PostgreSQL for tables, and the work of other sessions that waits for each.

https://www.postgresql.org/docs/17/explicit-locking.html
"""

import re
from enum import IntEnum


class LockMode(IntEnum):
    """The lock modes, from the weakest to the strictest."""

    ACCESS_SHARE = 1
    ROW_SHARE = 2
    ROW_EXCLUSIVE = 3
    SHARE_UPDATE_EXCLUSIVE = 4
    SHARE = 5
    SHARE_ROW_EXCLUSIVE = 6
    EXCLUSIVE = 7
    ACCESS_EXCLUSIVE = 8

    def __str__(self) -> str:
        return self.name.replace("_", " ")

    @classmethod
    def parse(cls, name: str) -> "LockMode":
        """Return the mode with a name of `pg_locks`, for example `AccessExclusiveLock`."""
        return cls["_".join(re.findall("[A-Z][a-z]+", name.removesuffix("Lock"))).upper()]

    @property
    def makes_wait(self) -> bool:
        """Tell whether readers or writers of the table wait."""
        return self >= LockMode.SHARE

    @property
    def waiting(self) -> str:
        """Return who waits."""
        if self is LockMode.ACCESS_EXCLUSIVE:
            return "readers and writers wait"
        if self.makes_wait:
            return "writers wait"
        return "schema changes wait" if self is LockMode.SHARE_UPDATE_EXCLUSIVE else "no reader or writer waits"
