"""The state of the server around a statement: locks, storage, scans and new objects. No model of PostgreSQL."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg2.extensions import connection as Session  # noqa: N812 - psycopg2 spells its class in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.sql import Composable

from review.lock_modes import LockMode
from review.recording import Relation, RelationLock, strictest

FIRST_OID = 16384
"""Objects of the users of a database have this oid or a higher one: access/transam.h of PostgreSQL."""

# https://www.postgresql.org/docs/17/monitoring-stats.html: pg_stat_get_xact_numscans counts the sequential scans of the
# transaction, also those of ALTER TABLE, index builds and the validation of constraints.
_RELATIONS = """
SELECT c.oid, n.nspname, c.relname, c.relkind, coalesce(t.relname, ''), i.indrelid, pg_relation_filenode(c.oid),
    pg_stat_get_xact_numscans(c.oid), c.relnatts
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_index i ON i.indexrelid = c.oid
LEFT JOIN pg_class t ON t.oid = i.indrelid
WHERE c.oid >= 16384 AND n.nspname !~ '^pg_'
"""
_LOCKS = """
SELECT relation, mode FROM pg_locks
WHERE pid = %s AND relation >= 16384 AND locktype = 'relation'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_CATALOGS = {
    "pg_class": "relkind IN ('r', 'p', 'v', 'm', 'S', 'i', 'I', 'f') AND relnamespace <> 'pg_toast'::regnamespace",
    "pg_type": "typrelid = 0 AND typelem = 0",
    "pg_proc": "true",
    "pg_trigger": "NOT tgisinternal",
    "pg_constraint": "contype IN ('c', 'f', 'p', 'u', 'x')",
    "pg_policy": "true",
    "pg_extension": "true",
    "pg_namespace": "true",
}
_NAMES = " UNION ALL ".join(
    f"SELECT '{name}'::regclass AS class, o.* FROM (SELECT oid FROM {name} WHERE {condition}) o"  # noqa: S608 - constants
    for name, condition in _CATALOGS.items()
)
_MAX_OID = f"SELECT max(oid) FROM ({_NAMES}) objects"  # noqa: S608
_NEW_OBJECTS = f"""
SELECT oid, name.type || ' ' || name.identity
FROM (SELECT * FROM ({_NAMES}) each WHERE oid > %(last)s OFFSET 0) objects, pg_identify_object(class, oid, 0) name
WHERE NOT EXISTS (
    SELECT FROM pg_depend
    WHERE classid = class AND objid = oid AND refobjid <> oid AND deptype IN ('e', 'i')
)
"""  # noqa: S608
# The rows of the catalogs that the open transaction has written. cmin is the number of the command.
_CHANGES = """
SELECT 'column', attrelid, attnum, attidentity::text || attgenerated::text, cmin::text FROM pg_attribute o
WHERE attrelid = ANY(%(oids)s) AND attnum > 0 AND {0}
UNION ALL SELECT 'constraint', conrelid, oid, contype::text, cmin::text FROM pg_constraint o
WHERE conrelid = ANY(%(oids)s) AND {0}
UNION ALL SELECT 'partition', inhrelid, inhparent, '', cmin::text FROM pg_inherits o
WHERE inhrelid = ANY(%(oids)s) AND {0}
""".format("xmin::text::bigint >= pg_current_xact_id()::text::bigint")  # noqa: S608 - a constant
_KINDS = {
    "r": "table",
    "p": "partitioned table",
    "i": "index",
    "I": "partitioned index",
    "v": "view",
    "m": "materialized view",
    "S": "sequence",
    "f": "foreign table",
}


@dataclass(frozen=True)
class StoredRelation:
    """A relation with its file, and the numbers of its sequential scans and of its columns, dropped ones included.

    `table` is the oid of the table of an index.
    """

    relation: Relation
    table: int | None
    file: int | None
    scans: int
    columns: int


@dataclass(frozen=True)
class Change:
    """A row of a catalog that the open transaction has written.

    `number` is the number of a column, or the oid of a constraint. `kind` of a column is its identity or `s` for a
    generated one, of a constraint its type: https://www.postgresql.org/docs/17/catalog-pg-constraint.html.
    """

    catalog: str
    table: int
    number: int
    kind: str
    command: str


@dataclass
class State:
    """The state of the server before a statement: relations, highest oid, and changes of the transaction."""

    relations: dict[int, StoredRelation]
    last_oid: int
    changes: set[Change] = field(default_factory=set)


def read_relations(session: Session, oids: Iterable[int] | None = None) -> dict[int, StoredRelation]:
    """Return all relations, or those with the given oids that exist."""
    condition = "" if oids is None else " AND c.oid = ANY(%s)"
    rows = query(session, f"{_RELATIONS}{condition}", [] if oids is None else [list(oids)])
    return {
        oid: StoredRelation(Relation(schema, name, _KINDS.get(kind, kind), table_name), table, file, scans, columns)
        for oid, schema, name, kind, table_name, table, file, scans, columns in rows
    }


def read_locks(session: Session, pid: int) -> dict[int, LockMode]:
    """Return the strictest lock of a session on each relation, granted or requested."""
    locks: dict[int, LockMode] = {}
    for oid, name in query(session, _LOCKS, [pid]):
        locks[oid] = max(LockMode.parse(name), locks.get(oid, LockMode.ACCESS_SHARE))
    return locks


def named(locks: Mapping[int, LockMode], relations: Mapping[int, StoredRelation]) -> tuple[RelationLock, ...]:
    """Return the locks on the given relations, the strictest first."""
    return strictest(RelationLock(relations[oid].relation, mode) for oid, mode in locks.items() if oid in relations)


def read_state(session: Session) -> State:
    """Return the state at the beginning of a transaction."""
    return State(read_relations(session), max(FIRST_OID - 1, int(query(session, _MAX_OID)[0][0])))


def new_objects(session: Session, last: int) -> dict[int, str]:
    """Return the types and names of the objects with a higher oid than `last`."""
    return dict(query(session, _NEW_OBJECTS, {"last": last}))


def changes(session: Session, tables: Iterable[int]) -> set[Change]:
    """Return the columns, constraints and partitions of tables that the open transaction has written."""
    return {Change(*row) for row in query(session, _CHANGES, {"oids": list(tables)})}


def query(session: Session, sql: str | Composable, arguments: Any = None) -> list[tuple[Any, ...]]:
    """Run a query of the recorder. The cursor factory of the session is not used."""
    with session.cursor(cursor_factory=Cursor) as cursor:
        cursor.execute(sql, arguments)
        return cursor.fetchall()
