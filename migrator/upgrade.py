"""The upgrade: lock, look again, apply revision by revision.

Alembic and SQLAlchemy are imported only where there is something to apply: a deployment without a new revision,
which is most of them, starts in a third of the time.
"""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.errors import UpgradeError
from migrator.events import UpgradeRequest
from migrator.lock import upgrade_lock
from migrator.plan import Plan, plan
from rds_iam.deadline import Deadline

if TYPE_CHECKING:
    from migrator.scripts import Scripts

# A revision is not begun when less is left: it gets the next invocation's full time instead.
MIN_REVISION_SECONDS = 30.0

type Connect = Callable[[], Connection]


@dataclass(frozen=True)
class Outcome:
    """What one run did; not `complete` means that revisions are left for the next one."""

    plan: Plan
    heads: frozenset[str]
    applied: tuple[str, ...] = ()
    complete: bool = True
    seconds: float = 0.0


def upgrade(request: UpgradeRequest, project: Path, connect: Connect, deadline: Deadline) -> Outcome:
    """Bring the database to the head of `project`, the folder with alembic.ini, as far as the deadline allows.

    Every revision has a transaction of its own. Raises MigratorError, RdsIamError or psycopg2.Error; what was applied
    until then stays applied, and the next run goes on from there.
    """
    began = time.monotonic()
    with closing(_open_session(connect)) as session:
        heads = read_heads(session)
        todo = plan(heads, request)
        if todo is not Plan.UPGRADE:
            return Outcome(todo, heads)
        with upgrade_lock(session, deadline):
            outcome = _upgrade_locked(session, request, project, connect, deadline)
    return Outcome(outcome.plan, outcome.heads, outcome.applied, outcome.complete, time.monotonic() - began)


def _open_session(connect: Connect) -> Connection:
    session = connect()
    session.autocommit = True
    with session.cursor() as cursor:
        # As itself, not as the owner it works as: a waiter may see of another session only what its own user runs.
        cursor.execute("SET ROLE NONE")
    return session


def read_heads(session: Connection) -> frozenset[str]:
    """Return the revisions the database is at: none before the first upgrade, several between branches."""
    with session.cursor() as cursor:
        cursor.execute("SELECT to_regclass('alembic_version') IS NOT NULL")
        if cursor.fetchall() == [(False,)]:
            return frozenset()
        cursor.execute("SELECT version_num FROM alembic_version")
        return frozenset(version for (version,) in cursor.fetchall())


def _upgrade_locked(
    session: Connection, request: UpgradeRequest, project: Path, connect: Connect, deadline: Deadline
) -> Outcome:
    heads = read_heads(session)  # again: the run that had the lock before may have applied everything
    todo = plan(heads, request)
    if todo is not Plan.UPGRADE:
        return Outcome(todo, heads)
    from migrator.scripts import Scripts  # noqa: PLC0415 - see the module's docstring

    with Scripts.opened(project, connect) as scripts:
        scripts.check_same_as(request)
        return _apply(session, scripts, request, heads, deadline)


def _apply(
    session: Connection, scripts: "Scripts", request: UpgradeRequest, heads: frozenset[str], deadline: Deadline
) -> Outcome:
    applied: list[str] = []
    for revision in scripts.missing(heads, request.head):
        if applied and deadline.seconds_left < MIN_REVISION_SECONDS:
            return Outcome(Plan.UPGRADE, heads, tuple(applied), complete=False)
        scripts.apply(revision, deadline)
        heads = _heads_after(revision, session)
        applied.append(revision)
    return Outcome(Plan.UPGRADE, heads, tuple(applied))


def _heads_after(revision: str, session: Connection) -> frozenset[str]:
    """Ask on the lock's own session, which also proves that the lock is still held."""
    try:
        heads = read_heads(session)
    except psycopg2.OperationalError as exc:
        raise UpgradeError(f"the connection that holds the lock was lost after revision {revision}: {exc}") from exc
    if revision not in heads:
        raise UpgradeError(
            f"revision {revision} ran but did not record itself in alembic_version:"
            " env.py must use the connection in config.attributes['connection'] and commit"
        )
    return heads
