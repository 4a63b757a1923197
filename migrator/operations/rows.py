"""Run the fixed queries of the commands, and convert their rows to JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

type Row = dict[str, object]


def rows(session: Connection, query: str, arguments: Sequence[object] = ()) -> list[Row]:
    """Return the rows of a query by the names of their columns. Raises psycopg2.Error."""
    with session.cursor() as cursor:
        cursor.execute(query, tuple(arguments) or None)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, map(_json_value, row), strict=True)) for row in cursor.fetchall()]


def _json_value(value: object) -> object:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        case Decimal():
            return float(value)
    return value
