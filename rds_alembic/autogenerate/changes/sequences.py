"""Sequences that no column owns. A sequence that is not in the metadata stays: its number would be lost."""

from rds_alembic.autogenerate.catalog import Name, SequenceOptions
from rds_alembic.autogenerate.changes.plan import Phase, Plan
from rds_alembic.autogenerate.operations import execute, sequence_sql
from rds_alembic.autogenerate.sql_text import qualified


def plan(plan: Plan) -> None:
    """Create, alter and drop the sequences of the metadata."""
    for name, options in plan.new.sequences.items():
        if name not in plan.old.sequences:
            plan.add(Phase.CREATE_SEQUENCES, execute(f"CREATE SEQUENCE {_definition(name, options)}"))
        elif plan.old.sequences[name] != options:
            plan.add(Phase.CREATE_SEQUENCES, execute(f"ALTER SEQUENCE {_definition(name, options)}"))
    for name in plan.old.sequences.keys() - plan.new.sequences.keys():
        plan.add(Phase.DROP_SEQUENCES, execute(f"DROP SEQUENCE {qualified(name)}"))


def _definition(name: Name, options: SequenceOptions) -> str:
    return f"{qualified(name)} AS {options.type} {sequence_sql(options)}"
