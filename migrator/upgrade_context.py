"""The input, the progress and the outcome of an upgrade. Values only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from migrator.decision import Decision
from migrator.events import UpgradeRequest
from migrator.migration_log import Totals
from migrator.session import Connect
from rds_iam.deadline import Deadline


def _ignore(_revision: str) -> None:
    """Do nothing with the revision that starts."""


@dataclass(frozen=True)
class UpgradeContext:
    """The input of one invocation.

    `project` is the folder with alembic.ini and the manifest. `on_started` is called with each revision that starts.
    """

    request: UpgradeRequest
    project: Path
    connect: Connect
    deadline: Deadline
    invocation: str = ""
    on_started: Callable[[str], None] = _ignore


@dataclass(frozen=True)
class Outcome:
    """The result of one invocation. If it is not `complete`, revisions are left for the next invocation.

    `heads` is empty if the database did not answer. `ahead` are the applied revisions that the code does not have.
    """

    decision: Decision
    heads: frozenset[str]
    applied: tuple[str, ...] = ()
    complete: bool = True
    seconds: float = 0.0
    retries: int = 0
    totals: Totals | None = None
    ahead: tuple[str, ...] = ()


@dataclass
class Progress:
    """The values of one invocation that are kept when the upgrade starts over.

    `planned` are the revisions that were missing when the invocation began.
    """

    planned: tuple[str, ...] = ()
    seconds: float = 0.0
    retries: int = 0

    def outcome(
        self, decision: Decision, heads: frozenset[str], *, missing: Sequence[str] = (), ahead: tuple[str, ...] = ()
    ) -> Outcome:
        """Return the outcome of the invocation. `missing` are the revisions that are left."""
        applied = tuple(revision for revision in self.planned if revision not in missing)
        return Outcome(
            decision, heads, applied, complete=not missing, seconds=self.seconds, retries=self.retries, ahead=ahead
        )
