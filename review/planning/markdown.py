"""A plan as Markdown for a comment on a pull request: https://github.github.com/gfm/."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from review.findings import Finding
from review.planning import wording
from review.planning.plan import Plan, Planned, Revision

MARKER = "<!-- plan of migrations -->"
"""The first line: by it a workflow finds the comment that it wrote before."""

LIMIT = 65_000
"""Bytes. GitHub takes 65,536 characters, and does not say how it counts those outside of ASCII."""

_LEFT_OUT = "The longest parts are left out: a comment holds 65,536 characters. `make plan` shows them."
_SIZE_OF_REST = 100  # of the row that counts those left out
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#$&])")
_CODE = re.compile(r"(`[^`\n]+`)")
_NO_MENTION = "@\N{ZERO WIDTH SPACE}"


@dataclass
class _Section:
    """What is said of one revision: at first all of it, then less and less."""

    levels: list[str]

    @property
    def text(self) -> str:
        """Return the Markdown."""
        return self.levels[0]

    @property
    def size(self) -> int:
        """Return its length in bytes."""
        return _size(self.text)


def document(plan: Plan) -> str:
    """Return the comment; what is longest is left out until it is short enough."""
    lines = [MARKER, "## Plan of the migrations", "", _prose(wording.summary(plan)), ""]
    if not plan.revisions:
        return "\n".join(lines)
    lines += _findings(plan.findings)
    rows = list(map(_row, plan.revisions))
    sections = [_Section(list(_details(of))) for of in plan.revisions]
    room = LIMIT - _size("\n".join([*lines, *_table(rows), _LEFT_OUT]))
    if _shorten(sections, room):
        lines += [_LEFT_OUT, ""]
    room = LIMIT - _size("\n".join([*lines, *_table([])])) - sum(section.size + 1 for section in sections)
    return "\n".join([*lines, *_table(_fitting(rows, room)), *(section.text for section in sections if section.text)])


def _shorten(sections: list[_Section], room: int) -> bool:
    """Take from the longest, of those equally long from the last, until all fit; tells whether it had to."""
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
    """Return as many rows as there is room for."""
    fitting: list[str] = []
    for row in rows:
        room -= _size(row) + 1
        if room < _SIZE_OF_REST:
            return [*fitting, f"| … | and {wording.count(len(rows) - len(fitting), 'more revision')} | | |"]
        fitting.append(row)
    return fitting


def _row(of: Revision) -> str:
    level = wording.level(of.strictest, of.is_complete)
    return f"| {_prose(of.revision)} | {_prose(of.title)} | {level} | {len(of.findings) or ''} |"


def _details(of: Revision) -> Iterator[str]:
    """Yield all that is said of a revision, then that without its SQL, then nothing."""
    title = html.escape(f"{of.revision}: {_one_line(of.title)}").replace("@", _NO_MENTION)
    head = ["<details>", f"<summary>{title}</summary>", ""]
    tail = [f"The SQL ends at line {of.failure.line}: {_prose(of.failure.message)}", ""] if of.failure else []
    tail += [*_findings(of.findings), "</details>", ""]
    yield "\n".join([*head, *_block(of), *tail])
    if of.statements:
        yield "\n".join([*head, f"{wording.count(len(of.statements), 'statement')}, left out here.", "", *tail])
    yield ""


def _block(of: Revision) -> list[str]:
    if not of.statements:
        return ["No SQL.", ""]
    sql = "\n".join(_sql(of.statements)).rstrip()
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall(r"`+", sql))])
    return [f"{fence}sql", sql, fence, ""]


def _sql(statements: tuple[Planned, ...]) -> Iterator[str]:
    for border, statement in wording.with_borders(statements):
        if statement is None:
            yield f"-- {border}"
        else:
            yield from (f"-- {_one_line(line)}" for line in wording.locks(statement.locks))
            yield f"{statement.sql};\n"


def _findings(findings: tuple[Finding, ...]) -> list[str]:
    """Return a list, with what each rule advises once."""
    lines: dict[str, None] = {}
    for finding in findings:
        place = _one_line(f"{wording.shown(finding.path)}:{finding.line}").replace("`", "'")
        lines[f"- `{place}` **{_prose(finding.rule)}**: {_prose(finding.message)}"] = None
        if finding.advice:
            lines[f"  - *{_prose(finding.rule)}*: {_prose(finding.advice)}"] = None
    return [*lines, ""] if lines else []


def _prose(text: str) -> str:
    """Return a text as it is, whatever Markdown sees in it; what stands in single backticks stays code."""
    parts = _CODE.split(_one_line(text))
    plain = [_SPECIAL.sub(r"\\\1", part).replace("@", _NO_MENTION) for part in parts[::2]]
    code = [part.replace("|", r"\|") for part in parts[1::2]]
    return "".join(part for pair in zip(plain, [*code, ""], strict=True) for part in pair)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _size(text: str) -> int:
    return len(text.encode("utf-8", errors="replace"))
