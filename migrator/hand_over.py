"""Hand the objects of a database over from their owners to another role.

Each object is handed over in a transaction of its own, because ALTER ... OWNER TO locks a table for all other sessions.
A table in use is tried again later. Another run continues where a run has stopped.

The database, the schema `public`, extensions with their objects, and event triggers stay with their owners.
`REASSIGN OWNED` would also take the databases of a role, on the whole server, and lock all tables at once.

The session belongs to the master user. The names of the objects come from PostgreSQL, quoted and with their schemas,
and a change of the owner executes no code of an object.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_lambda_powertools import Logger
from psycopg2 import Error, errors
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - likewise
from psycopg2.sql import SQL, Identifier

from migrator.errors import RolesError
from migrator.memberships import missing_rights, rights_of, run, with_rights_of
from rds_iam.backoff import Backoff
from rds_iam.deadline import Deadline

# Other sessions wait for this time at most behind a change of the owner that waits for a table in use.
LOCK_TIMEOUT_MILLISECONDS = 500
_SHOWN = 5
_SETTINGS = (
    "SET LOCAL search_path TO pg_catalog, pg_temp; SET LOCAL synchronous_commit TO off;"
    f" SET LOCAL lock_timeout TO {LOCK_TIMEOUT_MILLISECONDS}"
)
# The types of pg_identify_object that have an owner, and the word for each in ALTER ... OWNER TO. `type` includes
# domains.
_KEYWORDS = {
    "schema": "SCHEMA",
    "type": "TYPE",
    "table": "TABLE",
    "foreign table": "FOREIGN TABLE",
    "view": "VIEW",
    "materialized view": "MATERIALIZED VIEW",
    "sequence": "SEQUENCE",
    "function": "ROUTINE",
    "procedure": "ROUTINE",
    "aggregate": "ROUTINE",
    "collation": "COLLATION",
    "conversion": "CONVERSION",
    "operator": "OPERATOR",
    "operator class": "OPERATOR CLASS",
    "operator family": "OPERATOR FAMILY",
    "statistics object": "STATISTICS",
    "text search configuration": "TEXT SEARCH CONFIGURATION",
    "text search dictionary": "TEXT SEARCH DICTIONARY",
    "large object": "LARGE OBJECT",
    "publication": "PUBLICATION",
    "server": "SERVER",
}
# Not listed: temporary objects; members of extensions; sequences of a column, which follow their table; the relation
# behind a composite type; a multirange type before its range type, which it follows since PostgreSQL 17.
_OBJECTS = """
SELECT pg_catalog.pg_get_userbyid(refobjid), object.type, object.schema, object.identity
FROM pg_catalog.pg_shdepend AS owned, LATERAL pg_catalog.pg_identify_object(classid, objid, 0) AS object
WHERE deptype = 'o' AND refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
    AND refobjid = ANY (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = ANY (%(roles)s))
    AND dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
    AND object.type = ANY (%(types)s) AND object.identity IS NOT NULL
    AND NOT (object.type = 'schema' AND object.identity = 'public') AND coalesce(object.schema, '') !~ '^pg_temp'
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS part
        WHERE part.classid = owned.classid AND part.objid = owned.objid AND part.objsubid = 0 AND (
            part.deptype = 'e'
            OR object.type = 'sequence' AND part.deptype IN ('a', 'i')
                AND part.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        )
    )
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_range JOIN pg_catalog.pg_type AS range ON range.oid = rngtypid
        WHERE owned.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND rngmultitypid = owned.objid
            AND range.typowner = owned.refobjid
    )
ORDER BY object.type <> 'schema', object.identity
"""
_SCHEMAS_WITHOUT_PRIVILEGES = """
SELECT nspname, pg_catalog.pg_get_userbyid(
    CASE WHEN nspowner = 'pg_database_owner'::pg_catalog.regrole THEN datdba ELSE nspowner END
)
FROM pg_catalog.pg_namespace, pg_catalog.pg_database
WHERE datname = pg_catalog.current_database() AND nspname = ANY (%(schemas)s)
    AND pg_catalog.pg_get_userbyid(nspowner) <> ALL (%(roles)s)
    AND NOT (pg_catalog.has_schema_privilege(%(new)s, pg_namespace.oid, 'CREATE')
             AND pg_catalog.has_schema_privilege(%(new)s, pg_namespace.oid, 'USAGE'))
"""
_BLOCKERS = """
SELECT DISTINCT pid, usename, application_name FROM pg_catalog.pg_locks
JOIN pg_catalog.pg_stat_activity USING (pid)
WHERE relation = pg_catalog.to_regclass(%s)::oid AND granted
"""

logger = Logger(child=True)


@dataclass(frozen=True)
class OwnedObject:
    """An object of the database. `identity` is its name in SQL, with its schema and arguments."""

    owner: str
    type: str
    schema: str | None
    identity: str

    def __str__(self) -> str:
        return f"{self.type} {self.identity} of {self.owner}"


def hand_over(connection: Connection, owners: Sequence[str], new: str, deadline: Deadline) -> int:
    """Make `new` the owner of the objects of `owners`. Return the number of objects.

    Repeats objects that are in use until the deadline. Then raises RolesError with these objects and the sessions that
    use them. Objects that were handed over before the error stay with `new`.
    """
    count, backoff = 0, Backoff(first=0.5, longest=5.0)
    _grant_schemas(connection, owners, new)
    missing = {owner: _missing_rights(connection, owner, new) for owner in owners}
    while objects := _list(connection, owners):
        blocked = [
            item for item in objects if not _try_to_hand_over(connection, item, new, missing[item.owner], deadline)
        ]
        count += len(objects) - len(blocked)
        if blocked and not backoff.pause(deadline):
            raise RolesError(_blocked(connection, blocked, new, count))
    return count


def _list(connection: Connection, owners: Sequence[str]) -> list[OwnedObject]:
    with connection, connection.cursor() as cursor:
        _begin(cursor)
        cursor.execute(_OBJECTS, {"roles": list(owners), "types": list(_KEYWORDS)})
        return [OwnedObject(*row) for row in cursor.fetchall()]


def _begin(cursor: Cursor) -> None:
    """Set the search path, the time limit of locks, and a commit that does not wait, as the next one does."""
    cursor.execute(_SETTINGS)


def _missing_rights(connection: Connection, owner: str, new: str) -> list[str]:
    """Return the roles that the master user must join for each object. Raises RolesError if it may not."""
    with connection, connection.cursor() as cursor:
        _begin(cursor)
        missing = missing_rights(cursor, owner, new)
        with rights_of(cursor, *missing):
            pass
        return missing


def _try_to_hand_over(
    connection: Connection, item: OwnedObject, new: str, missing: Sequence[str], deadline: Deadline
) -> bool:
    """Return False if the object is in use. Raises RolesError for any other reason."""
    if not deadline.seconds_left:
        return False
    statement = SQL(f"ALTER {_KEYWORDS[item.type]} {item.identity} OWNER TO {{}}").format(Identifier(new))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(SQL(_SETTINGS + "; ") + with_rights_of(cursor, statement, missing))
    except (errors.LockNotAvailable, errors.DeadlockDetected):
        return False
    except (errors.UndefinedObject, errors.UndefinedTable, errors.UndefinedFunction, errors.InvalidSchemaName):
        return True  # another session has dropped or renamed the object
    except Error as exc:
        raise RolesError(f"{item} cannot be handed over to {new}: {exc.pgcode}: {exc.diag.message_primary}") from exc
    return True


def _grant_schemas(connection: Connection, owners: Sequence[str], new: str) -> None:
    """Grant the new owner USAGE and CREATE on the schemas of the objects that stay with other owners."""
    schemas = sorted({item.schema for item in _list(connection, owners) if item.schema})
    arguments = {"schemas": schemas, "roles": [*owners, new], "new": new}
    with connection, connection.cursor() as cursor:
        _begin(cursor)
        cursor.execute(_SCHEMAS_WITHOUT_PRIVILEGES, arguments)
        for schema, owner in cursor.fetchall():
            with rights_of(cursor, owner):
                run(cursor, "GRANT USAGE, CREATE ON SCHEMA {} TO {}", schema, new)


def _blocked(connection: Connection, blocked: Sequence[OwnedObject], new: str, count: int) -> str:
    with connection, connection.cursor() as cursor:
        _begin(cursor)
        cursor.execute(_BLOCKERS, (blocked[0].identity,))
        sessions = [f"pid {pid} ({user}, {application or 'no name'})" for pid, user, application in cursor.fetchall()]
    more = f" and {len(blocked) - _SHOWN} more" if len(blocked) > _SHOWN else ""
    return (
        f"{', '.join(map(str, blocked[:_SHOWN]))}{more} cannot be handed over to {new}, because other sessions use them"
        f" ({', '.join(sessions) or 'just ended'}). {count} objects were handed over before. End these sessions, and"
        " deploy again with another text in rerun"
    )
