"""The SQL text of the metadata, for revisions: PostgreSQL's own spelling of an expression is longer.

The text of a revision is that of the metadata, because PostgreSQL does not always return to the same spelling when it
reads its own.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from rds_alembic.autogenerate.catalog import Catalog, Column, Index, Name, Table
from rds_alembic.autogenerate.sql_text import quote


class MetadataText:
    """Compiles the expressions of the metadata to the SQL that arrives in the database."""

    def __init__(self, dialect: sa.Dialect, default_schema: str) -> None:
        self._dialect = dialect
        self._default_schema = default_schema
        self._doubles_percents = dialect.paramstyle in {"format", "pyformat"}

    def add_to(self, catalog: Catalog, tables: Iterable[sa.Table]) -> Catalog:
        """Return the catalog with the SQL text of the tables."""
        texts = {name: self._table(catalog.tables[name], table) for name, table in self._named(catalog, tables)}
        return replace(catalog, tables=catalog.tables | texts)

    def name(self, table: sa.Table) -> Name:
        """Return the name of a table in a catalog."""
        schema = None if table.schema == self._default_schema else table.schema
        return schema, str(table.name)

    def _named(self, catalog: Catalog, tables: Iterable[sa.Table]) -> Iterable[tuple[Name, sa.Table]]:
        return ((self.name(table), table) for table in tables if self.name(table) in catalog.tables)

    def _table(self, table: Table, metadata: sa.Table) -> Table:
        checks = self._check_texts(table, metadata)
        indexes = {_truncated(self._preparer.format_index(index)): index for index in metadata.indexes}
        return replace(
            table,
            columns={
                name: self._column(column, metadata.columns.get(name, _by_name(metadata, name)))
                for name, column in table.columns.items()
            },
            constraints={
                name: replace(constraint, text=checks[name]) if name in checks else constraint
                for name, constraint in table.constraints.items()
            },
            indexes={
                name: self._index(index, indexes[quote(name)]) if quote(name) in indexes else index
                for name, index in table.indexes.items()
            },
        )

    @property
    def _preparer(self) -> Any:
        return self._dialect.identifier_preparer

    def _compile(self, expression: Any) -> str:
        options = {"literal_binds": True, "include_table": False}
        return self._as_sent(str(expression.compile(dialect=self._dialect, compile_kwargs=options)))

    def _as_sent(self, sql: str) -> str:
        return sql.replace("%%", "%") if self._doubles_percents else sql

    def _column(self, column: Column, metadata: sa.Column[Any] | None) -> Column:
        if metadata is None or column.default is None:
            return column
        default = metadata.server_default
        if isinstance(default, sa.Computed):
            return replace(column, text=self._compile(default.sqltext))
        if isinstance(default, sa.DefaultClause):
            compiler: Any = self._dialect.ddl_compiler(self._dialect, None)  # type: ignore[arg-type] # as Alembic does
            return replace(column, text=self._as_sent(compiler.get_column_default_string(metadata)))
        return column

    def _check_texts(self, table: Table, metadata: sa.Table) -> dict[str, str]:
        """Return the conditions of the CHECK constraints by name. PostgreSQL has named the unnamed constraints."""
        texts: dict[str, str] = {}
        unnamed: list[str] = []
        for check in _checks(metadata):
            name = self._preparer.format_constraint(check) if isinstance(check.name, str) else None
            sql = self._compile(check.sqltext)
            if name is None:
                unnamed.append(sql)
            else:
                texts[_truncated(name)] = sql
        names = [name for name, constraint in table.constraints.items() if constraint.kind == "c"]
        known = {name: texts[quote(name)] for name in names if quote(name) in texts}
        rest = [name for name in names if name not in known]
        return known | (dict(zip(rest, unnamed, strict=True)) if len(rest) == len(unnamed) == 1 else {})

    def _index(self, index: Index, metadata: sa.Index) -> Index:
        options = metadata.dialect_options["postgresql"]
        where = options["where"]
        return replace(
            index,
            elements=tuple(self._elements(metadata)),
            where=None if where is None else self._compile(sa.text(where) if isinstance(where, str) else where),
        )

    def _elements(self, metadata: sa.Index) -> Iterable[str]:
        """Compile the elements as SQLAlchemy's DDL compiler does."""
        classes = metadata.dialect_options["postgresql"]["ops"]
        expressions: Iterable[Any] = metadata.expressions
        for expression in expressions:
            is_column = isinstance(expression, sa.ColumnClause)
            sql = self._compile(expression if is_column else expression.self_group())
            key = getattr(expression, "key", None)
            yield f"{sql} {classes[key]}" if key in classes else sql


def _checks(table: sa.Table) -> Iterable[sa.CheckConstraint]:
    of_columns = [item for column in table.columns for item in column.constraints]
    return (item for item in {*of_columns, *table.constraints} if isinstance(item, sa.CheckConstraint))


def _by_name(table: sa.Table, name: str) -> sa.Column[Any] | None:
    return next((column for column in table.columns if column.name == name), None)


def _truncated(name: str) -> str:
    """Return a quoted name as PostgreSQL keeps it: at most 63 bytes."""
    is_quoted = name.startswith('"')
    plain = name[1:-1].replace('""', '"') if is_quoted else name
    return quote(plain.encode()[:63].decode(errors="ignore"))
