"""Autogenerate for PostgreSQL, for an env.py: `context.configure(..., **OPTIONS)`.

It compares the catalog of the database with the catalog that `metadata.create_all()` gives, and writes the difference.
The revisions import alembic and sqlalchemy only. So does this package, because it runs in the env.py of its user.

It needs Alembic 1.18 or newer, which has plugins. With an older Alembic, an env.py can still import it and run
revisions, and autogenerate fails with this reason.
"""

from collections.abc import Iterable
from typing import Any

import alembic
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError

__all__ = ["OPTIONS"]

_PLUGIN = "rds_alembic.autogenerate"


def _render_item(kind: str, item: Any, context: Any) -> Any:
    from rds_alembic.autogenerate.column_types import render_type  # noqa: PLC0415 - not needed to run revisions

    return render_type(kind, item, context)


def _process_directives(
    context: MigrationContext, _revision: str | Iterable[str | None] | Iterable[str], directives: list[MigrationScript]
) -> None:
    from rds_alembic.autogenerate.directives import process  # noqa: PLC0415 - not needed to run revisions
    from rds_alembic.autogenerate.safe_forms import write_safe_forms  # noqa: PLC0415 - not needed to run revisions

    process(context, directives)
    write_safe_forms(context, directives)


def _compare(context: Any, operations: Any) -> Any:
    from alembic.util import PriorityDispatchResult  # noqa: PLC0415 - new in Alembic 1.18

    from rds_alembic.autogenerate.compare import compare  # noqa: PLC0415 - not needed to run revisions

    compare(context, operations)
    return PriorityDispatchResult.STOP


def _compare_other_database(context: Any, operations: Any) -> Any:
    from alembic.util import PriorityDispatchResult  # noqa: PLC0415 - new in Alembic 1.18

    from rds_alembic.autogenerate.compare import compare_with_alembic  # noqa: PLC0415 - not needed to run revisions

    compare_with_alembic(context, operations)
    return PriorityDispatchResult.STOP


def _reject(_context: Any, _revision: Any, _directives: Any) -> None:
    raise CommandError(
        f"alembic must be 1.18 or newer for autogenerate (got {alembic.__version__}): update alembic on this machine"
    )


def _options() -> dict[str, Any]:
    try:
        from alembic.runtime.plugins import Plugin  # noqa: PLC0415 - new in Alembic 1.18
    except ModuleNotFoundError:
        return {"process_revision_directives": _reject}
    plugin = Plugin(_PLUGIN)
    plugin.add_autogenerate_comparator(_compare, "autogenerate", qualifier="postgresql")
    plugin.add_autogenerate_comparator(_compare_other_database, "autogenerate")
    return {
        "autogenerate_plugins": [_PLUGIN],
        "render_item": _render_item,
        "process_revision_directives": _process_directives,
    }


OPTIONS: dict[str, Any] = _options()
"""Arguments of `context.configure()`. https://alembic.sqlalchemy.org/en/latest/api/runtime.html"""
