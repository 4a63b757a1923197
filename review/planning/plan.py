"""The plan of a deployment: its revisions with their SQL, their estimated locks, and the findings of the lint."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from review import tokens
from review.findings import Finding
from review.linting.lint import lint
from review.planning.lock_modes import LockMode
from review.planning.locks import StatementLocks, estimate, modes_from_squawk
from review.planning.releases import Start
from review.planning.schema import Schema
from review.planning.syntax import Node, parse
from review.rendering import Call, Failure, RenderedRevision, render
from review.revision_scripts import RevisionScripts


@dataclass(frozen=True)
class PlannedStatement:
    """One SQL statement, and the line of the revision that executes it."""

    sql: str
    line: int
    in_transaction: bool
    locks: StatementLocks


@dataclass(frozen=True)
class PlannedRevision:
    """A revision with its statements and findings. `failure` ended the rendering of its SQL."""

    revision: str
    title: str
    path: Path
    statements: tuple[PlannedStatement, ...]
    findings: tuple[Finding, ...] = ()
    failure: Failure | None = None

    @property
    def strictest(self) -> LockMode | None:
        """Return the strictest lock on relations that existed before. It is held until the transaction ends."""
        modes = [statement.locks.strictest for statement in self.statements]
        return max((mode for mode in modes if mode), default=None)

    @property
    def is_complete(self) -> bool:
        """Tell whether all locks are known."""
        return self.failure is None and all(statement.locks.is_complete for statement in self.statements)


@dataclass(frozen=True)
class Plan:
    """The revisions between the start and the heads. `findings` do not belong to a single revision."""

    start: Start
    heads: tuple[str, ...]
    revisions: tuple[PlannedRevision, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def strictest(self) -> LockMode | None:
        """Return the strictest lock of all revisions."""
        return max((mode for revision in self.revisions if (mode := revision.strictest)), default=None)

    @property
    def is_complete(self) -> bool:
        """Tell whether all locks of all revisions are known."""
        return all(revision.is_complete for revision in self.revisions)

    @property
    def number_of_findings(self) -> int:
        """Return the number of findings."""
        return len(self.findings) + sum(len(revision.findings) for revision in self.revisions)


def make_plan(scripts: RevisionScripts, start: Start) -> Plan:
    """Return the plan from a start."""
    planned = {script.revision for script in scripts.after(start.heads)}
    if not planned:
        return Plan(start, scripts.heads)
    rendered = render(scripts)
    findings = lint(scripts, rendered).findings
    revisions = tuple(
        PlannedRevision(
            revision.revision,
            revision.title,
            revision.path,
            tuple(statements),
            tuple(finding for finding in findings if finding.revision == revision.revision),
            revision.failure,
        )
        for revision, statements in _planned_statements(rendered, planned)
    )
    return Plan(start, scripts.heads, revisions, tuple(finding for finding in findings if finding.revision is None))


def _planned_statements(
    rendered: list[RenderedRevision], planned: set[str]
) -> Iterator[tuple[RenderedRevision, list[PlannedStatement]]]:
    """Yield the planned revisions with their statements.

    The earlier revisions are parsed too, because they create the tables, indexes and foreign keys.
    """
    calls = [
        (revision.revision, call, sql)
        for revision in rendered
        for call in revision.calls
        for sql in tokens.statements(call.sql)
    ]
    trees = parse([sql for _, _, sql in calls])
    planned_trees = [tree for (revision, _, _), tree in zip(calls, trees, strict=True) if revision in planned]
    modes = iter(modes_from_squawk(planned_trees))
    by_revision: dict[str, list[tuple[Call, str, Node]]] = {revision.revision: [] for revision in rendered}
    for (name, call, sql), tree in zip(calls, trees, strict=True):
        by_revision[name].append((call, sql, tree))
    schema = Schema()
    for revision in rendered:
        schema.new.clear()
        statements = []
        for call, sql, tree in by_revision[revision.revision]:
            if revision.revision in planned:
                locks = estimate(tree, next(modes), schema)
                statements.append(PlannedStatement(sql, call.line, call.in_transaction, locks))
            schema.apply(tree)
        if revision.revision in planned:
            yield revision, statements
