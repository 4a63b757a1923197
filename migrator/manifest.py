"""Read the manifest in the function's zip: the folders of the Alembic project, and the revisions without their code.

The stack writes the manifest when it builds the zip (`rds_alembic.revisions.alembic_project`).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from migrator.errors import MigratorError

NAME = ".rds-alembic.json"


@dataclass(frozen=True)
class RevisionFile:
    """One revision. `parents` are the revisions of `down_revision` and `depends_on`; `digest` is that of its code."""

    revision: str
    parents: tuple[str, ...]
    digest: str


@dataclass(frozen=True)
class Manifest:
    """The Alembic project of the deployment.

    - `files`: the revisions by id, from base to head
    - `script_location`, `version_locations`, `sys_path`: folders, relative to the one of the manifest
    """

    files: Mapping[str, RevisionFile]
    script_location: str = ""
    version_locations: tuple[str, ...] = ()
    sys_path: tuple[str, ...] = ()

    @classmethod
    def read(cls, project: Path) -> Self:
        """Read the manifest of the project in a folder. Raises MigratorError if it is missing or malformed."""
        try:
            content = json.loads((project / NAME).read_text(encoding="utf-8"))
            files = [
                RevisionFile(entry["revision"], tuple(entry["parents"]), entry["digest"])
                for entry in content["revisions"]
            ]
            return cls(
                {file.revision: file for file in files},
                content["script_location"],
                tuple(content["version_locations"]),
                tuple(content["sys_path"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise MigratorError(f"{NAME} of the function's zip cannot be read: {type(exc).__name__}: {exc}") from exc

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
