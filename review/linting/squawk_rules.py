"""Squawk's rules for the SQL of revisions, inside and outside transactions as the upgrade runs them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from review import squawk
from review.findings import Finding
from review.linting import reruns
from review.linting.advice import ADVICE
from review.linting.sql_statements import (
    SqlStatement,
    SquawkInput,
    repeated_statements,
    split_statements,
    squawk_input,
)
from review.rendering import RenderedRevision

# The migrator sets both timeouts in every session: migrator/settings.py and migrator/statement_limit.py.
DISABLED = {"require-lock-timeout", "require-statement-timeout"}
ROBUST = "prefer-robust-stmts"
SYNTAX_ERROR = "syntax-error"
SQL_LENGTH = 80  # characters of SQL in a message


@dataclass(frozen=True)
class SquawkRun:
    """The SQL of a revision's first run, or of a second run after a failure.

    `repeated` maps the statements of a second run to the objects that are dropped before each.
    """

    rendered: RenderedRevision
    input: SquawkInput
    repeated: Mapping[SqlStatement, frozenset[reruns.DatabaseObject]]
    is_second: bool

    def findings(self, reports: Iterable[squawk.Report]) -> Iterator[Finding]:
        """Yield the reports that apply, with their lines in the revision."""
        unparsed: set[SqlStatement] = set()
        for report in reports:
            statement = self.input.statement_at(report.line)
            if statement is not None and statement not in unparsed and self._applies(report.rule, statement):
                yield self._finding(report, statement)
                if report.rule == SYNTAX_ERROR:
                    unparsed.add(statement)  # other errors follow from the first one

    def _finding(self, report: squawk.Report, statement: SqlStatement) -> Finding:
        line = self.input.lines[report.line - 1]
        sql = " ".join((statement.sql if statement.sql.startswith(line) else line).split()).removesuffix(",")
        sql = sql if len(sql) <= SQL_LENGTH else f"{sql[: SQL_LENGTH - 1]}…"
        return Finding(
            self.rendered.path,
            statement.call.line,
            report.rule,
            f"{' '.join(report.message.split())} In: {sql}",
            ADVICE.get(report.rule, report.advice),
            statement.call.end_line,
            self.rendered.revision,
        )

    def _applies(self, rule: str, statement: SqlStatement) -> bool:
        if rule in DISABLED:
            return False
        if self.is_second:
            return rule == ROBUST and not self._can_repeat(statement)
        return rule != ROBUST or statement not in self.repeated

    def _can_repeat(self, statement: SqlStatement) -> bool:
        """Tell whether a statement can run twice. Squawk reports it, because squawk sees no other statement."""
        created = reruns.object_of(statement.words) if statement.words[0] == "create" else None
        if created and created[0] == "index" and "concurrently" in statement.words[:4]:
            return True  # the rule rerun-invalid-index reports it
        return created in self.repeated[statement] or reruns.can_alter_again(statement.words)


def squawk_findings(rendered: Iterable[RenderedRevision], *options: str) -> list[Finding]:
    """Return squawk's findings. Squawk runs once, and a second time if there is SQL that it cannot parse."""
    runs = [run for revision in rendered for run in _runs(revision, split_statements(revision))]
    results = squawk.run([run.input.text for run in runs], *options)
    retries: list[SquawkRun] = []
    for run, reports in zip(runs, results, strict=True):
        if not run.is_second and (unparsed := _unparsed(run, reports)):
            # Squawk applies no rule to an input with a syntax error: try again without the statement.
            remaining = [statement for statement in split_statements(run.rendered) if statement not in unparsed]
            retries += _runs(run.rendered, remaining)
    results += squawk.run([run.input.text for run in retries], *options)
    return [
        finding for run, reports in zip([*runs, *retries], results, strict=True) for finding in run.findings(reports)
    ]


def _runs(rendered: RenderedRevision, statements: Sequence[SqlStatement]) -> list[SquawkRun]:
    second = repeated_statements(statements)
    dropped = reruns.dropped_before([statement.words for statement in second])
    repeated = dict(zip(second, dropped, strict=True))
    runs = [SquawkRun(rendered, squawk_input(statements), repeated, is_second=False)]
    if repeated:
        runs.append(SquawkRun(rendered, squawk_input(second, transactions=False), repeated, is_second=True))
    return runs


def _unparsed(run: SquawkRun, reports: Iterable[squawk.Report]) -> list[SqlStatement]:
    lines = [report.line for report in reports if report.rule == SYNTAX_ERROR]
    return [statement for statement in map(run.input.statement_at, lines) if statement is not None]
