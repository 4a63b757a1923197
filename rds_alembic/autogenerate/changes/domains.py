"""Domains."""

from collections.abc import Iterator

from rds_alembic.autogenerate.catalog import Domain
from rds_alembic.autogenerate.changes.plan import Phase, Plan
from rds_alembic.autogenerate.operations import execute
from rds_alembic.autogenerate.sql_text import qualified, quote


def plan(plan: Plan) -> None:
    """Create, alter and drop the domains of the metadata."""
    for name, domain in plan.new.domains.items():
        if name not in plan.old.domains:
            plan.add(Phase.CREATE_TYPES, execute(_create(domain)))
        elif plan.old.domains[name] != domain:
            plan.add(Phase.CREATE_TYPES, *(execute(sql) for sql in _alter(plan, plan.old.domains[name], domain)))
    for name in plan.old.domains.keys() - plan.new.domains.keys():
        plan.add(Phase.DROP_TYPES, execute(f"DROP DOMAIN {qualified(name)}"))


def _create(domain: Domain) -> str:
    parts = [f"CREATE DOMAIN {qualified(domain.name)} AS {domain.type.text}"]
    if domain.type.collation is not None:
        parts.append(f"COLLATE {'.'.join(quote(part) for part in domain.type.collation.split('.'))}")
    if domain.default is not None:
        parts.append(f"DEFAULT {domain.default}")
    if not domain.nullable:
        parts.append("NOT NULL")
    parts += [f"CONSTRAINT {quote(name)} {definition}" for name, definition in domain.checks.items()]
    return " ".join(parts)


def _alter(plan: Plan, old: Domain, new: Domain) -> Iterator[str]:
    alter = f"ALTER DOMAIN {qualified(new.name)}"
    if old.type != new.type:
        plan.notes.append(
            f"the type of the domain {qualified(new.name)} must stay {old.type.text} (got {new.type.text}): "
            "PostgreSQL cannot change it. Add a domain with another name"
        )
    for name in old.checks.keys() - new.checks.keys() | {
        name for name in new.checks.keys() & old.checks.keys() if old.checks[name] != new.checks[name]
    }:
        yield f"{alter} DROP CONSTRAINT {quote(name)}"
    for name, definition in new.checks.items():
        if old.checks.get(name) != definition:
            yield f"{alter} ADD CONSTRAINT {quote(name)} {definition}"
    if old.default != new.default:
        yield f"{alter} DROP DEFAULT" if new.default is None else f"{alter} SET DEFAULT {new.default}"
    if old.nullable != new.nullable:
        yield f"{alter} DROP NOT NULL" if new.nullable else f"{alter} SET NOT NULL"
