"""Which locks a statement takes, on what: squawk's word where it has one, PostgreSQL's documentation elsewhere.

An estimate from the text alone. What only the database knows is left out: partitions and children, which are locked
with their parent; rows' foreign keys, which lock the rows they point to; what a trigger or a function does.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from review import squawk
from review.planning.modes import Mode
from review.planning.places import BY_PLACE, HARMLESS, NOTHING, SQUAWKS, WITHOUT_RELATIONS
from review.planning.schema import ForeignKey, Schema, made_by
from review.planning.syntax import UNREADABLE, Node, Reference, references

_ADVICE = re.compile(r"Statement requires: ([A-Z ]+) lock")


@dataclass(frozen=True)
class Lock:
    """`name` is a table, or `kind` says what. Nobody waits for what is `new`: made by the same revision."""

    mode: Mode
    name: str
    kind: str = ""
    is_new: bool = False

    def __str__(self) -> str:
        return " ".join(filter(None, [self.kind, self.name]))


@dataclass(frozen=True)
class Locks:
    """What a statement holds until its transaction ends; `is_complete` is false if there may be more."""

    held: tuple[Lock, ...] = ()
    is_complete: bool = True

    @property
    def strictest(self) -> Mode | None:
        """Return the strictest mode that others may meet."""
        return max((lock.mode for lock in self.held if not lock.is_new), default=None)


def squawks_modes(statements: Sequence[Node]) -> list[Mode | None]:
    """Return the mode that squawk names in its advice to set a lock_timeout, for each statement."""
    # One statement to a file, and no settings of the project's: they may switch that rule off.
    reports = squawk.run([statement.text for statement in statements], "--config", os.devnull)
    found = [[match for report in of if (match := _ADVICE.search(report.advice or ""))] for of in reports]
    return [max((Mode.of(match[1]) for match in matches), default=None) for matches in found]


def estimate(statement: Node, squawks: Mode | None, schema: Schema) -> Locks:
    """Return what a statement locks, given squawk's word and what was run before."""
    everything = list(references(statement))
    named = [reference for reference in everything if not _is_catalog(reference)]
    new = schema.new | ({made_by(statement)} - schema.known)
    found: dict[tuple[str, str], Lock] = {}
    is_complete = statement.kind != UNREADABLE and not _cascades(statement)
    if not everything:
        is_complete = is_complete and _needs_no_relation(statement)
    for lock in [*_made(statement, schema), *_named(statement, named, squawks), *_beyond(statement, named, schema)]:
        if lock is None:
            is_complete = False
        elif (key := (lock.kind, lock.name)) not in found or found[key].mode < lock.mode:
            found[key] = replace(lock, is_new=lock.is_new or lock.name in new)
    return Locks(tuple(found.values()), is_complete)


def _made(statement: Node, schema: Schema) -> Iterator[Lock]:
    made = made_by(statement)
    if made and statement.has("OR_REPLACE") and made in schema.known - schema.new:
        yield Lock(Mode.ACCESS_EXCLUSIVE, made, "view")
    elif made and statement.kind != "CREATE_INDEX":
        yield Lock(Mode.ACCESS_EXCLUSIVE, made, is_new=True)


def _named(statement: Node, named: Sequence[Reference], squawks: Mode | None) -> Iterator[Lock | None]:
    """Yield a lock on each relation that the statement names, or None where it is not known."""
    for reference in named:
        place = next((kind for kind in reference.places if kind in BY_PLACE), "")
        mode = _mode(statement, place, squawks)
        if mode != NOTHING:
            yield Lock(mode, reference.name, reference.kind) if isinstance(mode, Mode) else None


def _mode(statement: Node, place: str, squawks: Mode | None) -> Mode | str | None:
    """Return the mode of a place, where the rest of the statement decides."""
    concurrently = statement.has("CONCURRENTLY_KW")
    match place:
        case "RELATION_FROM_ITEM" if statement.has("LOCKING_CLAUSE"):
            return Mode.ROW_SHARE
        case "COPY_TABLE" if statement.has("COPY_FROM"):
            return Mode.ROW_EXCLUSIVE
        case "REINDEX_TARGET_TABLE" | "REINDEX_TARGET_INDEX" if concurrently:
            return Mode.SHARE_UPDATE_EXCLUSIVE
        case "ALTER_TABLE" if statement.has("ATTACH_PARTITION") or (concurrently and statement.has("DETACH_PARTITION")):
            return Mode.SHARE_UPDATE_EXCLUSIVE
        case "ALTER_SEQUENCE" if statement.has("SEQUENCE_RENAME_TO", "SET_SCHEMA"):
            return Mode.ACCESS_EXCLUSIVE
    mode = BY_PLACE.get(place)
    return squawks if mode == SQUAWKS else mode


def _beyond(statement: Node, named: Sequence[Reference], schema: Schema) -> Iterator[Lock | None]:
    """Yield locks on what the statement does not name: the table of an index, the other end of foreign keys."""
    concurrently = statement.has("CONCURRENTLY_KW")
    for reference in named:
        match statement.kind:
            case "DROP_INDEX":
                mode = Mode.SHARE_UPDATE_EXCLUSIVE if concurrently else Mode.ACCESS_EXCLUSIVE
                yield _on_table_of(reference.name, mode, schema)
            case "REINDEX" if reference.kind == "index":
                yield _on_table_of(reference.name, Mode.SHARE_UPDATE_EXCLUSIVE if concurrently else Mode.SHARE, schema)
            case "REINDEX" if not concurrently:
                yield Lock(Mode.ACCESS_EXCLUSIVE, reference.name, "indexes of")
            case "DROP_TABLE":
                yield from _on_targets(schema.keys(reference.name))
    for node in statement.find("DROP_CONSTRAINT", "VALIDATE_CONSTRAINT", "DROP_COLUMN"):
        mode = Mode.ROW_SHARE if node.kind == "VALIDATE_CONSTRAINT" else Mode.ACCESS_EXCLUSIVE
        yield from _on_targets(schema.keys(named[0].name, node), mode)


def _on_table_of(index: str, mode: Mode, schema: Schema) -> Lock:
    table = schema.table_with(index)
    return Lock(mode, table) if table else Lock(mode, index, "the table of")


def _on_targets(keys: Iterable[ForeignKey], mode: Mode = Mode.ACCESS_EXCLUSIVE) -> Iterator[Lock]:
    return (Lock(mode, target) for target in sorted({key.target for key in keys}))


def _cascades(statement: Node) -> bool:
    """Tell whether what depends on something is dropped or truncated, too; ON DELETE CASCADE is another matter."""
    found = [above[0].kind for node, above in statement.walk() if node.kind == "CASCADE"]
    return any(kind not in {"ON_DELETE_ACTION", "ON_UPDATE_ACTION"} for kind in found)


def _needs_no_relation(statement: Node) -> bool:
    if not WITHOUT_RELATIONS.fullmatch(statement.kind) or statement.has("ALTER_TYPE_ATTRIBUTE_ACTION_LIST"):
        return False
    if statement.kind not in {"SELECT", "SELECT_INTO", "CREATE_TABLE_AS"}:
        return True
    calls = (next(call.find("NAME_REF"), call).text.lower() for call in statement.find("CALL_EXPR"))
    return all(name in HARMLESS for name in calls)


def _is_catalog(reference: Reference) -> bool:
    return reference.name.startswith(("pg_", "information_schema."))
