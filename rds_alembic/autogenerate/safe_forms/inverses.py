"""The operations of downgrade(), found by the operations of upgrade() that they reverse.

Alembic's downgrade() is divided in the same way as upgrade(). It is not computed anew, because other functions may have
changed it.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

from alembic.operations import ops

from rds_alembic.autogenerate.safe_forms.database import Table
from rds_alembic.autogenerate.safe_forms.operations import Nothing
from rds_alembic.autogenerate.safe_forms.statements import added_constraint, altered_table

type Effect = tuple[str, Table, str, bool | None]
"""The kind, table and name of an object, and true if the object is created. None: it is changed."""


def flatten(operations: Sequence[ops.MigrateOperation]) -> Iterator[ops.MigrateOperation]:
    """Yield operations, and those of the containers for tables."""
    for operation in operations:
        if isinstance(operation, ops.ModifyTableOps):
            yield from flatten(operation.ops)
        else:
            yield operation


def table_of(operation: ops.MigrateOperation) -> Table | None:
    """Return the table that an operation changes."""
    if isinstance(operation, ops.CreateForeignKeyOp):
        return Table(operation.kw.get("source_schema"), operation.source_table)
    if isinstance(operation, ops.ExecuteSQLOp):
        return altered_table(operation)
    name = getattr(operation, "table_name", None)
    return None if name is None else Table(getattr(operation, "schema", None), name)


def name_of(operation: ops.MigrateOperation) -> str | None:
    """Return the name of the index or constraint that an operation creates or drops."""
    constraint = added_constraint(operation)
    name = getattr(operation, "index_name", None) or getattr(operation, "constraint_name", None)
    return constraint.name if constraint else None if name is None else str(name)


class Inverses:
    """The operations of downgrade(). Each belongs to the step that asks for it first, or to the first revision."""

    def __init__(self, downgrade: Sequence[ops.MigrateOperation]) -> None:
        self._operations = list(flatten(downgrade))
        self._used: set[int] = set()
        effects = [(_effect(operation), operation) for operation in self._operations]
        self._by_effect = {effect: operation for effect, operation in effects if effect is not None}

    def inverse(self, operation: ops.MigrateOperation) -> ops.MigrateOperation:
        """Return the operation that reverses an operation."""
        effect = _effect(operation)
        written = self._by_effect.get(_opposite(effect)) if effect is not None else None
        if written is not None:
            return self.use([written])[0]
        try:
            return operation.reverse()
        except NotImplementedError:
            return Nothing("the operation has no inverse")

    def match(self, operations: Iterable[ops.MigrateOperation]) -> None:
        """Mark the operations that reverse those of upgrade() as used, because each safe form has a downgrade."""
        for operation in operations:
            effect, table = _effect(operation), table_of(operation)
            if effect is not None and _opposite(effect) in self._by_effect:
                self.use([self._by_effect[_opposite(effect)]])
            elif isinstance(operation, ops.AlterColumnOp) and table is not None:
                self.alterations(table, operation.column_name)

    def alterations(self, table: Table, column: str) -> list[ops.AlterColumnOp]:
        """Return the operations that reverse the changes of a column."""
        operations = [item for item in self._operations if isinstance(item, ops.AlterColumnOp)]
        return self.use([item for item in operations if (table_of(item), item.column_name) == (table, column)])

    def restoring(self, table: Table) -> list[ops.MigrateOperation]:
        """Return the operations that restore a dropped table, and are not used yet."""
        operations = [item for item in self._operations if id(item) not in self._used]
        return self.use([item for item in operations if table_of(item) == table])

    def foreign_keys(self, table: Table) -> list[ops.CreateForeignKeyOp]:
        """Return the foreign keys that are added to a restored table."""
        operations = [item for item in self._operations if isinstance(item, ops.CreateForeignKeyOp)]
        return [item for item in operations if table_of(item) == table]

    def statements(self, table: Table) -> list[ops.ExecuteSQLOp]:
        """Return the SQL statements that change a table otherwise than by a constraint."""
        operations = [item for item in self._operations if isinstance(item, ops.ExecuteSQLOp)]
        return self.use([item for item in operations if table_of(item) == table and added_constraint(item) is None])

    def without_table(self) -> list[ops.MigrateOperation]:
        """Return the operations that change no table: those for types, schemas and comments."""
        return [item for item in self._operations if table_of(item) is None]

    def unused(self, used: Collection[ops.MigrateOperation] = ()) -> list[ops.MigrateOperation]:
        """Return the operations that no step has used, also not in `used`, in their order."""
        remaining = [item for item in self._operations if id(item) not in self._used and item not in used]
        return [item for item in remaining if not _is_unnamed_drop(item)]

    def use[Operation: ops.MigrateOperation](self, operations: list[Operation]) -> list[Operation]:
        """Return operations, which then belong to the step of the caller."""
        self._used |= {id(operation) for operation in operations}
        return operations


def _is_unnamed_drop(operation: ops.MigrateOperation) -> bool:
    """Tell whether an operation drops a constraint without a name, which Alembic cannot render."""
    return isinstance(operation, ops.DropConstraintOp) and operation.constraint_name is None


def _opposite(effect: Effect) -> Effect:
    kind, table, name, is_created = effect
    return kind, table, name, None if is_created is None else not is_created


def _effect(operation: ops.MigrateOperation) -> Effect | None:
    table, name = table_of(operation), name_of(operation)
    if table is None:
        return None
    effect: tuple[str, str, bool | None]
    match operation:
        case ops.CreateTableOp() | ops.DropTableOp():
            effect = "table", "", isinstance(operation, ops.CreateTableOp)
        case ops.CreateTableCommentOp() | ops.DropTableCommentOp():
            effect = "comment", "", None
        case ops.AddColumnOp():
            effect = "column", str(operation.column.name), True
        case ops.DropColumnOp():
            effect = "column", operation.column_name, False
        case ops.CreateIndexOp() | ops.DropIndexOp():
            effect = "index", str(name), isinstance(operation, ops.CreateIndexOp)
        case _:
            effect = "constraint", str(name), not isinstance(operation, ops.DropConstraintOp)
    kind, object_name, is_created = effect
    return None if kind == "constraint" and name is None else (kind, table, object_name, is_created)
