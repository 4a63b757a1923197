"""The lint of all revisions: squawk's rules for the SQL, and this project's rules for SQL, Python and history."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from review.findings import Finding
from review.linting import python_rules, sql_rules
from review.linting.frozen_revisions import FrozenRevisions, sources_of
from review.linting.squawk_rules import squawk_findings
from review.linting.suppressions import apply_suppressions
from review.rendering import RenderedRevision, render
from review.revision_scripts import RevisionScripts

SQUAWK_CONFIG = ".squawk.toml"


@dataclass(frozen=True)
class LintResult:
    """The findings, which fail the lint, and the notes, which do not. `revisions` is the number of revisions."""

    findings: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    revisions: int


def lint(
    scripts: RevisionScripts, rendered: list[RenderedRevision] | None = None, *, must_be_frozen: bool = False
) -> LintResult:
    """Check all revisions. `rendered` is the result of `render`, if the caller has it already.

    With `must_be_frozen`, a revision that is not frozen is a finding, otherwise a note. Raises ReviewError if squawk
    fails.
    """
    if rendered is None:
        rendered = render(scripts)
    sources = sources_of(scripts)
    by_revision = {revision.revision: revision for revision in rendered}
    findings = [*sql_findings(scripts, rendered), *python_rules.several_heads(scripts)]
    for source in sources:
        findings += python_rules.findings(source, by_revision.get(source.revision))
    complete = {revision.revision for revision in rendered if revision.failure is None}
    frozen = FrozenRevisions.read(scripts)
    remaining = [*apply_suppressions(findings, sources, complete), *frozen.violations(sources)]
    notes = list(frozen.unfrozen(sources))
    if must_be_frozen:
        remaining, notes = remaining + notes, []
    order = {source.path: number for number, source in enumerate(sources)}
    return LintResult(_sorted(remaining, order), _sorted(notes, order), len(sources))


def sql_findings(scripts: RevisionScripts, rendered: list[RenderedRevision]) -> list[Finding]:
    """Return the findings in the SQL of revisions, without suppressions applied."""
    config = scripts.ini.with_name(SQUAWK_CONFIG)
    # Without --config, squawk searches the parent folders for a file.
    options = ["--config", str(config) if config.is_file() else os.devnull, "--no-assume-in-transaction"]
    findings = squawk_findings(rendered, *options)
    for revision in rendered:
        findings += sql_rules.findings(revision)
    return findings


def _sorted(findings: Iterable[Finding], order: Mapping[Path, int]) -> tuple[Finding, ...]:
    """Sort findings in the order of an upgrade, and remove duplicates."""

    def key(finding: Finding) -> tuple[int, int, str]:
        return order.get(finding.path, len(order)), finding.line, finding.rule

    return tuple(sorted(dict.fromkeys(findings), key=key))
