"""The commands `cancel` and `terminate`: end the statements or the sessions of upgrades, or of others if asked to."""

from collections.abc import Sequence
from contextlib import closing

from migrator.errors import EventError
from migrator.migration_log import record_cancellation
from migrator.operations.arguments import Answer
from migrator.operations.changing import Changing
from migrator.operations.rows import Row, rows
from migrator.rollback import APPLICATION_NAME

_SESSIONS = """
SELECT pid, usename::text AS role, application_name AS application,
    application_name LIKE %s AND usename = session_user AS is_upgrade
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL
    AND (pid = ANY(%s::int[]) OR cardinality(%s::int[]) = 0)
ORDER BY pid
"""


def cancel(changing: Changing, *, pids: Sequence[int], others: bool) -> Answer:
    """Cancel the running statements of upgrades. The revision fails, and no further revision begins."""
    return _end(changing, "cancel", pids, others=others)


def terminate(changing: Changing, *, pids: Sequence[int], others: bool) -> Answer:
    """End sessions of upgrades, or the session of another role if `others` is set and its pid is given."""
    return _end(changing, "terminate", pids, others=others)


def _end(changing: Changing, command: str, pids: Sequence[int], *, others: bool) -> Answer:
    with changing.session() as session:
        sessions = rows(session, _SESSIONS, (f"{APPLICATION_NAME}%", list(pids), list(pids)))
        if not pids:
            sessions = [row for row in sessions if row["is_upgrade"]]
        _check(sessions, pids, others=others)
        changing.record(command, {"pids": [row["pid"] for row in sessions]})
        if command == "cancel" and any(row["is_upgrade"] for row in sessions):
            _stop_deployment(changing)
        query = f"SELECT pg_{command}_backend(%s) AS done"
        return {"sessions": [{**row, **rows(session, query, (row["pid"],))[0]} for row in sessions]}


def _stop_deployment(changing: Changing) -> None:
    """Make running upgrades of the stack stop before their next revision."""
    with closing(changing.connect()) as connection, connection:
        record_cancellation(connection, changing.deployment.get("STACK_ID", ""))


def _check(sessions: Sequence[Row], pids: Sequence[int], *, others: bool) -> None:
    """Raise EventError for a pid that is not a session of this database, or not one of an upgrade."""
    missing = sorted(set(pids) - {int(str(row["pid"])) for row in sessions})
    if missing:
        raise EventError(f"pid must be a session in this database (got {', '.join(map(str, missing))})")
    foreign = [row for row in sessions if not row["is_upgrade"]]
    if foreign and not others:
        names = ", ".join(f"{row['pid']} of {row['role']}" for row in foreign)
        raise EventError(f"pid must be a session of an upgrade (got {names}): use --any for another session")
