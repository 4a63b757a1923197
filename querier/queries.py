"""Write the rows of the table `queries`, one for each day."""

import datetime as dt
from dataclasses import dataclass

from psycopg2 import errors
from psycopg2.extensions import ISOLATION_LEVEL_READ_COMMITTED
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from querier.errors import WriteError

# "quer" in ASCII. Advisory locks with two keys never collide with those with one key, which the migrator uses.
LOCK_SPACE = 0x71756572


@dataclass(frozen=True)
class Query:
    """A row of `queries`. `written` is false if the row existed before."""

    id: int
    query_date: dt.date
    written: bool


def write_query(connection: Connection, query_date: dt.date) -> Query:
    """Write the row of a day, unless the table has one, and commit. Return the row.

    The table has no unique constraint, so an advisory lock on the day keeps two invocations from writing it at the
    same moment. Raises WriteError if the table is locked for too long, or another psycopg2.Error. Then nothing is
    written.
    """
    # The SELECT must see rows that were committed while this session waited for the lock. A stricter isolation level,
    # which may be the default of a database or a role, would read a snapshot that is older than the lock.
    connection.set_isolation_level(ISOLATION_LEVEL_READ_COMMITTED)
    try:
        with connection:
            return _write(connection, query_date)
    except (errors.LockNotAvailable, errors.QueryCanceled) as exc:
        raise WriteError(
            f"no row was written for {query_date}, because the table queries was locked or too slow "
            f"({exc.pgcode}: {exc.diag.message_primary}): Lambda retries the run; if all retries fail, see "
            "'the table queries was locked' in docs/runbook.md"
        ) from exc


def _write(connection: Connection, query_date: dt.date) -> Query:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", (LOCK_SPACE, query_date.toordinal()))
        cursor.execute("SELECT id FROM queries WHERE query_date = %s ORDER BY id LIMIT 1", (query_date,))
        if row := cursor.fetchone():
            return Query(row[0], query_date, written=False)
        cursor.execute("INSERT INTO queries (query_date) VALUES (%s) RETURNING id", (query_date,))
        ((row_id,),) = cursor.fetchall()
        return Query(row_id, query_date, written=True)
