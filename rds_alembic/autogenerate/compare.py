"""The comparison of the database with the metadata, and its place in Alembic's autogenerate."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.plugins import Plugin
from alembic.util import CommandError, PriorityDispatcher, messaging

from rds_alembic.autogenerate.catalog import Catalog, Name
from rds_alembic.autogenerate.catalog.reader import Reader
from rds_alembic.autogenerate.changes import Conversions, plan_changes
from rds_alembic.autogenerate.created_names import created_names
from rds_alembic.autogenerate.metadata_text import MetadataText
from rds_alembic.autogenerate.rendering import NoWayBack
from rds_alembic.autogenerate.scope import Scope
from rds_alembic.autogenerate.scratch import scratch_schemas

_MIGRATION_LOG_SCHEMA = "alembic_history"
# The schemas of the metadata that exist, and those of the role that have tables or types.
_SCHEMAS = sa.text("""
    SELECT nspname FROM pg_namespace n WHERE nspname = ANY(:schemas)
    OR nspowner = current_user::regrole AND nspname NOT LIKE 'pg!_%' ESCAPE '!' AND nspname <> :history
    AND nspname <> current_schema()
    AND (EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p'))
        OR EXISTS (SELECT FROM pg_type t WHERE t.typnamespace = n.oid AND t.typtype IN ('e', 'd')))
    AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')
    ORDER BY nspname""")


class Changes(ops.OpContainer):
    """The operations of upgrade() and of downgrade(). `process_revision_directives` unpacks them."""

    def __init__(self, upgrade: Sequence[ops.MigrateOperation], downgrade: Sequence[ops.MigrateOperation]) -> None:
        super().__init__(upgrade)
        self._downgrade = downgrade

    def reverse(self) -> "Changes":
        """Return the operations of downgrade()."""
        return Changes(self._downgrade, self.ops)


def compare(context: AutogenContext, operations: ops.UpgradeOps) -> None:
    """Add the operations that give the database the objects that `metadata.create_all()` would create.

    Raises CommandError for a change that PostgreSQL cannot make.
    """
    connection = context.connection
    if connection is None or context.metadata is None:
        raise CommandError("target_metadata must be a MetaData (got None): set it in context.configure()")
    if connection.scalar(sa.text("SHOW transaction_read_only")) == "on":
        messaging.msg("The transaction is read-only: compared by the rules of Alembic, which miss some differences.")
        compare_with_alembic(context, operations)
        return
    comparison = _Comparison(context, connection)
    changes, notes = comparison.run()
    for note in dict.fromkeys(notes):
        messaging.msg(f"Not in the revision: {note}")
    if changes.ops:
        operations.ops.append(changes)
    # Comparators of other libraries, for objects such as functions and triggers.
    context.comparators.dispatch("schema", qualifier="postgresql")(context, operations, {None})


def compare_with_alembic(context: AutogenContext, operations: ops.UpgradeOps) -> None:
    """Let Alembic compare, on another database or without writing."""
    context.comparators = PriorityDispatcher()
    Plugin.populate_autogenerate_priority_dispatch(context.comparators, ["alembic.autogenerate.*"])
    context.comparators.dispatch("autogenerate", qualifier=context.dialect.name)(context, operations)


@dataclass(frozen=True)
class _Comparison:
    context: AutogenContext
    connection: sa.Connection

    def run(self) -> tuple[Changes, list[str]]:
        metadata = sa.util.to_list(self.context.metadata)
        default_schema = str(self.connection.scalar(sa.text("SELECT current_schema()")))
        version = int(str(self.connection.scalar(sa.text("SHOW server_version_num")))) // 10000
        text = MetadataText(self.connection.dialect, default_schema)
        tables = {text.name(table): table for part in metadata for table in part.tables.values()}
        created = created_names(metadata)
        schemas = sorted(schema for schema in created if schema not in {None, default_schema})
        notes: list[str] = []
        existing = self._existing_schemas(schemas, notes)
        names = {default_schema: None} | {schema: schema for schema in existing}
        old = Reader(self.connection, names, version).read()
        with scratch_schemas(self.connection, created, version) as scratch:
            for part in metadata:
                scratch.create_tables(part, list(part.tables.values()))
            new = text.add_to(scratch.read(), tables.values())
            return self._plan(old, new, tables, notes)

    def _plan(
        self, old: Catalog, new: Catalog, tables: dict[Name, sa.Table], notes: list[str]
    ) -> tuple[Changes, list[str]]:
        scope = Scope(self.context, tables, self._version_table(), self._role())
        old, new, left = scope.restrict(old, new)
        conversions = Conversions(self.connection)
        upgrade = plan_changes(old, new, conversions)
        return Changes(upgrade.operations, _downgrade(old, new, conversions)), [*notes, *left, *upgrade.notes]

    def _existing_schemas(self, schemas: Sequence[str], notes: list[str]) -> list[str]:
        """Return the schemas to read: those of the metadata and, with `include_schemas`, those of the role."""
        names = [
            name
            for name in self.connection.scalars(_SCHEMAS, {"schemas": list(schemas), "history": _MIGRATION_LOG_SCHEMA})
            if self.context.run_name_filters(name, "schema", {})
        ]
        if self.context.opts.get("include_schemas"):
            return names
        notes += [
            f"schema {name} has tables or types and is not in the metadata: it is left alone. include_schemas=True in"
            " context.configure() compares it"
            for name in names
            if name not in schemas
        ]
        return [name for name in names if name in schemas]

    def _version_table(self) -> Name:
        migration = self.context.migration_context
        return migration.version_table_schema, migration.version_table

    def _role(self) -> str:
        return str(self.connection.scalar(sa.text("SELECT current_user")))


def _downgrade(old: Catalog, new: Catalog, conversions: Conversions) -> list[ops.MigrateOperation]:
    try:
        return plan_changes(new, old, conversions).operations
    except CommandError as exc:
        return [NoWayBack(str(exc))]
