"""The rules for failures, locks and transactions. They read the recording only."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from review.findings import Finding
from review.recording import RelationLock, RevisionRecording, Statement, Work
from review.rules.catalogue import advice_of

_WORK = {"rewrites": "rewrites-table", "reads": "reads-table", "builds": "builds-index"}
_RERUN = {
    "rerun-fails": "a second run of this revision, after a failure, fails: ",
    "rerun-inserts": "a second run of this revision, after a failure, inserts again: ",
    "rerun-invalid-index": "a second run of this revision, after a failed build, keeps an invalid index: ",
}
_SECOND = 2
_CONTROL = {"BEGIN", "START TRANSACTION", "COMMIT", "ROLLBACK"}


def findings(recording: RevisionRecording) -> Iterator[Finding]:
    """Yield the findings in the recording of a revision."""
    if recording.failure is not None:
        failure = recording.failure
        code = f" (SQLSTATE {failure.sqlstate})" if failure.sqlstate else ""
        is_role = failure.sqlstate == "42704" and failure.message.startswith("role ")
        remedy = "; name the roles of the stack in `roles` in the section [alembic] of alembic.ini" * is_role
        message = f"the revision cannot run: {failure.message}{code}{remedy}"
        cause = "colon" if "bind parameter" in failure.message else ""
        yield _finding(recording, failure.line, "cannot-run", message, advice_of("cannot-run", cause))
    for rule, failure in recording.rerun_failures:
        yield _finding(recording, failure.line, rule, f"{_RERUN[rule]}{failure.message}", advice_of(rule))
    for statement in recording.statements:
        if statement.tag in _CONTROL and "SAVEPOINT" not in statement.sql.upper():
            message = f"{statement.tag} is sent by the revision"
            yield _finding(recording, statement, "transaction-control", message, advice_of("transaction-control"))
    yield from _slow_steps(recording)


def _slow_steps(recording: RevisionRecording) -> Iterator[Finding]:
    """Yield a finding for work under a lock that makes others wait, and one for the second such step."""
    steps: defaultdict[int, list[Statement]] = defaultdict(list)
    for statement in recording.statements:
        lock = _blocking_lock(statement)
        if lock is None or not statement.work:
            continue
        who = f"{lock.mode} on {lock.relation}: {lock.mode.waiting}"
        is_partitioned = any(held.relation.is_partitioned for held in statement.locks)
        for kind, rule in _WORK.items():
            if works := [work for work in statement.work if work.kind == kind]:
                advice = advice_of(rule, statement.cause, is_partitioned=is_partitioned)
                yield _finding(recording, statement, rule, f"{_list(works)} under {who}", advice)
        steps[statement.transaction].append(statement)
        if len(steps[statement.transaction]) == _SECOND:
            first = steps[statement.transaction][0]
            message = (
                f"{_list(statement.work)}, in the transaction that {_list(first.work)} in line {first.line}: {who}"
            )
            yield _finding(recording, statement, "slow-steps", message, advice_of("slow-steps"))


def _blocking_lock(statement: Statement) -> RelationLock | None:
    """Return the strictest lock that readers or writers wait for, on a table rather than on its indexes."""
    locks = [lock for lock in statement.locks if lock.mode.makes_wait]
    return max(locks, key=lambda lock: (lock.mode, lock.relation.is_table), default=None)


def _list(works: Iterable[Work]) -> str:
    return ", ".join(map(str, works))


def _finding(recording: RevisionRecording, at: Statement | int, rule: str, message: str, advice: str) -> Finding:
    line, end_line = (at, None) if isinstance(at, int) else (at.line, at.end_line)
    text = " ".join(message.split())
    return Finding(recording.path, line, rule, text, advice, end_line, recording.revision)
