"""PostgreSQL's modes of locking a table, and what each keeps others from.

https://www.postgresql.org/docs/17/explicit-locking.html
"""

from enum import IntEnum


class Mode(IntEnum):
    """Ordered by how much else they keep out."""

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
    def of(cls, words: str) -> "Mode":
        """Return the mode that PostgreSQL calls so: `ACCESS EXCLUSIVE`."""
        return cls[words.replace(" ", "_")]

    @property
    def blocks(self) -> str:
        """Return who waits, in plain words."""
        return _BLOCKS[self]


_BLOCKS = {
    Mode.ACCESS_SHARE: "nothing but ACCESS EXCLUSIVE",
    Mode.ROW_SHARE: "changes of the rows it locks, some schema changes",
    Mode.ROW_EXCLUSIVE: "writes to the same rows, some schema changes",
    Mode.SHARE_UPDATE_EXCLUSIVE: "schema changes",
    Mode.SHARE: "writes, schema changes",
    Mode.SHARE_ROW_EXCLUSIVE: "writes, schema changes",
    Mode.EXCLUSIVE: "writes, schema changes",
    Mode.ACCESS_EXCLUSIVE: "reads, writes, schema changes",
}
