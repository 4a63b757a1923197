"""What a deployment would do: its revisions, their SQL, the locks it takes and what the lint says."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from review import tokens
from review.findings import Finding
from review.history import History
from review.linting.lint import lint
from review.planning.locks import Locks, estimate, squawks_modes
from review.planning.modes import Mode
from review.planning.releases import Start
from review.planning.schema import Schema
from review.planning.syntax import Node, parse
from review.rendering import Failure, Rendered, Statement, render


@dataclass(frozen=True)
class Planned:
    """One SQL statement, and the line of the revision that runs it."""

    sql: str
    line: int
    in_transaction: bool
    locks: Locks


@dataclass(frozen=True)
class Revision:
    """A revision, with what it does."""

    revision: str
    title: str
    path: Path
    statements: tuple[Planned, ...]
    findings: tuple[Finding, ...] = ()
    failure: Failure | None = None

    @property
    def strictest(self) -> Mode | None:
        """Return the strictest lock on what was there before: each is held to the end of its transaction."""
        modes = [statement.locks.strictest for statement in self.statements]
        return max((mode for mode in modes if mode), default=None)

    @property
    def is_complete(self) -> bool:
        """Tell whether there are no locks besides those."""
        return self.failure is None and all(statement.locks.is_complete for statement in self.statements)


@dataclass(frozen=True)
class Plan:
    """From a start to the heads; `findings` are those of no single revision."""

    start: Start
    heads: tuple[str, ...]
    revisions: tuple[Revision, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def strictest(self) -> Mode | None:
        """Return the strictest lock of all."""
        return max((mode for revision in self.revisions if (mode := revision.strictest)), default=None)

    @property
    def is_complete(self) -> bool:
        """Tell whether all locks are known."""
        return all(revision.is_complete for revision in self.revisions)

    @property
    def number_of_findings(self) -> int:
        """Count the findings."""
        return len(self.findings) + sum(len(revision.findings) for revision in self.revisions)


def make(history: History, start: Start) -> Plan:
    """Return the plan from a start. Raises ReviewError if the revisions cannot be rendered."""
    planned = {step.revision.revision for step in history.steps(start.heads)}
    if not planned:
        return Plan(start, history.heads)
    rendered = render(history)
    findings = lint(history, rendered).findings
    revisions = (
        Revision(
            found.revision,
            found.title,
            found.path,
            tuple(statements),
            tuple(finding for finding in findings if finding.revision == found.revision),
            found.failure,
        )
        for found, statements in _statements(rendered, planned)
    )
    return Plan(start, history.heads, tuple(revisions), tuple(found for found in findings if found.revision is None))


def _statements(rendered: list[Rendered], planned: set[str]) -> Iterator[tuple[Rendered, list[Planned]]]:
    """Yield what is planned; revisions before it are read too, for the tables, indexes and foreign keys they make."""
    calls = [
        (found, call, sql) for found in rendered for call in found.statements for sql in tokens.statements(call.sql)
    ]
    trees = parse([sql for _, _, sql in calls])
    of_plan = [tree for (found, _, _), tree in zip(calls, trees, strict=True) if found.revision in planned]
    modes = iter(squawks_modes(of_plan))
    parts: dict[str, list[tuple[Statement, str, Node]]] = {found.revision: [] for found in rendered}
    for (found, call, sql), tree in zip(calls, trees, strict=True):
        parts[found.revision].append((call, sql, tree))
    schema = Schema()
    for found in rendered:
        schema.new.clear()
        statements = []
        for call, sql, tree in parts[found.revision]:
            if found.revision in planned:
                locks = estimate(tree, next(modes), schema)
                statements.append(Planned(sql, call.line, call.in_transaction, locks))
            schema.learn(tree)
        if found.revision in planned:
            yield found, statements
