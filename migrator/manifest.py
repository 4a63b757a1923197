"""The revisions in the function's zip, without loading their code: order, parents and digests of the code.

The stack writes the file when it builds the zip (`rds_alembic.revisions.alembic_project`).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from migrator.errors import MigratorError

NAME = "revisions.json"


@dataclass(frozen=True)
class RevisionFile:
    """One revision: the revisions that it comes after (`down_revision` and `depends_on`), and a digest of its code."""

    revision: str
    parents: tuple[str, ...]
    digest: str


@dataclass(frozen=True)
class Manifest:
    """The revisions of the deployment by id, from base to head."""

    files: Mapping[str, RevisionFile]

    @classmethod
    def read(cls, project: Path) -> Self:
        """Read the manifest of the project in a folder; raises MigratorError for a folder without a valid one."""
        try:
            entries = json.loads((project / NAME).read_text(encoding="utf-8"))
            files = [RevisionFile(entry["revision"], tuple(entry["parents"]), entry["digest"]) for entry in entries]
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise MigratorError(f"{NAME} of the function's zip cannot be read: {type(exc).__name__}: {exc}") from exc
        return cls({file.revision: file for file in files})

    def ancestors(self, revisions: Iterable[str]) -> set[str]:
        """Return the given revisions and all that come before them; ids that are not in the manifest are left out."""
        found: set[str] = set()
        pending = [revision for revision in revisions if revision in self.files]
        while pending:
            revision = pending.pop()
            if revision not in found:
                found.add(revision)
                pending += self.files[revision].parents
        return found
