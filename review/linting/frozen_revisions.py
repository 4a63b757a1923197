"""The frozen revisions: `versions.lock` has a line with the digest of the code of each.

New lines are added at the end. If two branches freeze revisions, git reports a conflict at the merge: then one of the
revisions must be put on top of the other.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from rds_alembic.revisions.code_digest import code_digest
from review.errors import ReviewError
from review.findings import Finding
from review.linting.advice import ADVICE
from review.revision_scripts import RevisionScripts
from review.source import Source

NAME = "versions.lock"
HEADER = "# The frozen revisions and the digests of their code, which must not change. Written by `make freeze`.\n"
_LINE = re.compile(r"(\S.*) ([0-9a-f]{64})")


@dataclass(frozen=True)
class Entry:
    """The digest of a frozen revision, and its line in the file."""

    digest: str
    line: int


@dataclass(frozen=True)
class FrozenRevisions:
    """The content of versions.lock. A file that does not exist freezes no revision."""

    path: Path
    entries: Mapping[str, Entry] = field(default_factory=dict)
    malformed: tuple[tuple[int, str], ...] = ()

    @classmethod
    def read(cls, scripts: RevisionScripts) -> Self:
        """Read the file of a project."""
        path = Path(scripts.directory.dir, NAME)
        entries: dict[str, Entry] = {}
        malformed: list[tuple[int, str]] = []
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        for number, line in enumerate(text.splitlines(), start=1):
            match = _LINE.fullmatch(line)
            if match and match[1] not in entries:
                entries[match[1]] = Entry(match[2], number)
            elif match:
                malformed.append((number, f"revision {match[1]} is in the file twice"))
            elif line.strip() and not line.startswith("#"):
                malformed.append((number, f"the line must be a revision and a sha256 (got {line[:40]!r})"))
        return cls(path, entries, tuple(malformed))

    def violations(self, sources: list[Source]) -> Iterator[Finding]:
        """Yield a finding for each frozen revision that was changed or removed, and for each malformed line."""
        by_revision = {source.revision: source for source in sources}
        for line, message in self.malformed:
            yield _finding(self.path, line, "versions-lock", message)
        for revision, entry in self.entries.items():
            source = by_revision.get(revision)
            if source is None:
                yield _finding(
                    self.path, entry.line, "versions-lock", f"frozen revision {revision} has no file", revision
                )
            elif digest(source) != entry.digest:
                message = f"revision {revision} was changed after it was frozen"
                yield _finding(source.path, 1, "edited-history", message, revision)

    def unfrozen(self, sources: list[Source]) -> Iterator[Finding]:
        """Yield a finding for each revision that is not frozen."""
        for source in sources:
            if source.revision not in self.entries:
                message = f"revision {source.revision} is not frozen"
                yield _finding(source.path, 1, "not-frozen", message, source.revision)

    def freeze(self, sources: list[Source]) -> list[str]:
        """Add the revisions that are not frozen, and return their ids. Raises ReviewError if there are violations."""
        faults = [finding.message for finding in self.violations(sources)]
        if faults:
            raise ReviewError(f"no revision was frozen, because {self.path} has violations: {'; '.join(faults)}")
        missing = [source for source in sources if source.revision not in self.entries]
        if missing:
            self._append(missing)
        return [source.revision for source in missing]

    def _append(self, sources: list[Source]) -> None:
        before = self.path.read_text(encoding="utf-8") if self.path.is_file() else HEADER
        if before and not before.endswith("\n"):
            before += "\n"
        lines = [f"{source.revision} {digest(source)}\n" for source in sources]
        self.path.write_text(before + "".join(lines), encoding="utf-8")


def sources_of(scripts: RevisionScripts) -> list[Source]:
    """Return the files of all revisions, in the order of an upgrade."""
    return [Source(Path(script.path), script.revision) for script in scripts.revisions]


def digest(source: Source) -> str:
    """Return a digest of the revision's code. Comments, docstrings and layout do not change it."""
    return code_digest(source.tree)


def _finding(path: Path, line: int, rule: str, message: str, revision: str | None = None) -> Finding:
    return Finding(path, line, rule, message, ADVICE[rule], line, revision)
