"""The cursor of psycopg2 that passes all statements of a revision, including those that bypass SQLAlchemy."""

from collections.abc import Callable
from typing import Any, Protocol, override

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - psycopg2 spells its class in lower case

type Send = Callable[[str], object]


class Passage(Protocol):
    """The receiver of the statements."""

    def run(self, cursor: Cursor, sql: str, send: Send) -> None:
        """Send the statements of one call."""
        ...


class RecordingCursor(Cursor):
    """A cursor that passes its statements, with their parameters, to the recorder."""

    def __init__(self, recorder: Passage, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._recorder = recorder

    @override
    def execute(self, query: Any, vars: Any = None) -> None:
        self._recorder.run(self, self._bound(query, vars), super().execute)

    @override
    def executemany(self, query: Any, vars_list: Any) -> None:
        if rows := list(vars_list):  # one statement in the recording, with the values of the first row
            sql = self._bound(query, rows[0])
            self._recorder.run(self, sql, lambda _sql: Cursor.executemany(self, query, rows))

    @override
    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        self._recorder.run(self, self._bound(sql), lambda _sql: Cursor.copy_expert(self, sql, file, size))

    @override
    def copy_from(self, file: Any, table: str, *arguments: Any, **options: Any) -> None:
        self._recorder.run(
            self, f"COPY {table} FROM STDIN", lambda _sql: Cursor.copy_from(self, file, table, *arguments, **options)
        )

    @override
    def callproc(self, procname: Any, parameters: Any = None) -> None:
        self._recorder.run(self, f"{procname}(…)", lambda _sql: Cursor.callproc(self, procname, parameters))

    def _bound(self, query: Any, variables: Any = None) -> str:
        encoding = psycopg2.extensions.encodings[self.connection.encoding]
        return self.mogrify(query, variables).decode(encoding)
