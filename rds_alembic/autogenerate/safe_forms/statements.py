"""The SQL statements among the operations: the object that a statement changes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from alembic.operations import ops

from rds_alembic.autogenerate.safe_forms.database import Table

_IDENTIFIER = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_NAME = rf"{_IDENTIFIER}(?:\.{_IDENTIFIER})?"
_ALTER_TABLE = re.compile(rf"ALTER TABLE (?:ONLY )?({_NAME}) (.+)", re.DOTALL)
_ADD_CONSTRAINT = re.compile(rf"ADD CONSTRAINT ({_IDENTIFIER}) (.+)", re.DOTALL)
_OWNED_BY = re.compile(rf"CREATE SEQUENCE .+ OWNED BY ({_NAME})\.{_IDENTIFIER}$", re.DOTALL)
_SET_VALUE = re.compile(rf"SELECT setval\(.+ FROM ({_NAME})\), false\)$", re.DOTALL)  # noqa: S608 - a pattern
_PART = re.compile(_IDENTIFIER)


@dataclass(frozen=True)
class AddedConstraint:
    """A statement that adds a constraint to a table."""

    table: Table
    name: str
    definition: str


def sql_of(operation: ops.ExecuteSQLOp) -> str:
    """Return the SQL of a statement, without the escapes of `op.execute()`."""
    return str(operation.sqltext).replace(r"\:", ":").strip()


def altered_table(operation: ops.ExecuteSQLOp) -> Table | None:
    """Return the table that a statement changes. Return None for statements about types, schemas and comments."""
    sql = sql_of(operation)
    for pattern in (_ALTER_TABLE, _OWNED_BY, _SET_VALUE):
        if match := pattern.match(sql):
            return _table(match[1])
    return None


def action(operation: ops.ExecuteSQLOp) -> str:
    """Return the part of an ALTER TABLE after the table, or an empty text."""
    match = _ALTER_TABLE.match(sql_of(operation))
    return match[2] if match else ""


def added_constraint(operation: ops.MigrateOperation) -> AddedConstraint | None:
    """Return the constraint that a statement adds, if it adds one."""
    if not isinstance(operation, ops.ExecuteSQLOp):
        return None
    table, match = altered_table(operation), _ADD_CONSTRAINT.match(action(operation))
    return AddedConstraint(table, _unquote(match[1]), match[2]) if table and match else None


def texts(operation: ops.MigrateOperation) -> Iterator[str]:
    """Yield the statements of an operation."""
    if isinstance(operation, ops.ExecuteSQLOp):
        yield sql_of(operation)
    elif isinstance(operation, ops.OpContainer):
        for part in operation.ops:
            yield from texts(part)


def _table(name: str) -> Table:
    parts = [_unquote(part) for part in _PART.findall(name)]
    return Table(parts[0] if len(parts) > 1 else None, parts[-1])


def _unquote(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
