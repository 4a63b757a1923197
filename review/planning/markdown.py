"""The plan as Markdown for a comment on a pull request: https://github.github.com/gfm/."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from review.findings import Finding
from review.planning import wording
from review.planning.plan import Plan, PlannedRevision, PlannedStatement
from review.text import count, relative

MARKER = "<!-- plan of migrations -->"
"""The first line, by which a workflow finds its earlier comment."""

LIMIT = 65_000
"""Bytes. GitHub's limit is 65,536 characters. Its documentation does not say how it counts non-ASCII characters."""

_OMITTED = "The longest parts are omitted, because a comment has at most 65,536 characters. `make plan` shows them."
_LAST_ROW_SIZE = 100  # bytes of the row with the number of omitted revisions
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#$&])")
_CODE = re.compile(r"(`[^`\n]+`)")
_NO_MENTION = "@\N{ZERO WIDTH SPACE}"


@dataclass
class _Section:
    """The details of one revision, at several levels: the first has all details, the last has no text."""

    levels: list[str]

    @property
    def text(self) -> str:
        """Return the Markdown of the current level."""
        return self.levels[0]

    @property
    def size(self) -> int:
        """Return the length in bytes."""
        return _size(self.text)


def render_markdown(plan: Plan) -> str:
    """Return the comment. The longest sections are shortened until the comment fits."""
    lines = [MARKER, "## Plan of the migrations", "", _prose(wording.summary(plan)), ""]
    if not plan.revisions:
        return "\n".join(lines)
    lines += _findings(plan.findings)
    rows = list(map(_row, plan.revisions))
    sections = [_Section(list(_details(revision))) for revision in plan.revisions]
    room = LIMIT - _size("\n".join([*lines, *_table(rows), _OMITTED]))
    if _shorten(sections, room):
        lines += [_OMITTED, ""]
    room = LIMIT - _size("\n".join([*lines, *_table([])])) - sum(section.size + 1 for section in sections)
    return "\n".join([*lines, *_table(_fitting(rows, room)), *(section.text for section in sections if section.text)])


def _shorten(sections: list[_Section], room: int) -> bool:
    """Shorten the longest section, the last of several equally long ones, until all fit. Tell if any is shortened."""
    total = sum(section.size + 1 for section in sections)
    is_shortened = total > room
    while total > room:
        size, number = max((section.size, number) for number, section in enumerate(sections))
        if not size:
            break
        del sections[number].levels[0]
        total -= size - sections[number].size
    return is_shortened


def _table(rows: list[str]) -> list[str]:
    return ["| revision | | strictest lock | findings |", "|---|---|---|---|", *rows, ""]


def _fitting(rows: list[str], room: int) -> list[str]:
    """Return the rows that fit, and a row with the number of the others."""
    fitting: list[str] = []
    for row in rows:
        room -= _size(row) + 1
        if room < _LAST_ROW_SIZE:
            return [*fitting, f"| … | and {count(len(rows) - len(fitting), 'more revision')} | | |"]
        fitting.append(row)
    return fitting


def _row(revision: PlannedRevision) -> str:
    level = wording.level(revision.strictest, revision.is_complete)
    return f"| {_prose(revision.revision)} | {_prose(revision.title)} | {level} | {len(revision.findings) or ''} |"


def _details(revision: PlannedRevision) -> Iterator[str]:
    """Yield the levels: all details, the details without the SQL, an empty text."""
    title = html.escape(f"{revision.revision}: {_one_line(revision.title)}").replace("@", _NO_MENTION)
    head = ["<details>", f"<summary>{title}</summary>", ""]
    failure = revision.failure
    tail = [f"The SQL ends at line {failure.line}: {_prose(failure.message)}", ""] if failure else []
    tail += [*_findings(revision.findings), "</details>", ""]
    yield "\n".join([*head, *_block(revision), *tail])
    if revision.statements:
        omitted = f"{count(len(revision.statements), 'statement')}, omitted here."
        yield "\n".join([*head, omitted, "", *tail])
    yield ""


def _block(revision: PlannedRevision) -> list[str]:
    if not revision.statements:
        return ["No SQL.", ""]
    sql = "\n".join(_sql(revision.statements)).rstrip()
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall(r"`+", sql))])
    return [f"{fence}sql", sql, fence, ""]


def _sql(statements: tuple[PlannedStatement, ...]) -> Iterator[str]:
    for text, statement in wording.with_transactions(statements):
        if statement is None:
            yield f"-- {text}"
        else:
            yield from (f"-- {_one_line(line)}" for line in wording.lock_lines(statement.locks))
            yield f"{statement.sql};\n"


def _findings(findings: tuple[Finding, ...]) -> list[str]:
    """Return a list of findings, with the advice of each rule once."""
    lines: dict[str, None] = {}
    for finding in findings:
        position = _one_line(f"{relative(finding.path)}:{finding.line}").replace("`", "'")
        lines[f"- `{position}` **{_prose(finding.rule)}**: {_prose(finding.message)}"] = None
        if finding.advice:
            lines[f"  - *{_prose(finding.rule)}*: {_prose(finding.advice)}"] = None
    return [*lines, ""] if lines else []


def _prose(text: str) -> str:
    """Escape a text for Markdown. Text in single backticks stays code."""
    parts = _CODE.split(_one_line(text))
    plain = [_SPECIAL.sub(r"\\\1", part).replace("@", _NO_MENTION) for part in parts[::2]]
    code = [part.replace("|", r"\|") for part in parts[1::2]]
    return "".join(part for pair in zip(plain, [*code, ""], strict=True) for part in pair)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _size(text: str) -> int:
    return len(text.encode("utf-8", errors="replace"))
