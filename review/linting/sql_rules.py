"""This project's rules for SQL: statements that must run outside a transaction, or that cannot run twice."""

import re
from collections.abc import Iterator, Sequence

from review import tokens
from review.findings import Finding
from review.linting import reruns
from review.linting.advice import ADVICE
from review.linting.sql_statements import SqlStatement, repeated_statements, split_statements
from review.rendering import RenderedRevision

_OUTSIDE = [
    re.compile(pattern)
    for pattern in (
        r"vacuum\b",
        r"(create|drop) (database|tablespace)\b",
        r"alter system\b",
        r"(create|drop|reindex)\b.* concurrently\b",
        r"reindex (\( .*\) )?(schema|database|system)\b",
        r"cluster( verbose)?$",
        r"alter table\b.* detach partition\b.* concurrently\b",
    )
]
_ENDS_TRANSACTION = re.compile(r"(^|; |begin |loop |then |else )(commit|rollback)( and (no )?chain)? ;")
"""A COMMIT or ROLLBACK in the code of a DO block."""


def findings(rendered: RenderedRevision) -> Iterator[Finding]:
    """Yield the findings in the SQL of a revision."""
    statements = split_statements(rendered)
    for statement in statements:
        for rule, message in _placement(statement):
            yield _finding(rendered, statement, rule, message)
    repeated = repeated_statements(statements)
    dropped_before = reruns.dropped_before([statement.words for statement in repeated])
    for statement, dropped in zip(repeated, dropped_before, strict=True):
        for rule, message in _second_run(statement.words, dropped):
            yield _finding(rendered, statement, rule, message)


def _finding(rendered: RenderedRevision, statement: SqlStatement, rule: str, message: str) -> Finding:
    call = statement.call
    return Finding(rendered.path, call.line, rule, message, ADVICE.get(rule), call.end_line, rendered.revision)


def _placement(statement: SqlStatement) -> Iterator[tuple[str, str]]:
    """Yield the rule and the message for a statement on the wrong side of a transaction."""
    if statement.controls_transaction:
        yield "transaction-control", f"{statement.words[0].upper()} must not be in a revision: Alembic sends it"
        return
    sql = " ".join(statement.sql.split())[:60]
    in_transaction = statement.call.in_transaction
    if in_transaction and _must_be_outside(statement) and not _is_reported_by_squawk(statement.words):
        yield "outside-transaction", f"the statement cannot run in a transaction: {sql}"
    elif not in_transaction and statement.statements_in_call > 1 and _must_be_outside(statement):
        yield "outside-transaction", f"several statements in one call are a transaction, which cannot contain: {sql}"


def _must_be_outside(statement: SqlStatement) -> bool:
    text = " ".join(statement.words)
    if statement.words[0] == "do":
        return any(_ENDS_TRANSACTION.search(" ".join(tokens.words(body))) for body in tokens.bodies(statement.sql))
    return any(pattern.match(text) for pattern in _OUTSIDE)


def _is_reported_by_squawk(words: Sequence[str]) -> bool:
    """Tell whether squawk's ban-concurrent-index-creation-in-transaction reports the statement."""
    return words[0] == "create" and "index" in words[:3]


def _second_run(words: Sequence[str], dropped: frozenset[reruns.DatabaseObject]) -> Iterator[tuple[str, str]]:
    """Yield the rule and the message for a statement that a second run of the revision cannot execute."""
    target = reruns.object_of(words)
    if words[0] == "create" and target and target not in dropped:
        if target[0] == "index" and "concurrently" in words[:4]:
            yield (
                "rerun-invalid-index",
                f"a failed build leaves an invalid {_label(target)}, and a second run keeps the invalid index",
            )
        elif _fails_again(words, target):
            yield "rerun-fails", f"a second run of this revision fails: {_label(target)} exists already"
    elif words[0] == "drop" and target and target[0] not in {"index", "table", "type"} and "if" not in words[:6]:
        yield "rerun-fails", f"a second run of this revision fails: {_label(target)} is dropped already"
    elif words[0] == "alter" and target and target[0] != "table" and _alters_once(words):
        yield "rerun-fails", f"a second run of this revision fails: {_label(target)} is altered already"
    elif _inserts_again(words):
        yield "rerun-inserts", "a second run of this revision inserts the same rows again, or fails"


def _label(target: reruns.DatabaseObject) -> str:
    return " ".join(target).strip()


def _fails_again(words: Sequence[str], target: reruns.DatabaseObject) -> bool:
    """Tell whether a CREATE fails if the object exists. Squawk reports tables and indexes."""
    text = " ".join(words[:8])
    return target[0] not in {"index", "table"} and " or replace " not in text and " if not exists" not in text


def _alters_once(words: Sequence[str]) -> bool:
    text = " ".join(words)
    return " rename " in text or (" add value " in text and " add value if not exists " not in text)


def _inserts_again(words: Sequence[str]) -> bool:
    """Tell whether a second run inserts the same rows. It does not insert rows that the statement itself deletes."""
    text = " ".join(words)
    if words[0] not in {"insert", "with"} or "insert into" not in text:
        return False
    return not re.search(r"\b(on conflict|not exists|not in|except|delete from)\b", text)
