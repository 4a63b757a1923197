"""Read the manifest in the function's zip: the revisions with their parents and digests, without loading their code.

The stack writes the manifest when it builds the zip (`rds_alembic.revisions.alembic_project`).
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
    """One revision. `parents` are the revisions of `down_revision` and `depends_on`; `digest` is that of its code."""

    revision: str
    parents: tuple[str, ...]
    digest: str


@dataclass(frozen=True)
class Manifest:
    """The revisions of the deployment by id, from base to head."""

    files: Mapping[str, RevisionFile]

    @classmethod
    def read(cls, project: Path) -> Self:
        """Read the manifest of the project in a folder. Raises MigratorError if it is missing or malformed."""
        try:
            entries = json.loads((project / NAME).read_text(encoding="utf-8"))
            files = [RevisionFile(entry["revision"], tuple(entry["parents"]), entry["digest"]) for entry in entries]
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise MigratorError(f"{NAME} of the function's zip cannot be read: {type(exc).__name__}: {exc}") from exc
        return cls({file.revision: file for file in files})

    def ancestors(self, revisions: Iterable[str]) -> set[str]:
        """Return the given revisions and all revisions before them, as far as they are in the manifest."""
        ancestors: set[str] = set()
        pending = [revision for revision in revisions if revision in self.files]
        while pending:
            revision = pending.pop()
            if revision not in ancestors:
                ancestors.add(revision)
                pending += self.files[revision].parents
        return ancestors
