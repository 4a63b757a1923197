"""The changes to the operations that autogenerate has found.

https://alembic.sqlalchemy.org/en/latest/api/autogenerate.html#fine-grained-autogenerate-generation-with-rewriters
"""

import sqlalchemy as sa
from alembic.autogenerate import Rewriter
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from alembic.util import messaging

rewriter = Rewriter()


@rewriter.rewrites(ops.MigrationScript)
def _omit_empty_revision(
    context: MigrationContext, _revision: object, script: ops.MigrationScript
) -> list[ops.MigrationScript]:
    """Write no file for a revision without operations. `alembic check` needs the script, and writes no file."""
    writes_file = getattr(context.config and context.config.cmd_opts, "autogenerate", False)
    if not writes_file or not all(operations.is_empty() for operations in script.upgrade_ops_list):
        return [script]
    messaging.msg("No changes detected; no revision written.")
    return []


@rewriter.rewrites(ops.CreateTableOp)
def _add_checks_of_columns(
    _context: MigrationContext, _revision: object, operation: ops.CreateTableOp
) -> ops.CreateTableOp:
    """Add the CHECK constraints of columns to their new table: Alembic renders only the constraints of the table."""
    columns = [item for item in operation.columns if isinstance(item, sa.Column)]
    constraints = [constraint for column in columns for constraint in column.constraints]
    checks = [
        sa.CheckConstraint(constraint.sqltext, constraint.name)
        for constraint in constraints
        if isinstance(constraint, sa.CheckConstraint)
    ]
    operation.columns = [*operation.columns, *checks]
    return operation
