"""The upgrade: lock, look again, apply revision by revision; start over when the server went away.

Alembic and SQLAlchemy are imported only where there is something to apply: a deployment without a new revision,
which is most of them, starts in a third of the time.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
from aws_lambda_powertools import Logger
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.errors import ConnectionLostError, LockNotAvailableError, UnknownRevisionError, UpgradeError
from migrator.events import UpgradeRequest
from migrator.history import History, Totals, heads_rolled_back_from, record_rollback, totals
from migrator.lock import upgrade_lock
from migrator.plan import Plan, plan
from migrator.server_errors import translated
from rds_iam.backoff import Backoff
from rds_iam.deadline import Deadline

if TYPE_CHECKING:
    from migrator.scripts import Scripts

# A revision is not begun when less is left: it gets the next invocation's full time instead.
MIN_REVISION_SECONDS = 30.0

type Connect = Callable[[], Connection]

logger = Logger(child=True)


@dataclass(frozen=True)
class Run:
    """What one invocation works with: `project` is the folder with alembic.ini."""

    request: UpgradeRequest
    project: Path
    connect: Connect
    deadline: Deadline
    invocation: str = ""


@dataclass(frozen=True)
class Outcome:
    """What one invocation did; not `complete` means that revisions are left for the next one."""

    plan: Plan
    heads: frozenset[str]
    applied: tuple[str, ...] = ()
    complete: bool = True
    seconds: float = 0.0
    retries: int = 0
    totals: Totals | None = None


@dataclass
class _Progress:
    """What survives when the upgrade starts over; `todo` is what was missing at first."""

    todo: tuple[str, ...] = ()
    seconds: float = 0.0
    retries: int = 0

    def outcome(self, todo: Plan, heads: frozenset[str], missing: Sequence[str] = ()) -> Outcome:
        applied = tuple(revision for revision in self.todo if revision not in missing)
        return Outcome(todo, heads, applied, complete=not missing, seconds=self.seconds, retries=self.retries)


def upgrade(run: Run) -> Outcome:
    """Bring the database to the head of the project, as far as the deadline allows.

    Every revision has a transaction of its own. Raises MigratorError or RdsIamError; what was applied until then stays
    applied, and the next run goes on from there.
    """
    progress = _Progress()
    backoff = Backoff(first=0.5, longest=10.0)
    while True:
        try:
            return _attempt(run, progress)
        except ConnectionLostError as exc:
            logger.warning("the server went away, starting over", extra={"error": str(exc)})
            progress.retries += 1
            if not backoff.pause(run.deadline):
                raise


def _attempt(run: Run, progress: _Progress) -> Outcome:
    with closing(_open_session(run.connect)) as session, translated("the upgrade was interrupted"):
        heads = _read_heads(session)
        todo = _first_plan(session, heads, run.request)
        if todo is Plan.UPGRADE:
            with upgrade_lock(session, run.deadline):
                outcome = _upgrade_locked(session, run, progress)
        else:
            outcome = progress.outcome(todo, heads)
        return replace(outcome, totals=totals(session, run.request))


def _open_session(connect: Connect) -> Connection:
    session = connect()
    session.autocommit = True
    with translated("the upgrade was interrupted"), session.cursor() as cursor:
        # As itself, not as the owner it works as: a waiter may see of another session only what its own user runs.
        cursor.execute("SET ROLE NONE")
    return session


def _read_heads(session: Connection) -> frozenset[str]:
    """Return the revisions the database is at: none before the first upgrade, several between branches.

    Where env.py has put the version table elsewhere there are none either, or there is one of somebody else, of
    whatever form; then Alembic is asked, under the lock.
    """
    try:
        with session.cursor() as cursor:
            cursor.execute("SELECT to_regclass('alembic_version') IS NOT NULL")
            if cursor.fetchall() == [(False,)]:
                return frozenset()
            cursor.execute("SELECT version_num FROM alembic_version")
            return frozenset(version for (version,) in cursor.fetchall())
    except psycopg2.ProgrammingError:
        return frozenset()  # no such column, or no right to read it


def _first_plan(session: Connection, heads: frozenset[str], request: UpgradeRequest) -> Plan:
    """Decide from the usual version table; revisions that nobody knows may be another application's."""
    try:
        return _plan(session, heads, request)
    except UnknownRevisionError:
        return Plan.UPGRADE


def _plan(session: Connection, heads: frozenset[str], request: UpgradeRequest) -> Plan:
    try:
        todo = plan(heads, request)
    except UnknownRevisionError:
        if not heads <= heads_rolled_back_from(session, request):
            raise
        return Plan.STAY_AHEAD
    if todo is Plan.STAY_AHEAD:
        record_rollback(session, request, heads)
    return todo


def _upgrade_locked(session: Connection, run: Run, progress: _Progress) -> Outcome:
    from migrator.scripts import Scripts  # noqa: PLC0415 - see the module's docstring

    with Scripts.opened(run.project, run.connect, run.deadline) as scripts:
        heads = scripts.heads()  # again: the run that had the lock before may have applied everything
        todo = _plan(session, heads, run.request)
        if todo is not Plan.UPGRADE:
            return progress.outcome(todo, heads)
        scripts.check_same_as(run.request)
        missing = scripts.missing(heads, run.request.head)
        progress.todo = progress.todo or tuple(missing)
        history = History(run.request, run.invocation)
        with scripts.driver_connection() as connection:
            history.prepare(connection)
        while missing:
            if progress.todo[0] != missing[0] and run.deadline.seconds_left < MIN_REVISION_SECONDS:
                break
            _apply(missing[0], scripts, history, run.deadline, progress)
            del missing[0]
            _prove_lock(session)
        return progress.outcome(todo, scripts.heads(), missing)


def _apply(revision: str, scripts: "Scripts", history: History, deadline: Deadline, progress: _Progress) -> None:
    """Run one revision, again and again while one of its tables is in use."""
    backoff = Backoff(first=1.0, longest=60.0)
    while True:
        began = time.monotonic()
        logger.info("revision started", extra={"revision": revision})
        try:
            scripts.apply(revision, history.record)
        except LockNotAvailableError as exc:
            progress.retries += 1
            logger.warning("a table of the revision is in use", extra={"revision": revision, "error": str(exc)})
            if not backoff.pause(deadline):
                raise UpgradeError(f"{exc}, {backoff.tries} times") from exc
        else:
            seconds = time.monotonic() - began
            progress.seconds += seconds
            logger.info("revision finished", extra={"revision": revision, "seconds": round(seconds, 3)})
            return


def _prove_lock(session: Connection) -> None:
    with session.cursor() as cursor:
        cursor.execute("SELECT 1")  # the lock is as alive as its session
