"""The stack of a deployment, as CloudFormation handles it: creations, updates, rollbacks and repetitions."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from hypothesis import event, note

from migrator import upgrade_handler
from migrator.errors import MigratorError
from tests.postgres.events import upgrade_event
from tests.postgres.lambda_context import Context
from tests.postgres.projects import Project

BROKEN = "broken"
RESERVE_SECONDS = 15.0  # the time that the handler reserves for its answer


@dataclass(frozen=True)
class Deployment:
    """A version of the code: its revisions in order. Revisions whose name starts with BROKEN fail."""

    revisions: tuple[str, ...]

    def write(self, folder: Path) -> Project:
        shutil.rmtree(folder, ignore_errors=True)
        project = Project(folder)
        for revision in self.revisions:
            project.add(revision, "SELECT 1/0" if revision.startswith(BROKEN) else f"CREATE TABLE {revision} ()")
        return project


@dataclass
class Stack:
    """The part of CloudFormation: it holds the properties and code of a deployment, and sends events."""

    folder: Path
    deployed: Deployment | None = None
    events: int = 0

    def deploy(self, new: Deployment, *, fails_elsewhere: bool, twice: bool, seconds: float, allow_ahead: str) -> bool:
        """Send a Create or an Update; if anything fails, roll back. Return whether the deployment succeeded."""
        old = self.deployed
        try:
            for _ in range(2 if twice else 1):
                self._send(new, old, seconds=seconds, AllowAhead=allow_ahead)
        except MigratorError as exc:
            note(f"failed: {exc}")
            self._roll_back(new, old)
            return False
        if fails_elsewhere:
            self._roll_back(new, old)
            return False
        self.deployed = new
        return True

    def _roll_back(self, new: Deployment, old: Deployment | None) -> None:
        event("rolled back")
        if old is None:
            return  # a Delete, which does nothing
        data = self._send(old, new, seconds=60, rolling_back=True)  # an error would be UPDATE_ROLLBACK_FAILED
        if data["Schema"].startswith("ahead"):
            event("stayed ahead of the code")

    def _send(
        self, new: Deployment, old: Deployment | None, *, seconds: float, rolling_back: bool = False, **properties: str
    ) -> dict[str, str]:
        """Call the migrator as the Provider framework does, until it is complete; return the resource's attributes."""
        self.events += 1
        project = new.write(self.folder)
        message = upgrade_event(project, "Update" if old else "Create", old.revisions if old else ())
        message["ResourceProperties"] = {**cast("dict[str, object]", message["ResourceProperties"]), **properties}
        message |= {"RollingBack": rolling_back, "StartedAt": str(time.time())}
        while True:
            answer = upgrade_handler.is_complete(message, Context(seconds_left=seconds + RESERVE_SECONDS))
            if answer["IsComplete"]:
                return cast("dict[str, str]", answer["Data"])
            event("took several invocations")
