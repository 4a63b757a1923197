"""The texts of a plan that the terminal and the pull request share."""

from collections.abc import Iterator

from review.planning.lock_modes import LockMode
from review.planning.locks import RelationLock, StatementLocks
from review.planning.plan import Plan, PlannedStatement
from review.text import count

NO_LOCK = "no lock"
UNKNOWN = "unknown"


def summary(plan: Plan) -> str:
    """Return the start, the heads, and the numbers of revisions and findings."""
    start, heads = (", ".join(revisions) or "base" for revisions in (plan.start.heads, plan.heads))
    span = f"From {start} ({plan.start.reason}) to {heads}"
    if not plan.revisions:
        return f"{span}: no revisions to apply."
    counts = f"{count(len(plan.revisions), 'revision')}, {count(plan.number_of_findings, 'finding')}"
    return f"{span}: {counts}. Strictest lock: {level(plan.strictest, plan.is_complete, with_effect=True)}."


def level(mode: LockMode | None, is_complete: bool, *, with_effect: bool = False) -> str:
    """Return the name of a lock mode, and `unknown` if there may be stricter locks."""
    known = [f"{mode} (blocks {mode.blocks})" if with_effect else str(mode)] if mode else []
    if not is_complete and mode != LockMode.ACCESS_EXCLUSIVE:
        return " or ".join([*known, UNKNOWN])
    return known[0] if known else NO_LOCK


def lock_lines(locks: StatementLocks) -> Iterator[str]:
    """Yield a line for each mode, strictest first: its relations, and the work that waits."""
    for mode in sorted({lock.mode for lock in locks.held if not lock.is_new}, reverse=True):
        names = ", ".join(str(lock) for lock in locks.held if lock.mode == mode and not lock.is_new)
        yield f"{mode} on {names}: blocks {mode.blocks}"
    if not locks.is_complete:
        yield "unknown locks" if not locks.held else "and unknown locks"
    elif locks.held and all(lock.is_new for lock in locks.held):
        yield f"on new {', '.join(map(_new, locks.held))}: blocks no other session"
    elif not locks.held:
        yield "no lock on a table"


def strictest_mode(locks: StatementLocks) -> str:
    """Return the strictest mode of a statement."""
    if locks.strictest is None and locks.is_complete and locks.held:  # or a view, or a sequence
        return "new table"
    return level(locks.strictest, locks.is_complete)


def relations(locks: StatementLocks) -> str:
    """Return the locked relations: those that existed before the revision, or else the new relations."""
    existing = [lock for lock in sorted(locks.held, key=lambda lock: -lock.mode) if not lock.is_new]
    return ", ".join(map(str, existing)) or ", ".join(lock.name for lock in locks.held)


def with_transactions(
    statements: tuple[PlannedStatement, ...],
) -> Iterator[tuple[str | None, PlannedStatement | None]]:
    """Yield the statements, and a text wherever a transaction begins or ends."""
    is_open = False
    for number, statement in enumerate(statements):
        if statement.in_transaction != is_open:
            is_open = statement.in_transaction
            yield "a transaction begins" if is_open else "the transaction ends", None
        if not is_open and number == 0:
            yield "outside a transaction", None
        yield None, statement
    if is_open:
        yield "the transaction ends", None


def _new(lock: RelationLock) -> str:
    return str(lock) if lock.kind else f"table {lock.name}"
