"""The commands `activity` and `status`: the sessions of the server, the upgrade and its blockers."""

from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator import divergence
from migrator.lock import LOCK_KEY
from migrator.migration_log import read_log
from migrator.operations.arguments import Answer
from migrator.operations.project import database_heads
from migrator.operations.reading import Reading
from migrator.operations.revisions import heads_of_code, pending
from migrator.operations.rows import Row, rows
from migrator.rollback import APPLICATION_NAME

_SHOWN_RUNS = 10
_SESSION = """
SELECT pid, usename::text AS role, application_name AS application, state,
    nullif(concat_ws(': ', wait_event_type, wait_event), '') AS waits_for, pg_blocking_pids(pid) AS blocked_by,
    round(extract(epoch FROM clock_timestamp() - xact_start), 1) AS transaction_seconds,
    round(extract(epoch FROM clock_timestamp() - CASE WHEN state = 'active' THEN query_start ELSE state_change END), 1)
        AS state_seconds,
    -- pg_locks has the locks of all sessions: it is read for a session that waits only.
    CASE WHEN wait_event_type = 'Lock' THEN (
        SELECT round(extract(epoch FROM clock_timestamp() - min(waitstart)), 1)
        FROM pg_locks WHERE pg_locks.pid = pg_stat_activity.pid AND NOT granted
    ) END AS waiting_seconds,
    left(regexp_replace(query, '\\s+', ' ', 'g'), 300) AS query
FROM pg_stat_activity
"""
_SESSIONS = f"""{_SESSION}
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
ORDER BY xact_start NULLS LAST, pid
"""
_UPGRADE_SESSIONS = f"""{_SESSION}
WHERE datname = current_database() AND application_name LIKE %s AND backend_type = 'client backend'
ORDER BY backend_start
"""
_HOLDER = f"""{_SESSION}
WHERE pid IN (
    SELECT pid FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (classid::bigint << 32 | objid::bigint) = %s
)
"""  # noqa: S608 - a constant
_BLOCKERS = f"""
WITH RECURSIVE blocked AS (
    SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE %s
    UNION
    SELECT blocker FROM blocked, unnest(pg_blocking_pids(blocked.pid)) AS blocker
)
{_SESSION} WHERE pid IN (SELECT pid FROM blocked) AND application_name NOT LIKE %s ORDER BY xact_start
"""  # noqa: S608 - a constant
_SERVER = """
SELECT current_database() AS name, current_setting('server_version') AS version, pg_postmaster_start_time() AS up_since,
    pg_database_size(current_database()) AS bytes,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
    current_setting('max_connections')::int AS max_connections, pg_is_in_recovery() AS is_standby
"""
_EXISTS = "SELECT to_regclass(%s) IS NOT NULL AS is_table"
_RUNS = """
SELECT min(applied_at - make_interval(secs => seconds)) AS started_at, max(applied_at) AS ended_at,
    string_agg(DISTINCT event, ', ') AS event, count(*) AS revisions,
    (array_agg(revision ORDER BY id DESC))[1] AS last_revision, round(sum(seconds)::numeric, 3) AS seconds,
    count(DISTINCT invocation) AS invocations, max(login) AS login, max(caller) AS caller, request_id
FROM alembic_history.revisions GROUP BY request_id ORDER BY max(id) DESC LIMIT %s
"""


_OPERATIONS = """
SELECT performed_at, command, arguments, caller FROM alembic_history.operations ORDER BY id DESC LIMIT %s
"""


def activity(reading: Reading) -> Answer:
    """Return the sessions in the database, the longest transaction first."""
    with reading.observe() as session:
        return {"sessions": rows(session, _SESSIONS)}


def status(reading: Reading) -> Answer:
    """Return the state of the database, its revisions, the upgrade in progress, the last runs and operations."""
    database, manifest = database_heads(reading), reading.manifest
    with reading.observe() as session:
        log = read_log(session)
        return {
            "database": {**rows(session, _SERVER)[0], "host": reading.settings.host},
            "revision": sorted(database),
            "head": sorted(heads_of_code(manifest)),
            "pending": pending(database, manifest, log),
            "ahead": list(divergence.ahead(database, manifest, log)),
            **upgrade_in_progress(session),
            "runs": _last(session, "alembic_history.revisions", _RUNS),
            "operations": _last(session, "alembic_history.operations", _OPERATIONS),
        }


def upgrade_in_progress(session: Connection) -> dict[str, list[Row]]:
    """Return the session with the lock of the upgrade, the sessions that run revisions, and their blockers."""
    names = f"{APPLICATION_NAME}%"
    return {
        "lock_holder": rows(session, _HOLDER, (LOCK_KEY,)),
        "upgrade_sessions": rows(session, _UPGRADE_SESSIONS, (names,)),
        "blockers": rows(session, _BLOCKERS, (names, names)),
    }


def _last(session: Connection, table: str, query: str) -> list[Row]:
    """Return the last rows of a table of the migration log, which the first upgrade creates."""
    return rows(session, query, (_SHOWN_RUNS,)) if rows(session, _EXISTS, (table,)) == [{"is_table": True}] else []
