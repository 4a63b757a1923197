"""The last changes of the operations before Alembic writes the revision."""

from collections.abc import Iterator

from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from alembic.util import messaging

from rds_alembic.autogenerate.compare import Changes


def process(context: MigrationContext, directives: list[ops.MigrationScript]) -> None:
    """Unpack the operations of the comparison, and write no file for a revision without operations.

    `alembic check` needs the script, and writes no file.
    """
    for script in directives:
        for operations in (*script.upgrade_ops_list, *script.downgrade_ops_list):
            operations.ops = list(_unpacked(operations.ops))
    writes_file = getattr(context.config and context.config.cmd_opts, "autogenerate", False)
    if not writes_file or not all(_is_empty(script) for script in directives):
        return
    messaging.msg("No changes detected; no revision written.")
    directives.clear()


def _unpacked(operations: list[ops.MigrateOperation]) -> Iterator[ops.MigrateOperation]:
    for operation in operations:
        if isinstance(operation, Changes):
            yield from operation.ops
        else:
            yield operation


def _is_empty(script: ops.MigrationScript) -> bool:
    return all(operations.is_empty() for operations in script.upgrade_ops_list)
