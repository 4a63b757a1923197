"""The estimate of the locks of a statement, from squawk's advice and from PostgreSQL's documentation.

The estimate uses the text only. It omits locks that depend on the database: on partitions and children, which are
locked with their parent; on the rows that foreign keys refer to; by triggers and functions.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from review import squawk
from review.planning.lock_modes import LockMode
from review.planning.lock_table import FROM_SQUAWK, HARMLESS, LOCK_TABLE, NO_LOCK, WITHOUT_RELATIONS
from review.planning.schema import ForeignKey, Schema, created_by
from review.planning.syntax import UNREADABLE, Node, Reference, references

_ADVICE = re.compile(r"Statement requires: ([A-Z ]+) lock")


@dataclass(frozen=True)
class RelationLock:
    """The lock on a relation: a table if `kind` is empty.

    `is_new` is true if the same revision creates the relation: no other session waits for it.
    """

    mode: LockMode
    name: str
    kind: str = ""
    is_new: bool = False

    def __str__(self) -> str:
        return " ".join(filter(None, [self.kind, self.name]))


@dataclass(frozen=True)
class StatementLocks:
    """The locks that a statement holds until its transaction ends. If `is_complete` is false, there may be others."""

    held: tuple[RelationLock, ...] = ()
    is_complete: bool = True

    @property
    def strictest(self) -> LockMode | None:
        """Return the strictest mode on a relation that existed before the revision."""
        return max((lock.mode for lock in self.held if not lock.is_new), default=None)


def modes_from_squawk(statements: Sequence[Node]) -> list[LockMode | None]:
    """Return for each statement the mode in squawk's advice about lock_timeout."""
    # One statement per file, and without the project's settings, which may disable the rule.
    reports = squawk.run([statement.text for statement in statements], "--config", os.devnull)
    matches = [[m for report in of_text if (m := _ADVICE.search(report.advice or ""))] for of_text in reports]
    return [max((LockMode.parse(match[1]) for match in of_text), default=None) for of_text in matches]


def estimate(statement: Node, from_squawk: LockMode | None, schema: Schema) -> StatementLocks:
    """Return the locks of a statement. `from_squawk` is squawk's mode, and `schema` the state before the statement."""
    all_references = list(references(statement))
    named = [reference for reference in all_references if not _is_catalog(reference)]
    new = schema.new | ({created_by(statement)} - schema.known)
    locks: dict[tuple[str, str], RelationLock] = {}
    is_complete = statement.kind != UNREADABLE and not _cascades(statement)
    if not all_references:
        is_complete = is_complete and _needs_no_relation(statement)
    for lock in [
        *_created(statement, schema),
        *_named(statement, named, from_squawk),
        *_unnamed(statement, named, schema),
    ]:
        if lock is None:
            is_complete = False
        elif (key := (lock.kind, lock.name)) not in locks or locks[key].mode < lock.mode:
            locks[key] = replace(lock, is_new=lock.is_new or lock.name in new)
    return StatementLocks(tuple(locks.values()), is_complete)


def _created(statement: Node, schema: Schema) -> Iterator[RelationLock]:
    name = created_by(statement)
    if name and statement.has("OR_REPLACE") and name in schema.known - schema.new:
        yield RelationLock(LockMode.ACCESS_EXCLUSIVE, name, "view")
    elif name and statement.kind != "CREATE_INDEX":
        yield RelationLock(LockMode.ACCESS_EXCLUSIVE, name, is_new=True)


def _named(statement: Node, named: Sequence[Reference], from_squawk: LockMode | None) -> Iterator[RelationLock | None]:
    """Yield a lock for each relation that the statement names, or None if the mode is unknown."""
    for reference in named:
        node = next((kind for kind in reference.nodes if kind in LOCK_TABLE), "")
        mode = _mode(statement, node, from_squawk)
        if mode != NO_LOCK:
            yield RelationLock(mode, reference.name, reference.kind) if isinstance(mode, LockMode) else None


def _mode(statement: Node, node: str, from_squawk: LockMode | None) -> LockMode | str | None:
    """Return the mode for a syntax node. For some nodes, other parts of the statement decide."""
    concurrently = statement.has("CONCURRENTLY_KW")
    match node:
        case "RELATION_FROM_ITEM" if statement.has("LOCKING_CLAUSE"):
            return LockMode.ROW_SHARE
        case "COPY_TABLE" if statement.has("COPY_FROM"):
            return LockMode.ROW_EXCLUSIVE
        case "REINDEX_TARGET_TABLE" | "REINDEX_TARGET_INDEX" if concurrently:
            return LockMode.SHARE_UPDATE_EXCLUSIVE
        case "ALTER_TABLE" if statement.has("ATTACH_PARTITION") or (concurrently and statement.has("DETACH_PARTITION")):
            return LockMode.SHARE_UPDATE_EXCLUSIVE
        case "ALTER_SEQUENCE" if statement.has("SEQUENCE_RENAME_TO", "SET_SCHEMA"):
            return LockMode.ACCESS_EXCLUSIVE
    mode = LOCK_TABLE.get(node)
    return from_squawk if mode == FROM_SQUAWK else mode


def _unnamed(statement: Node, named: Sequence[Reference], schema: Schema) -> Iterator[RelationLock | None]:
    """Yield the locks on relations that the statement does not name: tables of indexes, targets of foreign keys."""
    concurrently = statement.has("CONCURRENTLY_KW")
    for reference in named:
        match statement.kind:
            case "DROP_INDEX":
                mode = LockMode.SHARE_UPDATE_EXCLUSIVE if concurrently else LockMode.ACCESS_EXCLUSIVE
                yield _on_table_of(reference.name, mode, schema)
            case "REINDEX" if reference.kind == "index":
                yield _on_table_of(
                    reference.name, LockMode.SHARE_UPDATE_EXCLUSIVE if concurrently else LockMode.SHARE, schema
                )
            case "REINDEX" if not concurrently:
                yield RelationLock(LockMode.ACCESS_EXCLUSIVE, reference.name, "indexes of")
            case "DROP_TABLE":
                yield from _on_targets(schema.keys(reference.name))
    for node in statement.find("DROP_CONSTRAINT", "VALIDATE_CONSTRAINT", "DROP_COLUMN"):
        mode = LockMode.ROW_SHARE if node.kind == "VALIDATE_CONSTRAINT" else LockMode.ACCESS_EXCLUSIVE
        yield from _on_targets(schema.keys(named[0].name, node), mode)


def _on_table_of(index: str, mode: LockMode, schema: Schema) -> RelationLock:
    table = schema.table_with(index)
    return RelationLock(mode, table) if table else RelationLock(mode, index, "the table of")


def _on_targets(keys: Iterable[ForeignKey], mode: LockMode = LockMode.ACCESS_EXCLUSIVE) -> Iterator[RelationLock]:
    return (RelationLock(mode, target) for target in sorted({key.target for key in keys}))


def _cascades(statement: Node) -> bool:
    """Tell whether dependent objects are dropped or truncated too. ON DELETE CASCADE does not count."""
    parents = [above[0].kind for node, above in statement.walk() if node.kind == "CASCADE"]
    return any(kind not in {"ON_DELETE_ACTION", "ON_UPDATE_ACTION"} for kind in parents)


def _needs_no_relation(statement: Node) -> bool:
    if not WITHOUT_RELATIONS.fullmatch(statement.kind) or statement.has("ALTER_TYPE_ATTRIBUTE_ACTION_LIST"):
        return False
    if statement.kind not in {"SELECT", "SELECT_INTO", "CREATE_TABLE_AS"}:
        return True
    calls = (next(call.find("NAME_REF"), call).text.lower() for call in statement.find("CALL_EXPR"))
    return all(name in HARMLESS for name in calls)


def _is_catalog(reference: Reference) -> bool:
    return reference.name.startswith(("pg_", "information_schema."))
