"""The tables of the metadata in scratch schemas, so that PostgreSQL itself writes out what `create_all()` would create.

All statements run in a savepoint that is rolled back.
"""

import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from alembic.util import CommandError

from rds_alembic.autogenerate.catalog import Catalog
from rds_alembic.autogenerate.catalog.reader import Reader
from rds_alembic.autogenerate.created_names import Names
from rds_alembic.autogenerate.sql_text import quote


@dataclass(frozen=True)
class Scratch:
    """Scratch schemas. `schemas` has the name of the scratch schema by the name of the schema that it represents.

    `names` has the names that are created. In the SQL text of the metadata, they may have their schema before them.
    """

    connection: sa.Connection
    schemas: dict[str, str]
    default_schema: str
    server_version: int
    names: Names
    types: set[str] = field(default_factory=set)
    """The statements that have created types. Several MetaData may have a type in common."""

    def create_tables(self, metadata: sa.MetaData, tables: Sequence[sa.Table]) -> None:
        """Create the tables and types. Raises CommandError if PostgreSQL rejects a statement."""
        before = self.connection.get_execution_options().get("schema_translate_map")
        self.connection.execution_options(schema_translate_map=self.schemas)  # changes the connection
        try:
            with self.connection.begin_nested(), _in_transaction(tables), self._rewritten():
                metadata.create_all(self.connection, tables=tables, checkfirst=False)
        except sa.exc.DBAPIError as exc:
            message = " ".join(self._original(str(exc.orig)).split())
            statement = " ".join(self._original(exc.statement or "").split())
            raise CommandError(
                f"the tables of target_metadata must be valid in PostgreSQL (got {message}): correct the definition."
                f" The statement is: {statement}"
            ) from exc
        finally:
            self.connection.execution_options(schema_translate_map=before)

    @contextmanager
    def _rewritten(self) -> Iterator[None]:
        """Create each type once, and let the SQL text of the metadata refer to the scratch schemas."""

        def rewrite(*arguments: Any) -> tuple[str, Any]:
            _connection, _cursor, statement, parameters, *_rest = arguments
            if not statement.startswith(("CREATE TYPE", "CREATE DOMAIN")) or statement not in self.types:
                self.types.add(statement)
                return self._with_scratch_schemas(statement), parameters
            return "SELECT 1", parameters

        sa.event.listen(self.connection, "before_cursor_execute", rewrite, retval=True)
        try:
            yield
        finally:
            sa.event.remove(self.connection, "before_cursor_execute", rewrite)

    def _with_scratch_schemas(self, sql: str) -> str:
        for schema, scratch in self.schemas.items():
            names = self.names.get(schema, set()) | (
                self.names.get(None, set()) if schema == self.default_schema else set()
            )
            if names:
                prefix = f'(?:{re.escape(quote(schema))}|"{re.escape(schema)}")'
                pattern = rf'(?<![\w".]){prefix}\.(?="?(?:{_either(names)})(?!\w))'
                sql = re.sub(pattern, f"{scratch}.", sql)
        return sql

    def read(self) -> Catalog:
        """Return the created objects, under the names of their schemas."""
        names = {scratch: None if schema == self.default_schema else schema for schema, scratch in self.schemas.items()}
        return Reader(self.connection, names, self.server_version, self._original).read()

    def _original(self, text: str) -> str:
        for schema, scratch in self.schemas.items():
            text = text.replace(scratch, quote(schema))
        return text


def _either(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names))


@contextmanager
def _in_transaction(tables: Sequence[sa.Table]) -> Iterator[None]:
    """Create indexes without CONCURRENTLY for the time of the context."""
    options = [index.dialect_options["postgresql"] for table in tables for index in table.indexes]
    concurrent = [option for option in options if option["concurrently"]]
    for option in concurrent:
        option["concurrently"] = False
    try:
        yield
    finally:
        for option in concurrent:
            option["concurrently"] = True


@contextmanager
def scratch_schemas(connection: sa.Connection, created: Names, server_version: int) -> Iterator[Scratch]:
    """Yield scratch schemas for the default schema and those of `created`. They are gone at the end of the context.

    Raises CommandError if the role may not create schemas.
    """
    default = str(connection.scalar(sa.text("SELECT current_schema()")))
    path = list(connection.scalar(sa.text("SELECT current_schemas(false)::text[]")) or ())
    prefix = f"autogenerate_{secrets.token_hex(6)}"
    names = {
        schema: f"{prefix}_{number}" for number, schema in enumerate(dict.fromkeys([default, *filter(None, created)]))
    }
    savepoint = connection.begin_nested()
    try:
        _create_schemas(connection, list(names.values()))
        search_path = [names[schema] for schema in path if schema in names] + [quote(schema) for schema in path]
        connection.execute(sa.text(f"SET LOCAL search_path = {', '.join(search_path)}"))
        yield Scratch(connection, names, default, server_version, created)
    finally:
        savepoint.rollback()


def _create_schemas(connection: sa.Connection, names: Sequence[str]) -> None:
    try:
        with connection.begin_nested():
            for name in names:
                connection.execute(sa.text(f"CREATE SCHEMA {name}"))
    except sa.exc.ProgrammingError as exc:
        role = connection.scalar(sa.text("SELECT current_user"))
        raise CommandError(
            f"the role {role} must have the privilege CREATE on the database (got {str(exc.orig).strip()}):"
            " autogenerate creates the tables in a schema of its own, and rolls back. Connect as the owner"
            " of the database, or unset DATABASE_URL"
        ) from exc
