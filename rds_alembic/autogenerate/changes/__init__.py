"""The operations that turn one catalog into another."""

from rds_alembic.autogenerate.catalog import Catalog
from rds_alembic.autogenerate.changes import constraints, domains, schemas, sequences, tables
from rds_alembic.autogenerate.changes.conversions import Conversions
from rds_alembic.autogenerate.changes.enums import plan_enums
from rds_alembic.autogenerate.changes.plan import Plan

__all__ = ["Conversions", "Plan", "plan_changes"]


def plan_changes(old: Catalog, new: Catalog, conversions: Conversions) -> Plan:
    """Return the plan of the operations. `Plan.notes` names the differences that no operation removes."""
    plan = Plan(old, new, conversions)
    schemas.plan(plan)
    plan_enums(plan)
    domains.plan(plan)
    sequences.plan(plan)
    tables.plan(plan)
    constraints.plan(plan)
    return plan
