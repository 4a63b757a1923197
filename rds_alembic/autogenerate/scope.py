"""The objects that autogenerate compares: the metadata's, and those that a revision for it may have created.

Objects of extensions, of other owners, partitions, inheritance children, and objects that the user's `include_name` or
`include_object` rejects are left alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext

from rds_alembic.autogenerate.catalog import Catalog, Domain, EnumType, Name, Table
from rds_alembic.autogenerate.reflected_tables import as_sqlalchemy
from rds_alembic.autogenerate.sql_text import qualified

type _Kind = Literal["index", "unique_constraint", "foreign_key_constraint", "check_constraint", "column"]
_CONSTRAINT_KINDS: dict[str, _Kind] = {
    "u": "unique_constraint",
    "f": "foreign_key_constraint",
    "c": "check_constraint",
}


@dataclass(frozen=True)
class Scope:
    """Restricts the catalogs to the compared objects."""

    context: AutogenContext
    metadata_tables: Mapping[Name, sa.Table]
    version_table: Name
    role: str

    def restrict(self, old: Catalog, new: Catalog) -> tuple[Catalog, Catalog, list[str]]:
        """Return both catalogs without the objects that are left alone, and notes about some of these."""
        notes: list[str] = []
        members = {name for name, table in old.tables.items() if table.is_member and name not in new.tables}
        old = replace(old, enums={name: _without_members(item, members) for name, item in old.enums.items()})
        excluded = {
            name for name, table in self.metadata_tables.items() if not self._includes_metadata(name, table, old)
        }
        excluded |= {name for name in new.tables if name not in self.metadata_tables}
        views = {name for name in new.tables if name in old.other_relations}
        notes += [f"{qualified(name)} is a {old.other_relations[name]}: it is not compared" for name in views]
        excluded |= views
        kept_old = {
            name: table
            for name, table in old.tables.items()
            if name not in excluded and (name in new.tables or self._is_managed(table, old, notes))
        }
        kept_new = {name: table for name, table in new.tables.items() if name not in excluded}
        for name in kept_old.keys() & kept_new.keys():
            kept_old[name], kept_new[name] = self._restrict_table(kept_old[name], kept_new[name], old, new)
        for name in old.sequences.keys() - new.sequences.keys():
            notes.append(
                f"sequence {qualified(name)} is not in the metadata: it stays, because its number would be lost"
            )
        return (
            replace(
                old,
                schemas=frozenset(
                    schema for schema in old.schemas if schema in new.schemas or _is_emptied(schema, old, kept_old)
                ),
                tables=kept_old,
                enums={
                    name: item
                    for name, item in old.enums.items()
                    if name in new.enums or self._may_drop(item, kept_old)
                },
                domains={
                    name: item
                    for name, item in old.domains.items()
                    if name in new.domains or self._may_drop(item, kept_old)
                },
                sequences={name: item for name, item in old.sequences.items() if name in new.sequences},
            ),
            self._without_excluded(new, kept_new, excluded),
            notes,
        )

    def _without_excluded(self, new: Catalog, tables: dict[Name, Table], excluded: set[Name]) -> Catalog:
        """Return the metadata's catalog without excluded schemas, and without types that only excluded tables use."""
        schemas = {schema for schema in {None, *new.schemas} if self.context.run_name_filters(schema, "schema", {})}
        enums = {
            name: item
            for name, item in new.enums.items()
            if name[0] in schemas and not (item.used_by and item.used_by <= excluded)
        }
        domains = {
            name: item
            for name, item in new.domains.items()
            if name[0] in schemas and not (item.used_by and item.used_by <= excluded)
        }
        return replace(new, schemas=new.schemas & schemas, tables=tables, enums=enums, domains=domains)

    def _may_drop(self, item: EnumType | Domain, tables: Mapping[Name, Table]) -> bool:
        """Return True for a type that only compared tables use."""
        return item.owner == self.role and item.used_by <= tables.keys()

    def _includes_metadata(self, name: Name, table: sa.Table, old: Catalog) -> bool:
        schema, plain = name
        if not self.context.run_name_filters(schema, "schema", {}):
            return False
        if not self.context.run_name_filters(plain, "table", {"schema_name": schema}):
            return False
        reflected = as_sqlalchemy(old.tables[name], old) if name in old.tables else None
        return self.context.run_object_filters(table, plain, "table", False, reflected)

    def _is_managed(self, table: Table, old: Catalog, notes: list[str]) -> bool:
        """Return True for a table that is not in the metadata and that a revision may drop."""
        schema, plain = table.name
        if table.is_member or table.name == self.version_table or table.columns.keys() == {"version_num"}:
            return False  # a table with only this column is the version table of another Alembic project
        if not self.context.run_name_filters(schema, "schema", {}):
            return False
        if not self.context.run_name_filters(plain, "table", {"schema_name": schema}):
            return False
        reflected = as_sqlalchemy(table, old)
        if not self.context.run_object_filters(reflected, plain, "table", True, None):
            return False
        if table.owner != self.role:
            notes.append(f"table {qualified(table.name)} is left alone: it belongs to the role {table.owner}")
            return False
        return True

    def _restrict_table(
        self, old: Table, new: Table, old_catalog: Catalog, new_catalog: Catalog
    ) -> tuple[Table, Table]:
        if not self.context.opts.get("include_name") and not self.context.opts.get("include_object"):
            return old, new
        before, after = as_sqlalchemy(old, old_catalog), as_sqlalchemy(new, new_catalog)
        metadata = self.metadata_tables[new.name]
        columns = self._rejected(new.name, "column", _columns(before), _columns(metadata) or _columns(after))
        indexes = self._rejected(new.name, "index", _indexes(before), _indexes(metadata))
        constraints: set[str] = set()
        for kind, type_ in _CONSTRAINT_KINDS.items():
            of_kind = {
                item.name for item in (*old.constraints.values(), *new.constraints.values()) if item.kind == kind
            }
            constraints |= self._rejected(
                new.name,
                type_,
                _constraints(before, of_kind),
                _constraints(metadata, of_kind) or _constraints(after, of_kind),
            )
        return _without(old, columns, constraints, indexes), _without(new, columns, constraints, indexes)

    def _rejected(self, table: Name, kind: _Kind, old: Mapping[str, Any], new: Mapping[str, Any]) -> set[str]:
        parents: Any = {"schema_name": table[0], "table_name": table[1]}
        rejected = {
            name
            for name in old
            if kind != "check_constraint" and not self.context.run_name_filters(name, kind, dict(parents))
        }
        for name in old.keys() | new.keys():
            item, reflected = (new[name], False) if name in new else (old[name], True)
            other = old.get(name) if name in new else None
            if not self.context.run_object_filters(item, name, kind, reflected, other):
                rejected.add(name)
        return rejected


def _is_emptied(schema: str, catalog: Catalog, dropped: Mapping[Name, Table]) -> bool:
    """Return True if a schema has tables or types, and nothing but types and tables that are dropped."""
    tables = {name for name in catalog.tables if name[0] == schema}
    types = {name for name in (*catalog.enums, *catalog.domains) if name[0] == schema}
    return (
        bool(tables | types) and tables <= dropped.keys() and all(name[0] != schema for name in catalog.other_relations)
    )


def _columns(table: sa.Table) -> dict[str, Any]:
    return {column.name: column for column in table.columns}


def _indexes(table: sa.Table) -> dict[str, Any]:
    return {str(index.name): index for index in table.indexes}


def _constraints(table: sa.Table, names: set[str]) -> dict[str, Any]:
    return {str(item.name): item for item in table.constraints if str(item.name) in names}


def _without(table: Table, columns: set[str], constraints: set[str], indexes: set[str]) -> Table:
    return replace(
        table,
        columns={name: item for name, item in table.columns.items() if name not in columns},
        constraints={name: item for name, item in table.constraints.items() if name not in constraints},
        indexes={name: item for name, item in table.indexes.items() if name not in indexes},
    )


def _without_members(item: EnumType, members: set[Name]) -> EnumType:
    """Return an enum type without the partitions that use it: they follow their parent."""
    return replace(item, used_by=item.used_by - members)
