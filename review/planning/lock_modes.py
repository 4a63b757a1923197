"""The lock modes of PostgreSQL for tables, and the work of other sessions that each blocks.

https://www.postgresql.org/docs/17/explicit-locking.html
"""

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
        """Return the mode with a name of PostgreSQL, for example `ACCESS EXCLUSIVE`."""
        return cls[name.replace(" ", "_")]

    @property
    def blocks(self) -> str:
        """Return the work of other sessions that waits."""
        return _BLOCKS[self]


_BLOCKS = {
    LockMode.ACCESS_SHARE: "ACCESS EXCLUSIVE only",
    LockMode.ROW_SHARE: "changes of the locked rows, some schema changes",
    LockMode.ROW_EXCLUSIVE: "writes to the same rows, some schema changes",
    LockMode.SHARE_UPDATE_EXCLUSIVE: "schema changes",
    LockMode.SHARE: "writes, schema changes",
    LockMode.SHARE_ROW_EXCLUSIVE: "writes, schema changes",
    LockMode.EXCLUSIVE: "writes, schema changes",
    LockMode.ACCESS_EXCLUSIVE: "reads, writes, schema changes",
}
