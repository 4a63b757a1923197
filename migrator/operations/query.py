"""The command `query`: one statement of the caller, which can only read, within limits of rows, bytes and time.

The server enforces that the statement only reads: the reader has no privilege to write, and the transaction is
read-only and has a snapshot, after which PostgreSQL does not let it become read-write.

The statement reaches the server as the text of a cursor: `OPEN ... FOR EXECUTE` in PL/pgSQL accepts one statement,
which must return rows. So COMMIT, SET, COPY, DO, NOTIFY and DDL are rejected, and nothing can follow the statement.
The time limit is set again before each round trip, because a query may call `set_config()`.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import closing

import psycopg2
from psycopg2.extensions import QuotedString, new_type, register_type, string_types
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.database_errors import server_message
from migrator.errors import EventError, MigratorError
from migrator.operations.arguments import Answer
from migrator.operations.reading import Reading
from migrator.operations.values import MAX_CHARACTERS, cut_expression, to_json
from rds_iam.deadline import Deadline

MAX_ROWS = 1000
MAX_SECONDS = 60
# Lambda's answer is limited to 6 MB: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_BYTES = 4_000_000
# The values of one round trip, which the function holds in memory.
_VALUES_PER_FETCH = 500

# All values as the server's texts.
_TEXT = new_type(tuple(string_types), "TEXT", lambda value, _cursor: value)

type _Columns = Sequence[tuple[str, int]]


def query(reading: Reading, *, sql: str, max_rows: int, seconds: int) -> Answer:
    """Return the rows of a statement. Raises MigratorError with the server's message.

    `notes` say what is missing: more rows, or the end of a long value.
    """
    deadline = reading.deadline.sooner(seconds)
    with closing(reading.connect()) as session:
        try:
            return _answer(_LimitedCursor(session, sql, deadline), max_rows)
        except psycopg2.errors.QueryCanceled as exc:
            raise MigratorError(
                f"the query took longer than {seconds} s: raise --seconds, up to {MAX_SECONDS}"
            ) from exc
        except psycopg2.errors.InvalidCursorDefinition as exc:
            raise EventError(f"query must be one statement that returns rows ({server_message(exc)})") from exc
        except psycopg2.Error as exc:
            raise MigratorError(f"{server_message(exc)}{_advice(exc, reading.settings.user)}") from exc


def _answer(cursor: "_LimitedCursor", max_rows: int) -> Answer:
    types = [type_oid for _, type_oid in cursor.columns]
    notes: list[str] = []
    answer_rows: list[list[object]] = []
    size, cut = 0, False
    for row in cursor.rows(max_rows + 1):
        if len(answer_rows) == max_rows:
            notes.append(f"the query has more than {max_rows} rows: raise --max-rows, up to {MAX_ROWS}, or use LIMIT")
            break
        cut = cut or any(len(value or "") > MAX_CHARACTERS for value in row)
        values = [to_json(value, type_oid) for value, type_oid in zip(row, types, strict=True)]
        size += len(json.dumps(values).encode())
        if size > MAX_BYTES:
            notes.append(f"the answer is limited to {MAX_BYTES:,} bytes, and the rest of the rows is missing")
            break
        answer_rows.append(values)
    if cut:
        notes.append(f"values are cut after {MAX_CHARACTERS:,} characters")
    return {"columns": [name for name, _ in cursor.columns], "rows": answer_rows, "notes": notes}


def _advice(exc: psycopg2.Error, reader: str) -> str:
    is_relation = re.match("permission denied for (table|view|materialized view|sequence|schema)", str(exc))
    return f": a revision may grant it to {reader}" if is_relation else ""


class _LimitedCursor:
    """A cursor on the server for one statement, in a read-only transaction that is never committed."""

    def __init__(self, session: Connection, sql: str, deadline: Deadline) -> None:
        self._session = session
        self._deadline = deadline
        self._cursor = session.cursor()
        register_type(_TEXT, self._cursor)
        # A query gives the transaction its snapshot.
        self._run("SET TRANSACTION READ ONLY; SELECT 1")
        self._open("statement", sql)
        self._run("FETCH 0 FROM statement")
        self.columns: _Columns = [(column.name, column.type_code) for column in self._cursor.description or ()]
        self._name = "cut" if self._can_cut(sql) else "statement"

    def rows(self, most: int) -> Iterator[tuple[str | None, ...]]:
        """Yield up to `most` rows as texts."""
        batch = max(1, _VALUES_PER_FETCH // max(1, len(self.columns)))
        while most > 0:
            self._run(f"FETCH {min(most, batch)} FROM {self._name}")
            fetched = self._cursor.fetchall()
            if not fetched:
                return
            yield from fetched
            most -= len(fetched)

    def _can_cut(self, sql: str) -> bool:
        """Open a second cursor that lets the server cut long values. EXPLAIN and SHOW cannot be a subquery."""
        names = [f"c{number}" for number in range(len(self.columns))]
        values = [cut_expression(name, oid) for name, (_, oid) in zip(names, self.columns, strict=True)]
        text = sql.strip().rstrip(";").rstrip()
        self._run("SAVEPOINT cut")
        try:
            # The statement can already run alone, so that it cannot leave its parentheses.
            self._open("cut", f"SELECT {', '.join(values)} FROM ({text}\n) AS q ({', '.join(names)})")  # noqa: S608
        except (
            psycopg2.errors.SyntaxError,
            psycopg2.errors.FeatureNotSupported,
            psycopg2.errors.InvalidCursorDefinition,
        ):
            self._cursor.execute("ROLLBACK TO SAVEPOINT cut")
            return False
        return True

    def _open(self, name: str, sql: str) -> None:
        body = f"DECLARE c refcursor := '{name}'; BEGIN OPEN c NO SCROLL FOR EXECUTE {self._literal(sql)}; END"
        self._run(f"DO {self._literal(body)}")

    def _run(self, statement: str) -> None:
        milliseconds = max(1, int(self._deadline.seconds_left * 1000))
        self._cursor.execute(f"SET LOCAL statement_timeout = {milliseconds}")
        self._cursor.execute(statement)

    def _literal(self, text: str) -> str:
        """Return an SQL literal, escaped for the settings of the session."""
        literal = QuotedString(text)
        literal.prepare(self._session)
        quoted: bytes = literal.getquoted()
        return quoted.decode()
