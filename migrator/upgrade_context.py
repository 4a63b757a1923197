"""The input, the progress and the outcome of an upgrade. Values only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.decision import Decision
from migrator.errors import UpgradeError
from migrator.events import UpgradeRequest
from migrator.migration_log import Totals
from migrator.session import Connect
from rds_iam.deadline import Deadline


def _no_other_database(name: str) -> Connection:
    """Raise UpgradeError, because the invocation connects to one database."""
    raise UpgradeError(f"there is no connection to the database {name!r}")


def _ignore(_revision: str) -> None:
    """Do nothing with the revision that starts."""


@dataclass(frozen=True)
class UpgradeContext:
    """The input of one invocation.

    `project` is the folder with alembic.ini and the manifest. `on_started` is called with each revision that starts.
    `connect_to` connects to another database of the server, by its name.
    """

    request: UpgradeRequest
    project: Path
    connect: Connect
    deadline: Deadline
    invocation: str = ""
    on_started: Callable[[str], None] = _ignore
    connect_to: Callable[[str], Connection] = _no_other_database


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
