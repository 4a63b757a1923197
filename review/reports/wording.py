"""The sentences that all reports of a plan share."""

from collections.abc import Iterator

from review.lock_modes import LockMode
from review.production import Production
from review.recording import RelationLock, RevisionRecording, Statement
from review.rules.judge import Judgement
from review.text import count

_WRITES = {"INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "DO", "CALL"}
_HIDDEN = {"SHOW"}
_LISTED = 4


def summary(judgement: Judgement) -> str:
    """Return the start, the heads, and the numbers of revisions and findings."""
    start, recordings = judgement.start, judgement.recordings
    is_short = len(start.revisions) < _LISTED  # a git ref may have hundreds of revisions
    first = (", ".join(start.revisions) or "base") if is_short else count(len(start.revisions), "revision")
    span = f"From {first} ({start.reason}) to {', '.join(judgement.heads) or 'base'}"
    if not recordings:
        return f"{span}: no revisions to apply."
    counts = f"{count(len(recordings), 'revision')}, {count(len(judgement.findings), 'finding')}"
    mode = max((mode for recording in recordings if (mode := recording.strictest)), default=None)
    lock = f"{mode} ({mode.waiting})" if mode else "no lock on an existing table"
    return f"{span}: {counts}. Strictest lock: {lock}."


def shown(recording: RevisionRecording) -> list[Statement]:
    """Return the statements that a report shows: not those by which SQLAlchemy reads a setting."""
    return [statement for statement in recording.statements if statement.tag not in _HIDDEN]


def table_locks(statement: Statement) -> list[RelationLock]:
    """Return the locks, the strictest first, without those on the indexes of a locked table."""
    tables = {lock.relation.name for lock in statement.locks if lock.relation.is_table}
    return [lock for lock in statement.locks if lock.relation.table not in tables]


def strictest_locks(statement: Statement) -> list[RelationLock]:
    """Return the locks of the strictest mode."""
    return [lock for lock in table_locks(statement) if lock.mode == statement.strictest]


def activity(statement: Statement, production: Production) -> str:
    """Return the activity of a statement: what it does while it holds its locks."""
    if statement.error is not None:
        return f"fails: {_one_line(statement.error)}"
    parts = [production.describe(work) for work in statement.work]
    parts += [f"empties {table}" for table in statement.emptied]
    if not parts and statement.tag in _WRITES:
        parts = [f"writes {count(statement.rows, 'row')}" if statement.rows >= 0 else "writes rows"]
    if not parts:
        parts = ["changes the catalog"] if statement.locks else ["touches no existing table"]
    return ", ".join(parts)


def waiting(statement: Statement, production: Production) -> str:
    """Return who waits for a statement, and whom it waits for."""
    mode = statement.strictest
    text = mode.waiting if mode else "no reader or writer waits"
    rates = [size.writes_per_second for lock in strictest_locks(statement) if (size := production.size(lock.relation))]
    if mode and mode.makes_wait and sum(rates):
        text += f" ({sum(rates):.0f} writes/s)"
    reasons = list(dict.fromkeys(wait.reason for wait in statement.waits if wait.reason != "the lock"))
    return f"{text}; it waits for {' and '.join(reasons)}" if reasons else text


def verdict(recording: RevisionRecording, production: Production) -> str:
    """Return one sentence about a revision."""
    if recording.failure is not None:
        return f"Cannot run: {_one_line(recording.failure.message)}"
    blocking = [item for item in recording.statements if item.strictest and item.strictest.makes_wait]
    slow = [item for item in blocking if item.work]
    if slow:
        mode = max(item.strictest or LockMode.ACCESS_SHARE for item in slow)
        works = dict.fromkeys(production.describe(work) for item in slow for work in item.work)
        return f"{_capital(', '.join(works))}. Meanwhile, {mode.waiting}."
    if blocking:
        mode = max(item.strictest or LockMode.ACCESS_SHARE for item in blocking)
        names = dict.fromkeys(
            str(lock.relation) for item in blocking for lock in table_locks(item) if lock.mode == mode
        )
        return (
            f"{mode} on {', '.join(names)} until the transaction ends: {mode.waiting}. No table is read or rewritten."
        )
    works = dict.fromkeys(production.describe(work) for item in recording.statements for work in item.work)
    return f"{_capital(', '.join(works))}. No reader or writer waits." if works else "No reader or writer waits."


def limits(recording: RevisionRecording) -> list[str]:
    """Return what an empty database does not show about a revision."""
    return list(dict.fromkeys(_limits(recording)))


def _limits(recording: RevisionRecording) -> Iterator[str]:
    rows = "In production, its time depends on the rows."
    for statement in recording.statements:
        if statement.tag in _WRITES and (statement.rows == 0 or statement.tag == "DO") and statement.locks:
            yield f"line {statement.line}: {statement.tag} found no rows here. {rows}"
        elif statement.tag == "SELECT" and statement.rows == 0:
            yield f"line {statement.line}: the query found no rows here. Code that depends on rows did not run."
    tables = {lock.relation for statement in recording.statements for lock in statement.locks}
    for table in sorted(table for table in tables if table.kind == "partitioned table"):
        yield f"{table} is partitioned: partitions that exist only in production are locked and changed as well."


def with_transactions(statements: list[Statement]) -> Iterator[str | Statement]:
    """Yield the statements, and a text wherever a transaction begins or ends."""
    number: int | None = None
    for statement in statements:
        current = statement.transaction if statement.in_transaction else None
        if current != number:
            if number is not None:
                yield "the transaction ends"
            if current is not None:
                yield "a transaction begins"
            number = current
        if current is None:
            yield "outside a transaction"
        yield statement
    if number is not None:
        yield "the transaction ends"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
