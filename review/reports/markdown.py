"""The plan as Markdown for a comment on a pull request, without wide tables: https://github.github.com/gfm/."""

import re
from collections.abc import Iterator

from review.findings import Finding
from review.production import Production
from review.recording import RelationLock, RevisionRecording, Statement
from review.reports import wording
from review.rules.judge import Judgement
from review.text import count, relative

MARKER = "<!-- plan of migrations -->"
"""The first line, by which a workflow finds its earlier comment."""

LIMIT = 65_000
"""Bytes. GitHub's limit is 65,536 characters. Its documentation does not say how it counts non-ASCII characters."""

_OMITTED = "The longest parts are omitted, because a comment has at most 65,536 characters. `make plan` shows them."
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#$&])")
_CODE = re.compile(r"(`[^`\n]+`)")
_NO_MENTION = "@\N{ZERO WIDTH SPACE}"


def render_markdown(judgement: Judgement, production: Production) -> str:
    """Return the comment. The longest sections are shortened until the comment fits."""
    head = [
        MARKER,
        "## Plan of the migrations",
        "",
        _prose(wording.summary(judgement)),
        "",
        *_findings(judgement.findings_of()),
    ]
    if judgement.not_run:
        head += [f"Not run, because an earlier revision fails: {_prose(', '.join(judgement.not_run))}", ""]
    sections = [list(_section(judgement, recording, production)) for recording in judgement.recordings]
    room = LIMIT - _size("\n".join([*head, _OMITTED, ""]))
    is_shortened = _shorten(sections, room)
    return "\n".join(
        [*head, *([_OMITTED, ""] if is_shortened else []), *(levels[0] for levels in sections if levels[0])]
    )


def _shorten(sections: list[list[str]], room: int) -> bool:
    """Shorten the longest section, the last of several equally long ones, until all fit. Tell if any is shortened.

    A section is a list of texts, from all details to an empty text.
    """
    sizes = [_size(levels[0]) + 1 for levels in sections]
    is_shortened = sum(sizes) > room
    while sum(sizes) > room:
        _, number = max((size, number) for number, size in enumerate(sizes))
        del sections[number][0]
        sizes[number] = _size(sections[number][0]) + 1 if sections[number][0] else 0
    return is_shortened


def _section(judgement: Judgement, recording: RevisionRecording, production: Production) -> Iterator[str]:
    """Yield the levels of a section: all details, without the SQL, the verdict alone, an empty text."""
    title = f"### {_prose(recording.revision)} {_prose(recording.title)}".rstrip()
    verdict = [title, "", f"**{_prose(wording.verdict(recording, production))}**", ""]
    statements = wording.shown(recording)
    items = [_item(statement, production) for statement in statements if statement.locks or statement.error]
    if others := len(statements) - len(items):
        items.append(f"- {count(others, 'other statement')}: no lock on a table that existed before")
    details = [*verdict, *items, *([""] if items else ["No SQL.", ""])]
    limits = [f"- Not shown: {_prose(limit)}" for limit in wording.limits(recording)]
    tail = [*_findings(judgement.findings_of(recording.revision)), *limits, *([""] if limits else [])]
    yield "\n".join([*details, *_block(statements), *tail])
    yield "\n".join([*details, *tail])
    yield "\n".join([*verdict, f"{count(len(statements), 'statement')}, omitted here.", ""])
    yield ""


def _item(statement: Statement, production: Production) -> str:
    locks = wording.strictest_locks(statement)
    lock = f"**{statement.strictest}** on {_names(locks)}" if locks else "no lock"
    activity, waiting = wording.activity(statement, production), wording.waiting(statement, production)
    return f"- line {statement.line}: {lock}; {_prose(activity)}; {_prose(waiting)}"


def _names(locks: list[RelationLock]) -> str:
    return ", ".join(f"`{_code(str(lock.relation))}`" for lock in locks)


def _block(statements: list[Statement]) -> list[str]:
    if not statements:
        return []
    lines = [
        f"-- {part}" if isinstance(part, str) else f"{part.sql.strip()};\n"
        for part in wording.with_transactions(statements)
    ]
    sql = "\n".join(lines).rstrip()
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall(r"`+", sql))])
    return ["<details><summary>SQL</summary>", "", f"{fence}sql", sql, fence, "", "</details>", ""]


def _findings(findings: list[Finding]) -> list[str]:
    """Return a list of findings, with each advice once."""
    lines: dict[str, None] = {}
    for finding in findings:
        position = _code(f"{relative(finding.path)}:{finding.line}")
        lines[f"- **{_prose(finding.rule)}**: {_prose(finding.message)} (`{position}`)"] = None
    for rule, advice in dict.fromkeys((finding.rule, finding.advice) for finding in findings):
        if advice:
            text, _, code = advice.partition("\n")
            lines[f"  - *{_prose(rule)}*: {_prose(text)}"] = None
            if code:
                lines["\n".join(f"    {line}" for line in ["```python", *code.split("\n"), "```"])] = None
    return [*lines, ""] if lines else []


def _prose(text: str) -> str:
    """Escape a text for Markdown. Text in single backticks stays code."""
    parts = _CODE.split(" ".join(text.split()))
    plain = [_SPECIAL.sub(r"\\\1", part).replace("@", _NO_MENTION) for part in parts[::2]]
    return "".join(part for pair in zip(plain, [*parts[1::2], ""], strict=True) for part in pair)


def _code(text: str) -> str:
    return " ".join(text.split()).replace("`", "'")


def _size(text: str) -> int:
    return len(text.encode("utf-8", errors="replace"))
