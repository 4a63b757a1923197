"""Squawk's rules on the SQL of revisions, each in or out of a transaction as it will run, or run again."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from review import squawk
from review.findings import Finding
from review.linting import reruns
from review.linting.advice import ADVICE
from review.linting.pieces import Part, Piece, parts, piece, up_to_last_outside
from review.rendering import Rendered

# The migrator sets both for every session: migrator/settings.py and migrator/statement_limit.py.
SWITCHED_OFF = {"require-lock-timeout", "require-statement-timeout"}
ROBUST = "prefer-robust-stmts"
SYNTAX_ERROR = "syntax-error"
SHOWN = 80  # characters of SQL in a message


@dataclass(frozen=True)
class Run:
    """One piece of SQL for squawk, of the first run of a revision or of a second one, after the first failed.

    `again` holds what a second run repeats, and what was dropped before each: squawk's rule about that counts there.
    """

    rendered: Rendered
    piece: Piece
    again: Mapping[Part, frozenset[reruns.Made]]
    is_second: bool

    def findings(self, reports: Iterable[squawk.Report]) -> Iterator[Finding]:
        """Yield the reports that count, at their lines in the revision."""
        unread: set[Part] = set()
        for report in reports:
            part = self.piece.part_at(report.line)
            if part is not None and part not in unread and self._counts(report.rule, part):
                yield self._finding(report, part)
                if report.rule == SYNTAX_ERROR:
                    unread.add(part)  # the first error says it, others follow from it

    def _finding(self, report: squawk.Report, part: Part) -> Finding:
        line = self.piece.lines[report.line - 1]
        sql = " ".join((part.sql if part.sql.startswith(line) else line).split()).removesuffix(",")
        sql = sql if len(sql) <= SHOWN else f"{sql[: SHOWN - 1]}…"
        return Finding(
            self.rendered.path,
            part.statement.line,
            report.rule,
            f"{' '.join(report.message.split())} In: {sql}",
            ADVICE.get(report.rule, report.advice),
            part.statement.end_line,
            self.rendered.revision,
        )

    def _counts(self, rule: str, part: Part) -> bool:
        if rule in SWITCHED_OFF:
            return False
        if self.is_second:
            return rule == ROBUST and not self._can_repeat(part)
        return rule != ROBUST or part not in self.again

    def _can_repeat(self, part: Part) -> bool:
        """Tell whether a statement may run twice although squawk, which looks at it alone, doubts it."""
        made = reruns.object_of(part.words) if part.words[0] == "create" else None
        if made and made[0] == "index" and "concurrently" in part.words[:4]:
            return True  # rerun-invalid-index says what there is to say
        return made in self.again[part] or reruns.can_alter_again(part.words)


def judge(rendered: Iterable[Rendered], *options: str) -> list[Finding]:
    """Return squawk's findings in revisions, by one call of it, and one more if there is SQL that it cannot read."""
    runs = [run for found in rendered for run in _runs(found, parts(found))]
    results = squawk.run([run.piece.text for run in runs], *options)
    rest: list[Run] = []
    for run, reports in zip(runs, results, strict=True):
        if not run.is_second and (unread := _unread(run, reports)):
            # Of a piece with a syntax error, squawk judges nothing: once more without that statement.
            rest += _runs(run.rendered, [part for part in parts(run.rendered) if part not in unread])
    results += squawk.run([run.piece.text for run in rest], *options)
    return [finding for run, reports in zip([*runs, *rest], results, strict=True) for finding in run.findings(reports)]


def _runs(rendered: Rendered, of: Sequence[Part]) -> list[Run]:
    outside = up_to_last_outside(of)
    again = dict(zip(outside, reruns.dropped_before([part.words for part in outside]), strict=True))
    runs = [Run(rendered, piece(of), again, is_second=False)]
    if again:
        runs.append(Run(rendered, piece(outside, transactions=False), again, is_second=True))
    return runs


def _unread(run: Run, reports: Iterable[squawk.Report]) -> list[Part]:
    lines = [report.line for report in reports if report.rule == SYNTAX_ERROR]
    return [part for part in map(run.piece.part_at, lines) if part is not None]
