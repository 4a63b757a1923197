"""Revisions that may not be edited any more: `versions.lock` holds a digest of the code of each, one to a line.

The lines are in the order in which they were added, at the end: two branches that both add some meet in a conflict of
git's, which is when one of them has to be put on top of the other.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from rds_alembic.revisions.code_digest import code_digest
from review.errors import ReviewError
from review.findings import Finding
from review.history import History
from review.linting.advice import ADVICE
from review.source import Source

NAME = "versions.lock"
HEADER = "# The revisions that may not be edited any more, and the digests of their code. Written by `make freeze`.\n"
_LINE = re.compile(r"(\S.*) ([0-9a-f]{64})")


@dataclass(frozen=True)
class Entry:
    """A frozen revision, and its line in the file."""

    digest: str
    line: int


@dataclass(frozen=True)
class Lock:
    """The file: no file is one that freezes nothing."""

    path: Path
    entries: Mapping[str, Entry] = field(default_factory=dict)
    malformed: tuple[tuple[int, str], ...] = ()

    @classmethod
    def of(cls, history: History) -> Self:
        """Read what is frozen of a project."""
        path = Path(history.directory.dir, NAME)
        entries: dict[str, Entry] = {}
        malformed: list[tuple[int, str]] = []
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        for number, line in enumerate(text.splitlines(), start=1):
            match = _LINE.fullmatch(line)
            if match and match[1] not in entries:
                entries[match[1]] = Entry(match[2], number)
            elif match:
                malformed.append((number, f"revision {match[1]} is there twice"))
            elif line.strip() and not line.startswith("#"):
                malformed.append((number, f"not a revision and a sha256: {line[:40]}"))
        return cls(path, entries, tuple(malformed))

    def append(self, sources: list[Source]) -> None:
        """Add revisions at the end."""
        before = self.path.read_text(encoding="utf-8") if self.path.is_file() else HEADER
        if before and not before.endswith("\n"):
            before += "\n"
        lines = [f"{source.revision} {digest(source)}\n" for source in sources]
        self.path.write_text(before + "".join(lines), encoding="utf-8")


def sources(history: History) -> list[Source]:
    """Return the files of all revisions, in the order of an upgrade."""
    return [Source(Path(script.path), script.revision) for script in history.scripts]


def violations(lock: Lock, sources: list[Source]) -> Iterator[Finding]:
    """Yield what was changed or removed since it was frozen, and the lines that nobody can read."""
    by_revision = {source.revision: source for source in sources}
    for line, message in lock.malformed:
        yield _finding(lock.path, line, "versions-lock", message)
    for revision, entry in lock.entries.items():
        source = by_revision.get(revision)
        if source is None:
            message = f"frozen revision {revision} has no file any more"
            yield _finding(lock.path, entry.line, "versions-lock", message, revision)
        elif digest(source) != entry.digest:
            message = f"revision {revision} was changed after it had been frozen"
            yield _finding(source.path, 1, "edited-history", message, revision)


def unfrozen(lock: Lock, sources: list[Source]) -> Iterator[Finding]:
    """Yield the revisions that may still be edited."""
    for source in sources:
        if source.revision not in lock.entries:
            message = f"revision {source.revision} may still be edited; once it is finished: make freeze"
            yield _finding(source.path, 1, "not-frozen", message, source.revision)


def freeze(lock: Lock, sources: list[Source]) -> list[str]:
    """Add the revisions that are missing, and return which; raises ReviewError if a line there does not hold."""
    faults = [finding.message for finding in violations(lock, sources)]
    if faults:
        raise ReviewError(f"nothing is frozen, since {lock.path} does not hold: {'; '.join(faults)}")
    missing = [source for source in sources if source.revision not in lock.entries]
    if missing:
        lock.append(missing)
    return [source.revision for source in missing]


def digest(source: Source) -> str:
    """Return a digest of a revision's code that ignores comments, docstrings and layout."""
    return code_digest(source.tree)


def _finding(path: Path, line: int, rule: str, message: str, revision: str | None = None) -> Finding:
    return Finding(path, line, rule, message, ADVICE[rule], line, revision)
