"""The rows of `queries`."""

import datetime as dt
from dataclasses import dataclass

from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case


@dataclass(frozen=True)
class Query:
    """A row of `queries`."""

    id: int
    query_date: dt.date


def insert_query(connection: Connection, query_date: dt.date) -> Query:
    """Insert one row and commit it; raises psycopg2.Error, and then nothing is written."""
    with connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO queries (query_date) VALUES (%s) RETURNING id, query_date", (query_date,))
        ((row_id, date),) = cursor.fetchall()
        return Query(row_id, date)
