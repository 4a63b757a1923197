"""The judgement: all rules, applied to the recordings, the Python and the history of revisions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from review.findings import Finding
from review.recording import RevisionRecording
from review.revision_scripts import RevisionScripts
from review.rules import lock_rules, python_rules, squawk_rules
from review.rules.frozen_revisions import FrozenRevisions
from review.rules.suppressions import apply_suppressions
from review.source import Source
from review.start import Start


@dataclass(frozen=True)
class Judgement:
    """The result of a review, for all reports.

    - `findings`, which fail the lint, and `notes`, which do not
    - `revisions`: the judged revisions. Those after a revision that cannot run have no recording
    """

    start: Start
    heads: tuple[str, ...]
    revisions: tuple[str, ...]
    recordings: tuple[RevisionRecording, ...]
    findings: tuple[Finding, ...]
    notes: tuple[Finding, ...]

    @property
    def not_run(self) -> tuple[str, ...]:
        """Return the revisions after a revision that cannot run."""
        return self.revisions[len(self.recordings) :]

    def findings_of(self, *revisions: str) -> list[Finding]:
        """Return the findings of some revisions, or without revisions those that belong to no recording."""
        recorded = {recording.revision for recording in self.recordings}
        return [each for each in self.findings if (each.revision in (revisions or recorded)) is bool(revisions)]


def judge(
    scripts: RevisionScripts, start: Start, recordings: Sequence[RevisionRecording], *, must_be_frozen: bool = False
) -> Judgement:
    """Judge the revisions after a start. Earlier revisions have findings only if they were edited after `make freeze`.

    With `must_be_frozen`, a revision that is not frozen is a finding, otherwise a note. Raises ReviewError if squawk
    fails.
    """
    sources = [Source(Path(script.path), script.revision) for script in scripts.after(start.revisions)]
    findings = [*python_rules.several_heads(scripts), *squawk_rules.findings(scripts, recordings)]
    for recording in recordings:
        findings += lock_rules.findings(recording)
    for source in sources:
        findings += python_rules.findings(source)
    complete = {recording.revision for recording in recordings if recording.failure is None}
    frozen = FrozenRevisions.read(scripts)
    remaining = [*apply_suppressions(findings, sources, complete), *frozen.violations(scripts)]
    notes = list(frozen.unfrozen(sources))
    if must_be_frozen:
        remaining, notes = remaining + notes, []
    order = {Path(script.path): number for number, script in enumerate(scripts.revisions)}
    revisions = tuple(source.revision for source in sources)
    sorted_findings, sorted_notes = _sorted(remaining, order), _sorted(notes, order)
    return Judgement(start, scripts.heads, revisions, tuple(recordings), sorted_findings, sorted_notes)


def _sorted(findings: Iterable[Finding], order: Mapping[Path, int]) -> tuple[Finding, ...]:
    """Sort findings in the order of an upgrade, a revision that cannot run first, and remove duplicates."""

    def key(finding: Finding) -> tuple[bool, int, int, str]:
        number = order.get(finding.path, len(order))
        return finding.rule != "cannot-run", number, finding.line, finding.rule

    return tuple(sorted(dict.fromkeys(findings), key=key))
