"""Schemas: those of new tables and types are created. A schema is dropped if all of its tables are."""

from rds_alembic.autogenerate.changes.plan import Phase, Plan
from rds_alembic.autogenerate.operations import execute
from rds_alembic.autogenerate.sql_text import quote


def plan(plan: Plan) -> None:
    """Create the new schemas, and drop the schemas that become empty."""
    for schema in sorted(plan.new.schemas - plan.old.schemas):
        plan.add(Phase.CREATE_SCHEMAS, execute(f"CREATE SCHEMA {quote(schema)}"))
    for schema in sorted(plan.old.schemas - plan.new.schemas):
        plan.add(Phase.DROP_SCHEMAS, execute(f"DROP SCHEMA {quote(schema)}"))
