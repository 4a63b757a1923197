"""The command `check`: revisions that were not applied, and differences between the schema and the models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from migrator import divergence
from migrator.migration_log import read_log
from migrator.operations.arguments import Answer
from migrator.operations.project import READ_ONLY, database_heads, in_environment
from migrator.operations.reading import Reading
from migrator.operations.revisions import pending

if TYPE_CHECKING:
    from alembic.autogenerate.api import RevisionContext
    from alembic.runtime.migration import MigrationContext

    from migrator.environment import Environment
    from migrator.revision_scripts import RevisionScripts

# The arguments of `alembic check`.
_CHECK = {
    "message": None,
    "autogenerate": True,
    "sql": False,
    "head": "head",
    "splice": False,
    "branch_label": None,
    "version_path": None,
    "rev_id": None,
    "depends_on": None,
}


def check(reading: Reading) -> Answer:
    """Return the pending revisions, and the operations that would bring the schema to the models.

    `drift` is None if it cannot be determined: the schema of a database that is not at head differs for this reason,
    and an env.py may have no models.
    """
    database, manifest = database_heads(reading), reading.manifest
    with reading.observe() as session:
        log = read_log(session)
    missing, ahead = pending(database, manifest, log), divergence.ahead(database, manifest, log)
    drift, reason = None, "the database is not at the head of the code"
    if not missing and not ahead and database <= manifest.files.keys():
        drift, reason = in_environment(reading, _compare)
    return {
        "up_to_date": not missing and not ahead and not drift,
        "pending": missing,
        "ahead": list(ahead),
        "drift": drift,
        "not_compared": reason or None,
    }


def _compare(environment: Environment, scripts: RevisionScripts) -> tuple[list[str] | None, str]:
    """Run `alembic check` in env.py. Return the operations, or None with the reason."""
    # Alembic is imported in the child process only: see `project`.
    from alembic.autogenerate.api import RevisionContext  # noqa: PLC0415

    revisions = RevisionContext(scripts.config, scripts.directory, dict(_CHECK))
    operations: list[str] = []
    reasons = ["env.py has no target_metadata"]

    def steps(heads: tuple[str, ...], context: MigrationContext) -> list[Any]:
        if context.opts.get("target_metadata") is not None:
            reasons.clear()
            revisions.run_autogenerate(heads, context)
            operations.extend(_render(revisions, context))
        return []

    environment.run(
        "comparing the schema with the models failed",
        steps,
        template_args=revisions.template_args,
        revision_context=revisions,
        **READ_ONLY,
    )
    return (None, reasons[0]) if reasons else (operations, "")


def _render(revisions: RevisionContext, context: MigrationContext) -> Iterator[str]:
    """Yield the operations as Python code, as `alembic revision --autogenerate` writes them."""
    from alembic.autogenerate.api import AutogenContext  # noqa: PLC0415 - likewise
    from alembic.autogenerate.render import render_op  # noqa: PLC0415

    autogenerate = AutogenContext(context, autogenerate=False)
    for script in revisions.generated_revisions:
        for upgrade in script.upgrade_ops_list:
            for operation in upgrade.ops:
                yield from render_op(autogenerate, operation)
