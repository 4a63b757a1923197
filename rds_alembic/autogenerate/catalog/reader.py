"""The reader of PostgreSQL's catalog."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from rds_alembic.autogenerate.catalog import (
    Catalog,
    Column,
    ColumnType,
    Constraint,
    Domain,
    EnumType,
    Identity,
    Index,
    Name,
    Serial,
    Table,
    queries,
)
from rds_alembic.autogenerate.catalog.rows import constraint_actions, sequence_options
from rds_alembic.autogenerate.catalog.sql_source import canonical, index_elements, restore_in

_RELATION_KINDS = {"v": "view", "m": "materialized view", "f": "foreign table", "P": "partition"}


@dataclass(frozen=True)
class Reader:
    """Reads the objects of `schemas`, which has the names in the result by the names in the database.

    `rewrite` changes the schema names in SQL text. `server_version` is the major version.
    """

    connection: sa.Connection
    schemas: Mapping[str, str | None]
    server_version: int
    rewrite: Callable[[str], str] = field(default=lambda sql: sql)

    def read(self) -> Catalog:
        """Return the objects of the schemas."""
        relations = self._rows(queries.tables())
        columns = self._grouped(queries.columns(), "attrelid", self._column)
        constraints = self._grouped(queries.constraints(self.server_version), "conrelid", self._constraint)
        indexes = self._grouped(queries.indexes(self.server_version), "indrelid", self._index)
        tables = [
            self._table(row, columns[row.oid], constraints[row.oid], indexes[row.oid])
            for row in relations
            if row.relkind in {"r", "p"}
        ]
        return Catalog(
            schemas=frozenset(schema for schema in self.schemas.values() if schema is not None),
            tables={table.name: table for table in tables},
            enums={enum.name: enum for enum in map(self._enum, self._rows(queries.enums()))},
            domains={domain.name: domain for domain in map(self._domain, self._rows(queries.domains()))},
            sequences={
                self._name(row.nspname, row.relname): sequence_options(row) for row in self._rows(queries.sequences())
            },
            other_relations=self._other_relations(relations),
        )

    def _other_relations(self, relations: list[Any]) -> dict[Name, str]:
        functions = {(schema, f"{name}()"): "function" for schema, name in self._rows(queries.functions())}
        kinds = {(row.nspname, row.relname): "P" if row.relispartition else row.relkind for row in relations}
        others = {name: _RELATION_KINDS[kind] for name, kind in kinds.items() if kind in _RELATION_KINDS}
        return {self._name(*name): kind for name, kind in (functions | others).items()}

    def _rows(self, query: sa.TextClause) -> list[Any]:
        return list(self.connection.execute(query, {"schemas": list(self.schemas)}))

    def _grouped[T](self, query: sa.TextClause, key: str, build: Callable[[Any], T]) -> defaultdict[int, list[T]]:
        groups: defaultdict[int, list[T]] = defaultdict(list)
        for row in self._rows(query):
            groups[getattr(row, key)].append(build(row))
        return groups

    def _name(self, schema: str, name: str) -> Name:
        return self.schemas.get(schema, schema), name

    def _sql(self, sql: str | None) -> str | None:
        return None if sql is None else self.rewrite(sql)

    def _source(self, sql: str | None) -> str | None:
        """Return the SQL for a revision."""
        return None if sql is None else restore_in(self.rewrite(sql))

    def _table(
        self, row: Any, columns: Iterable[Column], constraints: Iterable[Constraint], indexes: Iterable[Index]
    ) -> Table:
        return Table(
            name=self._name(row.nspname, row.relname),
            columns={column.name: column for column in columns},
            constraints={constraint.name: constraint for constraint in constraints},
            indexes={index.name: index for index in indexes},
            comment=row.comment,
            options=tuple(sorted(row.reloptions or ())),
            properties={
                "UNLOGGED": row.relpersistence == "u",
                "PARTITION BY": self._sql(row.partition_key),
                "INHERITS": tuple(row.parents or ()),
                "USING": row.amname,
                "TABLESPACE": row.spcname,
            },
            owner=row.owner,
            is_member=row.relispartition or row.of_extension or bool(row.parents),
        )

    def _type(self, row: Any) -> ColumnType:
        collation = None if row.collation is None else self._collation(row.collation_schema, row.collation)
        return ColumnType(
            text=self.rewrite(row.type_text),
            collation=collation,
            name=self._name(row.type_schema, row.typname),
            kind=row.typtype,
            is_array=row.is_array,
            dimensions=row.attndims,
        )

    def _collation(self, schema: str, name: str) -> str:
        return name if schema == "pg_catalog" or self.schemas.get(schema, "") is None else f"{schema}.{name}"

    def _column(self, row: Any) -> Column:
        is_serial = bool(row.seq_name) and not row.attidentity and (row.default_sql or "").startswith("nextval(")
        default = None if is_serial else self._sql(row.default_sql)
        return Column(
            name=row.attname,
            type=self._type(row),
            nullable=not row.attnotnull,
            default=default,
            generated=row.attgenerated,
            identity=Identity(row.attidentity == "a", sequence_options(row)) if row.attidentity else None,
            serial=Serial(sequence_options(row), self._name(row.seq_schema, row.seq_name)) if is_serial else None,
            comment=row.comment,
            text=None if is_serial else self._source(row.text),
            sources=tuple(row.sources or ()),
            views=tuple(row.views or ()),
        )

    def _constraint(self, row: Any) -> Constraint:
        return Constraint(
            name=row.conname,
            kind=row.contype,
            definition=canonical(self.rewrite(row.definition.removesuffix(" NOT VALID"))),
            valid=row.convalidated,
            comment=row.comment,
            text=restore_in(self.rewrite(row.text if row.contype == "c" else row.pretty.removesuffix(" NOT VALID"))),
            columns=tuple(row.columns or ()),
            include=tuple(row.include or ()),
            referred=self._name(row.referred_schema, row.referred_table) if row.referred_table else None,
            referred_columns=tuple(row.referred_columns or ()),
            key=row.key if row.contype == "f" else None,
            actions=constraint_actions(row),
        )

    def _index(self, row: Any) -> Index:
        definition = self.rewrite(row.definition)
        options = {
            "postgresql_using": row.amname if row.amname != "btree" else None,
            "postgresql_include": list(row.include) if row.include else None,
            "postgresql_nulls_not_distinct": row.nulls_not_distinct or None,
            "postgresql_with": dict(option.split("=", 1) for option in row.reloptions) if row.reloptions else None,
            "postgresql_tablespace": row.spcname,
        }
        return Index(
            name=row.relname,
            definition=canonical(definition),
            valid=row.indisvalid,
            comment=row.comment,
            unique=row.indisunique,
            elements=index_elements(definition),
            where=self._source(row.condition),
            options={name: value for name, value in options.items() if value is not None},
            columns=tuple(row.columns or ()),
            has_expressions=row.has_expressions or row.condition is not None,
        )

    def _enum(self, row: Any) -> EnumType:
        name = self._name(row.nspname, row.typname)
        return EnumType(name, tuple(row.labels or ()), row.comment, row.owner, self._used_by(row))

    def _domain(self, row: Any) -> Domain:
        collation = None if row.collation is None else self._collation(row.collation_schema, row.collation)
        return Domain(
            name=self._name(row.nspname, row.typname),
            type=ColumnType(self.rewrite(row.type_text), collation),
            nullable=not row.typnotnull,
            default=self._sql(row.typdefault),
            checks={name: self.rewrite(definition) for name, definition in row.checks or ()},
            owner=row.owner,
            used_by=self._used_by(row),
        )

    def _used_by(self, row: Any) -> frozenset[Name]:
        return frozenset(self._name(schema, name) for schema, name in row.used_by or ())
