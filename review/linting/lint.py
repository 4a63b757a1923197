"""The lint of every revision: squawk's rules on its SQL, our own on the SQL, the Python and the history."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from review.findings import Finding
from review.history import History
from review.linting import frozen, judging, rules, transactions
from review.linting.acknowledgements import without_acknowledged
from review.rendering import Rendered, render

SQUAWK_CONFIG = ".squawk.toml"


@dataclass(frozen=True)
class Verdict:
    """Findings fail the lint, notes do not; of `revisions` revisions."""

    findings: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    revisions: int


def lint(history: History, rendered: list[Rendered] | None = None, *, must_be_frozen: bool = False) -> Verdict:
    """Judge all revisions; `rendered` spares a caller who has them already another pass.

    Raises ReviewError if they cannot be rendered at all.
    """
    if rendered is None:
        rendered = render(history)
    sources = frozen.sources(history)
    by_revision = {found.revision: found for found in rendered}
    findings = [*judge_sql(history, rendered), *rules.several_heads(history)]
    for source in sources:
        findings += rules.judge(source, by_revision.get(source.revision))
    judged = {found.revision for found in rendered if found.failure is None}
    lock = frozen.Lock.of(history)
    left = [*without_acknowledged(findings, sources, judged), *frozen.violations(lock, sources)]
    notes = list(frozen.unfrozen(lock, sources))
    if must_be_frozen:
        left, notes = left + notes, []
    order = {source.path: number for number, source in enumerate(sources)}
    return Verdict(_sorted(left, order), _sorted(notes, order), len(sources))


def judge_sql(history: History, rendered: list[Rendered]) -> list[Finding]:
    """Return what squawk and our own rules find in the SQL of revisions, acknowledged or not."""
    config = history.ini.with_name(SQUAWK_CONFIG)
    # Without one, squawk would look for another in the folders above.
    options = ["--config", str(config) if config.is_file() else os.devnull, "--no-assume-in-transaction"]
    findings = judging.judge(rendered, *options)
    for found in rendered:
        findings += transactions.judge(found)
    return findings


def _sorted(findings: Iterable[Finding], order: Mapping[Path, int]) -> tuple[Finding, ...]:
    """Put findings in the order of an upgrade, and what is said twice of one line once."""

    def place(finding: Finding) -> tuple[int, int, str]:
        return order.get(finding.path, len(order)), finding.line, finding.rule

    return tuple(sorted(dict.fromkeys(findings), key=place))
