"""The scripts of `alembic revision --autogenerate`: one script becomes a chain of scripts in safe forms."""

from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from alembic import command
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from alembic.util import rev_id

from rds_alembic.autogenerate.safe_forms import changes
from rds_alembic.autogenerate.safe_forms.database import Database, Table
from rds_alembic.autogenerate.safe_forms.forms import Forms
from rds_alembic.autogenerate.safe_forms.inverses import Inverses
from rds_alembic.autogenerate.safe_forms.options import Options
from rds_alembic.autogenerate.safe_forms.steps import Revision, revisions

_MAX_ID_LENGTH = 32


def write_safe_forms(context: MigrationContext, directives: list[ops.MigrationScript]) -> None:
    """Replace a script by scripts that can be applied while other sessions use the tables.

    The options of the user: `alembic -x plain` keeps Alembic's form, and `alembic -x rename=old:new` renames a column.
    Raises CommandError for a change that has no safe form.
    """
    options = Options.read(context.config)
    if options.plain or len(directives) != 1 or _is_check(context):
        return
    (script,) = directives
    if context.connection is None or context.dialect.name != "postgresql" or len(script.upgrade_ops_list) != 1:
        return
    (upgrade,), (downgrade,) = script.upgrade_ops_list, script.downgrade_ops_list
    if upgrade.is_empty():
        return
    forms = Forms(
        Database(context.connection),
        context.dialect,
        options,
        frozenset(Table(item.schema, item.table_name) for item in upgrade.ops if isinstance(item, ops.CreateTableOp)),
        _tables(context),
        Inverses(downgrade.ops),
    )
    chain = revisions(changes.steps(forms, upgrade.ops))
    directives[:] = _scripts(script, chain)


def _is_check(context: MigrationContext) -> bool:
    """Tell whether `alembic check` runs. It shows the operations of the last script."""
    function, *_ = getattr(context.config and context.config.cmd_opts, "cmd", (None,))
    return function is command.check


def _tables(context: MigrationContext) -> dict[Table, sa.Table]:
    metadata = sa.util.to_list(context.opts.get("target_metadata"))
    return {Table(table.schema, table.name): table for part in metadata for table in part.tables.values()}


def _scripts(script: ops.MigrationScript, chain: Sequence[Revision]) -> Iterator[ops.MigrationScript]:
    """Yield a script for each revision. The first script keeps the head, the label and the dependencies."""
    (upgrade,), (downgrade,) = script.upgrade_ops_list, script.downgrade_ops_list
    head = None
    for number, (revision, identifier) in enumerate(zip(chain, _ids(script.rev_id, len(chain)), strict=True)):
        is_first = number == 0
        yield ops.MigrationScript(
            identifier,
            ops.UpgradeOps(revision.upgrade, upgrade_token=upgrade.upgrade_token),
            ops.DowngradeOps(revision.downgrade, downgrade_token=downgrade.downgrade_token),
            message=_message(script.message, revision.title, is_single=len(chain) == 1),
            imports=script.imports,
            head=script.head if is_first else head,
            splice=script.splice if is_first else None,
            branch_label=script.branch_label if is_first else None,
            version_path=script.version_path,
            depends_on=script.depends_on if is_first else None,
        )
        head = identifier


def _ids(first: str | None, count: int) -> list[str]:
    """Return the ids of a chain: that of the first script, and the same with a number."""
    base = first or rev_id()
    digits = len(str(count))
    ids = [base, *(f"{base}_{number:0{digits}}" for number in range(2, count + 1))]
    return ids if len(ids[-1]) <= _MAX_ID_LENGTH else [base, *(rev_id() for _ in ids[1:])]


def _message(message: str | None, title: str, *, is_single: bool) -> str:
    if not message:
        return title
    return message if is_single else f"{message}: {title}"
