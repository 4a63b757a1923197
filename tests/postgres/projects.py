"""The Alembic projects that the migrator's tests deploy."""

import hashlib
import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from migrator.events import UpgradeRequest
from rds_alembic.revisions.alembic_project import MANIFEST
from rds_alembic.revisions.code_digest import code_digest
from tests.alembic_projects import AlembicProject

STACK_ID = "arn:aws:cloudformation:eu-central-1:000000000000:stack/PrivateDatabase/6f1f7e60"


@dataclass
class Project(AlembicProject):
    """The project of a deployment: the request of its custom resource, and the manifest in the zip of its function."""

    def request(
        self,
        *,
        old: tuple[str, ...] = (),
        request_id: str = "request",
        baseline: str = "",
        baseline_database: str = "",
        accept_differences: str = "",
        allow_ahead: Iterable[str] = (),
        started_at: float | None = None,
    ) -> UpgradeRequest:
        """Write the manifest, and return the request of the project's template."""
        self.write_manifest()
        digest = hashlib.sha256(" ".join(self.revisions).encode()).hexdigest()
        return UpgradeRequest(
            digest,
            tuple(self.revisions),
            old,
            stack_id=STACK_ID,
            request_id=request_id,
            baseline=baseline,
            baseline_database=baseline_database,
            accept_differences=accept_differences,
            allow_ahead=frozenset(allow_ahead),
            started_at=started_at,
        )

    def write_manifest(self) -> None:
        """Write the manifest, also of a project that the stack would reject."""
        entries = [
            {"revision": revision, "parents": self.parents.get(revision, ()), "digest": self._digest(revision)}
            for revision in self.revisions
        ]
        draft = self.folder / f"{MANIFEST}.{threading.get_ident()}"
        folders = {
            "script_location": self.scripts,
            "version_locations": [f"{self.scripts}/versions"],
            "sys_path": ["."],
        }
        draft.write_text(json.dumps(folders | {"revisions": entries}))
        draft.replace(self.folder / MANIFEST)  # other threads may be reading the file

    def _digest(self, revision: str) -> str:
        path = self.path(revision)
        return code_digest(path.read_text()) if path.exists() else ""
