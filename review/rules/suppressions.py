"""The comments in a revision that suppress findings: `# lint-sql: ignore[rule, rule] the reason`."""

import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from review.findings import Finding
from review.rules.catalogue import advice_of, rules
from review.rules.squawk_rules import OBSERVED, TASTE
from review.source import Source

RULE = "suppression"
ALIASES = {"prefer-timestamptz": "prefer-timestamp-tz"}
"""The names of rules in squawk's documentation that differ from those in its reports."""
_MARK = re.compile(r"#+\s*lint-sql\b")
_FORM = re.compile(r"#+\s*lint-sql:\s*ignore\[([^\]]*)\]\s*(.*)")


@dataclass
class Suppression:
    """The content of one comment.

    `whole_file` is true for a comment above the first function. `used` are the rules with a suppressed finding.
    """

    line: int
    rules: tuple[str, ...]
    reason: str
    whole_file: bool
    used: set[str] = field(default_factory=set)


class Suppressions:
    """The suppressions of a revision."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._comment_lines: set[int] = set()
        self._suppressions: list[Suppression] = []
        self._malformed: list[int] = []
        for token in source.comments:
            self._read(token)

    def _read(self, token: tokenize.TokenInfo) -> None:
        line, column = token.start
        is_alone = not token.line[:column].strip()
        if is_alone:
            self._comment_lines.add(line)
        if not _MARK.match(token.string):
            return
        form = _FORM.fullmatch(token.string.rstrip())
        rules = [name.strip() for name in form[1].split(",") if name.strip()] if form else []
        if form is None or not rules:
            self._malformed.append(line)
            return
        names = tuple(ALIASES.get(rule, rule) for rule in rules)
        whole_file = is_alone and column == 0 and line < self._source.first_function
        self._suppressions.append(Suppression(line, names, form[2], whole_file))

    def suppress(self, finding: Finding) -> bool:
        """Tell whether a comment suppresses a finding, and mark the rule in the comment as used."""
        if not _is_suppressible(finding.rule):
            return False
        lines = self._lines_of(finding)
        matching = [s for s in self._suppressions if finding.rule in s.rules and (s.whole_file or s.line in lines)]
        for suppression in matching:
            suppression.used.add(finding.rule)
        return bool(matching)

    def _lines_of(self, finding: Finding) -> set[int]:
        """Return the lines of the statement, and of the block of comments directly above the statement."""
        lines = set(range(finding.line, (finding.end_line or finding.line) + 1))
        above = finding.line - 1
        while above in self._comment_lines:
            lines.add(above)
            above -= 1
        return lines

    def findings(self, recorded: set[str]) -> Iterator[Finding]:
        """Yield the findings about the comments, after the last call of `suppress`."""
        for line in self._malformed:
            yield self._finding(line, "the comment must have the form # lint-sql: ignore[rule, another-rule] reason")
        for suppression in self._suppressions:
            for message in _faults(suppression, is_recorded=self._source.revision in recorded):
                yield self._finding(suppression.line, message)

    def _finding(self, line: int, message: str) -> Finding:
        return Finding(self._source.path, line, RULE, message, advice_of(RULE), line, self._source.revision)


def _faults(suppression: Suppression, *, is_recorded: bool) -> Iterator[str]:
    for rule in dict.fromkeys(suppression.rules):
        if not _is_suppressible(rule):
            yield f"{rule} cannot be suppressed"
        elif rule in suppression.used or rule in OBSERVED | TASTE:  # the rule may be switched on again
            continue
        elif rule not in rules() and not re.fullmatch(r"(ban|require|prefer|adding|renaming|identifier)-[a-z-]+", rule):
            yield f"unknown rule {rule}"
        elif is_recorded:
            yield f"no finding of {rule} here: remove the rule from the comment"
    if not suppression.reason:
        yield "the reason is missing"


def _is_suppressible(rule: str) -> bool:
    return rule not in rules() or rules()[rule].suppressible


def apply_suppressions(findings: Iterable[Finding], sources: Iterable[Source], recorded: set[str]) -> list[Finding]:
    """Remove the suppressed findings, and add the findings about the comments.

    `recorded` are the revisions that ran to their end. In the others, an unused suppression may be right.
    """
    by_path = {source.path: Suppressions(source) for source in sources}
    remaining = [f for f in findings if f.path not in by_path or not by_path[f.path].suppress(f)]
    for suppressions in by_path.values():
        remaining += suppressions.findings(recorded)
    return remaining
