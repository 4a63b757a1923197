"""Our own rules on SQL: what must run outside of a transaction, and what a second run of a revision trips over."""

import re
from collections.abc import Iterator, Sequence

from review import tokens
from review.findings import Finding
from review.linting import reruns
from review.linting.advice import ADVICE
from review.linting.pieces import Part, parts, up_to_last_outside
from review.rendering import Rendered

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
"""In the code of a DO block."""


def judge(rendered: Rendered) -> Iterator[Finding]:
    """Yield what our rules find in the SQL of a revision."""
    found = parts(rendered)
    for part in found:
        for rule, message in _placement(part):
            yield _finding(rendered, part, rule, message)
    again = up_to_last_outside(found)
    for part, dropped in zip(again, reruns.dropped_before([part.words for part in again]), strict=True):
        for rule, message in _second_run(part.words, dropped):
            yield _finding(rendered, part, rule, message)


def _finding(rendered: Rendered, part: Part, rule: str, message: str) -> Finding:
    statement = part.statement
    return Finding(
        rendered.path, statement.line, rule, message, ADVICE.get(rule), statement.end_line, rendered.revision
    )


def _placement(part: Part) -> Iterator[tuple[str, str]]:
    if part.controls_transaction:
        yield "transaction-control", f"{part.words[0].upper()} is Alembic's business"
        return
    what = " ".join(part.sql.split())[:60]
    if part.statement.in_transaction and _must_be_outside(part) and not _is_squawks(part.words):
        yield "outside-transaction", f"cannot run inside of a transaction: {what}"
    elif not part.statement.in_transaction and part.in_one_call > 1 and _must_be_outside(part):
        yield "outside-transaction", f"cannot run in one call with other statements, which is a transaction: {what}"


def _must_be_outside(part: Part) -> bool:
    text = " ".join(part.words)
    if part.words[0] == "do":
        return any(_ENDS_TRANSACTION.search(" ".join(tokens.words(body))) for body in tokens.bodies(part.sql))
    return any(pattern.match(text) for pattern in _OUTSIDE)


def _is_squawks(words: Sequence[str]) -> bool:
    """Tell whether ban-concurrent-index-creation-in-transaction says it already."""
    return words[0] == "create" and "index" in words[:3]


def _second_run(words: Sequence[str], dropped: frozenset[reruns.Made]) -> Iterator[tuple[str, str]]:
    made = reruns.object_of(words)
    if words[0] == "create" and made and made not in dropped:
        if made[0] == "index" and "concurrently" in words[:4]:
            yield (
                "rerun-invalid-index",
                f"a build that fails leaves an invalid {_named(made)}, and a second run keeps it",
            )
        elif _fails_again(words, made):
            yield "rerun-fails", f"a second run of this revision fails here: {_named(made)} is there already"
    elif words[0] == "drop" and made and made[0] not in {"index", "table", "type"} and "if" not in words[:6]:
        yield "rerun-fails", f"a second run of this revision fails here: {_named(made)} is gone already"
    elif words[0] == "alter" and made and made[0] != "table" and _alters_once(words):
        yield "rerun-fails", f"a second run of this revision fails here: {_named(made)} is altered already"
    elif _inserts_again(words):
        yield "rerun-inserts", "a second run of this revision inserts the same rows once more, or fails"


def _named(made: reruns.Made) -> str:
    return " ".join(made).strip()


def _fails_again(words: Sequence[str], made: reruns.Made) -> bool:
    """Tell whether a CREATE fails on what is there; for tables and indexes squawk does."""
    text = " ".join(words[:8])
    return made[0] not in {"index", "table"} and " or replace " not in text and " if not exists" not in text


def _alters_once(words: Sequence[str]) -> bool:
    text = " ".join(words)
    return " rename " in text or (" add value " in text and " add value if not exists " not in text)


def _inserts_again(words: Sequence[str]) -> bool:
    """Tell whether rows are inserted unconditionally; those that a DELETE in the same statement yields are gone."""
    text = " ".join(words)
    if words[0] not in {"insert", "with"} or "insert into" not in text:
        return False
    return not re.search(r"\b(on conflict|not exists|not in|except|delete from)\b", text)
