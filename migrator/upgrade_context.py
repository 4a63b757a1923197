"""The values that an upgrade works with and returns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.decision import Decision
from migrator.events import UpgradeRequest
from migrator.migration_log import Totals
from rds_iam.deadline import Deadline

type Connect = Callable[[], Connection]


def _ignore(_revision: str) -> None:
    """Do nothing with the revision that starts."""


@dataclass(frozen=True)
class UpgradeContext:
    """The input of one invocation.

    `project` is the folder with alembic.ini and the manifest; `on_started` is called with each revision that starts.
    """

    request: UpgradeRequest
    project: Path
    connect: Connect
    deadline: Deadline
    invocation: str = ""
    on_started: Callable[[str], None] = _ignore


@dataclass(frozen=True)
class Outcome:
    """The result of one invocation; not `complete` means that revisions are left for the next one.

    `heads` is empty where the database did not tell; `ahead` are the applied revisions that the code does not have.
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
    """The part that survives when the upgrade starts over; `todo` is what was missing at first."""

    todo: tuple[str, ...] = ()
    seconds: float = 0.0
    retries: int = 0

    def outcome(
        self, decision: Decision, heads: frozenset[str], *, missing: Sequence[str] = (), ahead: tuple[str, ...] = ()
    ) -> Outcome:
        """Return the outcome of the invocation; `missing` are the revisions that are left."""
        applied = tuple(revision for revision in self.todo if revision not in missing)
        return Outcome(
            decision, heads, applied, complete=not missing, seconds=self.seconds, retries=self.retries, ahead=ahead
        )
