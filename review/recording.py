"""The recording of revisions: the values that the recorder writes, and that all rules and reports read."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from review.lock_modes import LockMode

type WorkKind = Literal["rewrites", "reads", "builds"]


@dataclass(frozen=True, order=True)
class Relation:
    """A table, an index, a view or a sequence that existed before the revision. `table` is the table of an index."""

    schema: str
    name: str
    kind: str = "table"
    table: str = ""

    @property
    def is_partitioned(self) -> bool:
        """Tell whether the rows are in partitions."""
        return self.kind.startswith("partitioned")

    @property
    def is_table(self) -> bool:
        """Tell whether this is a table, partitioned or not."""
        return self.kind.endswith("table")

    @property
    def qualified(self) -> str:
        """Return the name with the schema."""
        return f"{self.schema}.{self.name}"

    def __str__(self) -> str:
        name = self.name if self.schema == "public" else self.qualified
        return name if self.is_table else f"{self.kind} {name}"


@dataclass(frozen=True, order=True)
class RelationLock:
    """The strictest lock that a session holds on a relation."""

    relation: Relation
    mode: LockMode


def strictest(locks: Iterable[RelationLock]) -> tuple[RelationLock, ...]:
    """Return the strictest lock on each relation: strict locks first, and tables before their indexes."""
    by_relation: dict[Relation, RelationLock] = {}
    for lock in locks:
        by_relation[lock.relation] = max(lock, by_relation.get(lock.relation, lock), key=lambda lock: lock.mode)

    def order(lock: RelationLock) -> tuple[int, bool, str]:
        return -lock.mode, not lock.relation.is_table, str(lock.relation)

    return tuple(sorted(by_relation.values(), key=order))


@dataclass(frozen=True, order=True)
class Work:
    """Work that grows with a table: a rewrite, a full read, or the build of an index."""

    kind: WorkKind
    table: Relation
    index: str = ""

    def __str__(self) -> str:
        return f"builds {self.index} on {self.table}" if self.kind == "builds" else f"{self.kind} {self.table}"


@dataclass(frozen=True)
class Wait:
    """The locks of a statement while it waited, and the transactions that it waited for."""

    reason: str
    locks: tuple[RelationLock, ...]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One SQL statement as it was sent, with its parameters, and the state of the server after it.

    - `tag`: PostgreSQL's name of the command, for example `ALTER TABLE`
    - `line`, `end_line`: the Python statement of the revision that sent it
    - `transaction`: the number of the transaction in the revision
    - `in_transaction`: the transaction contains further statements. Otherwise, the statement is its own transaction
    - `locks`: held afterwards, on relations that existed before the revision
    - `touches_new`: it locked a relation that the revision created
    - `cause`: the change that the work is for, for example `type` or `foreign-key`
    - `emptied`: the tables that TRUNCATE emptied
    - `created`: the types and names of new objects
    - `rows`: the number of affected rows, or -1
    - `error`: the message of PostgreSQL
    """

    sql: str
    line: int
    end_line: int
    in_transaction: bool
    transaction: int
    tag: str = ""
    locks: tuple[RelationLock, ...] = ()
    touches_new: bool = False
    work: tuple[Work, ...] = ()
    cause: str = ""
    emptied: tuple[Relation, ...] = ()
    created: tuple[str, ...] = ()
    waits: tuple[Wait, ...] = ()
    rows: int = -1
    seconds: float = 0.0
    error: str | None = None

    @property
    def strictest(self) -> LockMode | None:
        """Return the strictest lock on a relation that existed before."""
        return max((lock.mode for lock in self.locks), default=None)


@dataclass(frozen=True)
class Failure:
    """The exception that ended a revision, and the line of the revision. `sqlstate` is PostgreSQL's code."""

    line: int
    message: str
    sqlstate: str | None = None


@dataclass
class RevisionRecording:
    """The statements of a revision, without those for the version table. They end at `failure`.

    - `files`: the files that the revision has read, besides Python code
    - `rerun_failures`: the rules and failures of a second run after an interruption, if that was tried
    """

    revision: str
    path: Path
    title: str
    statements: list[Statement] = field(default_factory=list)
    failure: Failure | None = None
    files: tuple[Path, ...] = ()
    rerun_failures: tuple[tuple[str, Failure], ...] = ()
    seconds: float = 0.0

    @property
    def strictest(self) -> LockMode | None:
        """Return the strictest lock of all statements."""
        return max((mode for statement in self.statements if (mode := statement.strictest)), default=None)
