"""The SQL statements of a revision, and the input for squawk that is written from them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from review import tokens
from review.rendering import Call, RenderedRevision

TRANSACTION_CONTROL = {"abort", "begin", "commit", "end", "rollback", "start"}


@dataclass(frozen=True)
class SqlStatement:
    """One SQL statement. The call that executes it has `statements_in_call` statements."""

    sql: str
    call: Call
    statements_in_call: int

    @cached_property
    def words(self) -> list[str]:
        """Return the keywords and names."""
        return tokens.words(self.sql)

    @property
    def controls_transaction(self) -> bool:
        """Tell whether the statement begins or ends a transaction. ROLLBACK TO SAVEPOINT does not."""
        return self.words[0] in TRANSACTION_CONTROL and "to" not in self.words


def split_statements(rendered: RenderedRevision) -> list[SqlStatement]:
    """Return the SQL statements of a revision."""
    statements = []
    for call in rendered.calls:
        texts = tokens.statements(call.sql)
        statements += [SqlStatement(text, call, len(texts)) for text in texts]
    return statements


def repeated_statements(statements: Sequence[SqlStatement]) -> list[SqlStatement]:
    """Return the statements that may run twice: up to the last statement outside a transaction."""
    outside = [number for number, statement in enumerate(statements) if not statement.call.in_transaction]
    return list(statements[: outside[-1] + 1]) if outside else []


@dataclass
class SquawkInput:
    """The lines of SQL for squawk, and the statement of each line. Added lines have no statement."""

    lines: list[str] = field(default_factory=list)
    statements: list[SqlStatement | None] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return the SQL."""
        return "\n".join(self.lines)

    def statement_at(self, line: int) -> SqlStatement | None:
        """Return the statement of a line, counted from 1."""
        return self.statements[line - 1] if line <= len(self.statements) else None

    def add(self, sql: str, statement: SqlStatement | None = None) -> None:
        """Append SQL. The semicolon has a line of its own, because the SQL may end with a comment."""
        lines = [*sql.split("\n"), ";"]
        self.lines += lines
        self.statements += [statement] * len(lines)


def squawk_input(statements: Sequence[SqlStatement], *, transactions: bool = True) -> SquawkInput:
    """Write statements with BEGIN and COMMIT as the upgrade runs them, or all outside transactions."""
    result, is_open = SquawkInput(), False
    for statement in statements:
        if statement.controls_transaction:
            continue
        if is_open != (transactions and statement.call.in_transaction):
            is_open = not is_open
            result.add("BEGIN" if is_open else "COMMIT")
        result.add(statement.sql, statement)
    if is_open:
        result.add("COMMIT")
    return result
