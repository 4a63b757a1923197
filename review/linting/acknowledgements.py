"""Comments by which a revision owns up to a finding: `# lint-sql: ignore[rule, rule] why it is right here`."""

import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from review.findings import Finding
from review.linting.advice import ADVICE, ALIASES, NOT_TO_ACKNOWLEDGE, OUR_RULES, SQUAWK_RULES
from review.source import Source

RULE = "acknowledgement"
_MARK = re.compile(r"#+\s*lint-sql\b")
_FORM = re.compile(r"#+\s*lint-sql:\s*ignore\[([^\]]*)\]\s*(.*)")


@dataclass
class Acknowledgement:
    """One comment; `everywhere`: it stands above the first function. `used`: the rules it was needed for."""

    line: int
    rules: tuple[str, ...]
    reason: str
    everywhere: bool
    used: set[str] = field(default_factory=set)


class Comments:
    """The comments of a revision."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._own_line: set[int] = set()
        self.found: list[Acknowledgement] = []
        self.malformed: list[int] = []
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
            if token.type == tokenize.COMMENT:
                self._read(token, source.first_function)

    def _read(self, token: tokenize.TokenInfo, first_function: int) -> None:
        line, column = token.start
        is_alone = not token.line[:column].strip()
        if is_alone:
            self._own_line.add(line)
        if not _MARK.match(token.string):
            return
        form = _FORM.fullmatch(token.string.rstrip())
        rules = [name.strip() for name in form[1].split(",") if name.strip()] if form else []
        if form is None or not rules:
            self.malformed.append(line)
            return
        everywhere = is_alone and column == 0 and line < first_function
        self.found.append(Acknowledgement(line, tuple(ALIASES.get(r, r) for r in rules), form[2], everywhere))

    def acknowledges(self, finding: Finding) -> bool:
        """Tell whether a comment is about this finding, and remember that it was needed."""
        if finding.rule in NOT_TO_ACKNOWLEDGE:
            return False
        lines = self._lines_about(finding)
        about = [a for a in self.found if finding.rule in a.rules and (a.everywhere or a.line in lines)]
        for acknowledgement in about:
            acknowledgement.used.add(finding.rule)
        return bool(about)

    def _lines_about(self, finding: Finding) -> set[int]:
        lines = set(range(finding.line, (finding.end_line or finding.line) + 1))
        above = finding.line - 1
        while above in self._own_line:
            lines.add(above)
            above -= 1
        return lines

    def findings(self, judged: set[str]) -> Iterator[Finding]:
        """Yield what is wrong with the comments themselves, once every finding was looked at."""
        for line in self.malformed:
            yield self._finding(line, "this comment cannot be read")
        for acknowledgement in self.found:
            for message in _faults(acknowledgement, judged=self._source.revision in judged):
                yield self._finding(acknowledgement.line, message)

    def _finding(self, line: int, message: str) -> Finding:
        return Finding(self._source.path, line, RULE, message, ADVICE[RULE], line, self._source.revision)


def _faults(acknowledgement: Acknowledgement, *, judged: bool) -> Iterator[str]:
    for rule in dict.fromkeys(acknowledgement.rules):
        if rule in NOT_TO_ACKNOWLEDGE:
            yield f"{rule} cannot be acknowledged"
        elif rule in acknowledgement.used:
            continue
        elif rule not in SQUAWK_RULES | OUR_RULES:
            yield f"there is no rule {rule}"
        elif judged:
            yield f"nothing here breaks {rule}: the comment is one too many"
    if not acknowledgement.reason:
        yield "the reason is missing"


def without_acknowledged(findings: Iterable[Finding], sources: Iterable[Source], judged: set[str]) -> list[Finding]:
    """Drop the findings that comments are about, and add those about the comments.

    `judged` holds the revisions that were rendered to their end.
    """
    comments = {source.path: Comments(source) for source in sources}
    left = [f for f in findings if f.path not in comments or not comments[f.path].acknowledges(f)]
    for found in comments.values():
        left += found.findings(judged)
    return left
