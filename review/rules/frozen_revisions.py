"""The frozen revisions: `versions.lock` has the digest of the code of each, and of each file that it reads.

The line of a file is `revision:path digest`. New lines are added at the end. If two branches freeze revisions, git
reports a conflict at the merge: then one of the revisions must be put on top of the other.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from rds_alembic.revisions.code_digest import code_digest
from review.findings import Finding
from review.recording import RevisionRecording
from review.revision_scripts import RevisionScripts
from review.rules.catalogue import advice_of
from review.source import Source

NAME = "versions.lock"
HEADER = (
    "# The frozen revisions and the digests of their code and files, which must not change. Written by `make freeze`.\n"
)
_LINE = re.compile(r"(\S.*) ([0-9a-f]{64})")


@dataclass(frozen=True)
class Entry:
    """The digest of a frozen revision or file, and its line in versions.lock."""

    digest: str
    line: int


@dataclass(frozen=True)
class FrozenRevisions:
    """The content of versions.lock, by revision or by `revision:path`. A missing file freezes no revision."""

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
                malformed.append((number, f"{match[1]} is in the file twice"))
            elif line.strip() and not line.startswith("#"):
                malformed.append((number, f"the line must be a revision and a sha256 (got {line[:40]!r})"))
        return cls(path, entries, tuple(malformed))

    def violations(self, scripts: RevisionScripts) -> Iterator[Finding]:
        """Yield a finding for each frozen revision or file that was changed or removed, and each malformed line."""
        paths = {script.revision: Path(script.path) for script in scripts.revisions}
        for line, message in self.malformed:
            yield _finding(self.path, line, "versions-lock", message)
        for name, entry in self.entries.items():
            revision, _, file = name.partition(":")
            path = paths.get(revision)
            if path is None:
                message = f"frozen revision {revision} has no file"
                yield _finding(self.path, entry.line, "versions-lock", message, revision)
            elif file and _file_digest(Path(self.path.parent, file)) != entry.digest:
                message = f"{file}, which revision {revision} reads, was changed after it was frozen"
                yield _finding(path, 1, "edited-history", message, revision)
            elif not file and digest(Source(path, revision)) != entry.digest:
                message = f"revision {revision} was changed after it was frozen"
                yield _finding(path, 1, "edited-history", message, revision)

    def unfrozen(self, sources: Sequence[Source]) -> Iterator[Finding]:
        """Yield a finding for each revision that is not frozen."""
        for source in sources:
            if source.revision not in self.entries:
                message = f"revision {source.revision} is not frozen"
                yield _finding(source.path, 1, "not-frozen", message, source.revision)

    def freeze(self, recordings: Sequence[RevisionRecording]) -> list[str]:
        """Add the recorded revisions that are not frozen, with the files that they have read. Return their ids."""
        missing = [recording for recording in recordings if recording.revision not in self.entries]
        if missing:
            before = self.path.read_text(encoding="utf-8") if self.path.is_file() else HEADER
            newline = "\n" if before and not before.endswith("\n") else ""
            lines = [line for recording in missing for line in self._lines(recording)]
            self.path.write_text(f"{before}{newline}{''.join(lines)}", encoding="utf-8")
        return [recording.revision for recording in missing]

    def _lines(self, recording: RevisionRecording) -> Iterator[str]:
        yield f"{recording.revision} {digest(Source(recording.path, recording.revision))}\n"
        for path in recording.files:
            name = path.relative_to(self.path.parent.resolve(), walk_up=True).as_posix()
            yield f"{recording.revision}:{name} {_file_digest(path)}\n"


def digest(source: Source) -> str:
    """Return a digest of the revision's code. Comments, docstrings and layout do not change it."""
    return code_digest(source.tree)


def _file_digest(path: Path) -> str:
    """Return the sha256 of a file, or an empty text if it does not exist."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _finding(path: Path, line: int, rule: str, message: str, revision: str | None = None) -> Finding:
    return Finding(path, line, rule, message, advice_of(rule), line, revision)
