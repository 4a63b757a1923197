"""The plan on a terminal: the revisions with their locks and their SQL."""

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from review.planning import wording
from review.planning.lock_modes import LockMode
from review.planning.plan import Plan, PlannedRevision
from review.text import relative

SQL_LENGTH = 100
STYLES = {
    LockMode.ACCESS_EXCLUSIVE: "bold red",
    LockMode.EXCLUSIVE: "red",
    LockMode.SHARE_ROW_EXCLUSIVE: "red",
    LockMode.SHARE: "red",
}


def show(plan: Plan, console: Console) -> None:
    """Print the summary, then each revision."""
    console.print(Text(wording.summary(plan), style="bold"), soft_wrap=True)
    _findings(plan, console)
    for revision in plan.revisions:
        console.print()
        _revision(revision, console)


def _revision(revision: PlannedRevision, console: Console) -> None:
    console.print(Text.assemble((revision.revision, "bold cyan"), f"  {revision.title}"), soft_wrap=True)
    console.print(Text(relative(revision.path), style="dim"), soft_wrap=True)
    if revision.statements:
        console.print(_table(revision))
        _sql(revision, console)
    if revision.failure:
        position = f"{relative(revision.path)}:{revision.failure.line}"
        console.print(
            Text(f"{position}: the SQL ends here: {revision.failure.message}", style="bold red"), soft_wrap=True
        )
    elif not revision.statements:
        console.print(Text("no SQL", style="dim"))
    _findings(revision, console)


def _table(revision: PlannedRevision) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("line", "lock", "on", "transaction", "statement"):
        table.add_column(heading, no_wrap=heading in {"line", "lock", "transaction"})
    for statement in revision.statements:
        strictest = statement.locks.strictest
        sql = " ".join(statement.sql.split())
        table.add_row(
            str(statement.line),
            Text(wording.strictest_mode(statement.locks), style=STYLES.get(strictest, "") if strictest else "dim"),
            Text(wording.relations(statement.locks)),
            "in" if statement.in_transaction else "outside",
            Text(sql[:SQL_LENGTH], no_wrap=True, overflow="ellipsis"),
        )
    return table


def _sql(revision: PlannedRevision, console: Console) -> None:
    parts = []
    for text, statement in wording.with_transactions(revision.statements):
        parts.append(f"-- {text}" if statement is None else f"{statement.sql};")
    syntax = Syntax("", "sql", theme="ansi_dark")
    console.print(syntax.highlight("\n".join(parts)), soft_wrap=True)


def _findings(part: Plan | PlannedRevision, console: Console) -> None:
    for finding in part.findings:
        position = f"{relative(finding.path)}:{finding.line}"
        console.print(
            Text.assemble((position, "bold"), ": ", (finding.rule, "bold red"), f": {finding.message}"), soft_wrap=True
        )
        if finding.advice:
            console.print(Text(f"    {' '.join(finding.advice.split())}", style="dim"), soft_wrap=True)
