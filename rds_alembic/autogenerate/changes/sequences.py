"""Sequences that no column owns. A sequence that is not in the metadata stays: its number would be lost."""

from rds_alembic.autogenerate.changes.plan import Phase, Plan
from rds_alembic.autogenerate.operations import execute
from rds_alembic.autogenerate.sequence_options import change, definition
from rds_alembic.autogenerate.sql_text import qualified


def plan(plan: Plan) -> None:
    """Create, alter and drop the sequences of the metadata."""
    for name, options in plan.new.sequences.items():
        if name not in plan.old.sequences:
            plan.add(Phase.CREATE_SEQUENCES, execute(f"CREATE SEQUENCE {qualified(name)}{definition(options)}"))
        elif plan.old.sequences[name] != options:
            options_sql = change(options, plan.old.sequences[name])
            plan.add(Phase.CREATE_SEQUENCES, execute(f"ALTER SEQUENCE {qualified(name)}{options_sql}"))
    for name in plan.old.sequences.keys() - plan.new.sequences.keys():
        plan.add(Phase.DROP_SEQUENCES, execute(f"DROP SEQUENCE {qualified(name)}"))
