"""The SQL of a revision as one piece for squawk: with BEGIN and COMMIT where they really are, and a way back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from review import tokens
from review.rendering import Rendered, Statement

TRANSACTION_CONTROL = {"abort", "begin", "commit", "end", "rollback", "start"}


@dataclass(frozen=True)
class Part:
    """One SQL statement, of the one or several that a call in a revision runs: `in_one_call` says how many."""

    sql: str
    statement: Statement
    in_one_call: int

    @cached_property
    def words(self) -> list[str]:
        """Return its keywords and names."""
        return tokens.words(self.sql)

    @property
    def controls_transaction(self) -> bool:
        """Tell whether it is a COMMIT or the like, which is Alembic's business; a savepoint is not."""
        return self.words[0] in TRANSACTION_CONTROL and "to" not in self.words


def parts(rendered: Rendered) -> list[Part]:
    """Return the SQL statements of a revision."""
    found = []
    for statement in rendered.statements:
        texts = tokens.statements(statement.sql)
        found += [Part(text, statement, len(texts)) for text in texts]
    return found


def up_to_last_outside(of: Sequence[Part]) -> list[Part]:
    """Return what is there already when a revision that failed outside of a transaction runs again."""
    outside = [number for number, part in enumerate(of) if not part.statement.in_transaction]
    return list(of[: outside[-1] + 1]) if outside else []


@dataclass
class Piece:
    """Lines of SQL, and for each the part that it belongs to, None for those that were added."""

    lines: list[str] = field(default_factory=list)
    owners: list[Part | None] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return the SQL."""
        return "\n".join(self.lines)

    def part_at(self, line: int) -> Part | None:
        """Return what is in that line, counted from 1."""
        return self.owners[line - 1] if line <= len(self.owners) else None

    def add(self, sql: str, owner: Part | None = None) -> None:
        """Append a statement, and end it on a line of its own: it may close with a comment."""
        lines = [*sql.split("\n"), ";"]
        self.lines += lines
        self.owners += [owner] * len(lines)


def piece(of: Sequence[Part], *, transactions: bool = True) -> Piece:
    """Put statements together, inside and outside of transactions as they will run, or all outside."""
    made, is_open = Piece(), False
    for part in of:
        if part.controls_transaction:
            continue
        if is_open != (transactions and part.statement.in_transaction):
            is_open = not is_open
            made.add("BEGIN" if is_open else "COMMIT")
        made.add(part.sql, part)
    if is_open:
        made.add("COMMIT")
    return made
