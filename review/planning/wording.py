"""What a plan says in words, on a terminal as in a pull request."""

from collections.abc import Iterator
from pathlib import Path

from review.planning.locks import Lock, Locks
from review.planning.modes import Mode
from review.planning.plan import Plan, Planned

NOBODY_WAITS = "none"
UNKNOWN = "unknown"


def summary(plan: Plan) -> str:
    """Return where it goes from and to, and how much that is."""
    way = f"From {', '.join(plan.start.heads) or 'base'} ({plan.start.why}) to {', '.join(plan.heads) or 'base'}"
    if not plan.revisions:
        return f"{way}: nothing to apply."
    counts = f"{count(len(plan.revisions), 'revision')}, {count(plan.number_of_findings, 'finding')}"
    return f"{way}: {counts}. Strictest lock: {level(plan.strictest, plan.is_complete, with_effect=True)}."


def level(mode: Mode | None, is_complete: bool, *, with_effect: bool = False) -> str:
    """Return a lock level, and that there may be more to it."""
    known = [f"{mode} (blocks {mode.blocks})" if with_effect else str(mode)] if mode else []
    if not is_complete and mode != Mode.ACCESS_EXCLUSIVE:
        return " or ".join([*known, UNKNOWN])
    return known[0] if known else NOBODY_WAITS


def locks(of: Locks) -> Iterator[str]:
    """Yield a line for each mode, the strictest first: what it is on, and what it blocks."""
    for mode in sorted({lock.mode for lock in of.held if not lock.is_new}, reverse=True):
        names = ", ".join(str(lock) for lock in of.held if lock.mode == mode and not lock.is_new)
        yield f"{mode} on {names}: blocks {mode.blocks}"
    if not of.is_complete:
        yield "unknown locks" if not of.held else "and unknown locks"
    elif of.held and all(lock.is_new for lock in of.held):
        yield f"on new {', '.join(map(_new, of.held))}: blocks nobody"
    elif not of.held:
        yield "no lock on a table"


def mode(of: Locks) -> str:
    """Return the strictest mode of a statement."""
    if of.strictest is None and of.is_complete and of.held:  # or a view, or a sequence
        return "new table"
    return level(of.strictest, of.is_complete)


def relations(of: Locks) -> str:
    """Return what a statement locks: what was there before, or else what is new."""
    old = [lock for lock in sorted(of.held, key=lambda lock: -lock.mode) if not lock.is_new]
    return ", ".join(map(str, old)) or ", ".join(lock.name for lock in of.held)


def with_borders(statements: tuple[Planned, ...]) -> Iterator[tuple[str | None, Planned | None]]:
    """Yield the statements, and what happens to the transaction between them."""
    is_open = False
    for number, statement in enumerate(statements):
        if statement.in_transaction != is_open:
            is_open = statement.in_transaction
            yield "a transaction begins" if is_open else "the transaction ends", None
        if not is_open and number == 0:
            yield "outside of a transaction", None
        yield None, statement
    if is_open:
        yield "the transaction ends", None


def shown(path: Path) -> str:
    """Return a path as it is from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def count(number: int, what: str) -> str:
    """Return `1 finding` or `2 findings`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _new(lock: Lock) -> str:
    return str(lock) if lock.kind else f"table {lock.name}"
