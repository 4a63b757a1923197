"""The command `progress`: the upgrade that runs now, its statement, PostgreSQL's own progress, and the blockers.

A client calls it every second or two, so that it must stay cheap: two sessions, and no env.py in the usual case.
"""

from collections.abc import Sequence

from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.migration_log import read_log
from migrator.operations.activity import upgrade_in_progress
from migrator.operations.arguments import Answer
from migrator.operations.project import database_heads
from migrator.operations.reading import Reading
from migrator.operations.revisions import pending
from migrator.operations.rows import Row, rows

# The views of https://www.postgresql.org/docs/current/progress-reporting.html, each with the counter of its phase. A
# total of 0 or NULL is not known yet. VACUUM FULL and CLUSTER rewrite a table, and have a view of their own.
_REPORTS = """
SELECT pid, command, relid, phase, current_locker_pid AS waits_for_pid, unit,
    CASE unit WHEN 'sessions' THEN lockers_done WHEN 'blocks' THEN blocks_done WHEN 'rows' THEN tuples_done END AS done,
    CASE unit WHEN 'sessions' THEN lockers_total WHEN 'blocks' THEN blocks_total WHEN 'rows' THEN tuples_total END
        AS total
FROM pg_stat_progress_create_index, LATERAL (
    SELECT CASE WHEN phase LIKE 'waiting%%' THEN 'sessions'
        WHEN phase LIKE '%%scanning%%' OR phase = 'building index' THEN 'blocks'
        WHEN tuples_total > 0 THEN 'rows' END AS unit
) AS counter
UNION ALL
SELECT pid, 'VACUUM', relid, phase, NULL, 'blocks',
    CASE WHEN phase = 'vacuuming heap' THEN heap_blks_vacuumed ELSE heap_blks_scanned END, heap_blks_total
FROM pg_stat_progress_vacuum
UNION ALL
SELECT pid, 'ANALYZE', relid, phase, NULL, 'blocks', sample_blks_scanned, sample_blks_total
FROM pg_stat_progress_analyze
UNION ALL
SELECT pid, command, relid, phase, NULL, 'blocks', heap_blks_scanned, heap_blks_total
FROM pg_stat_progress_cluster
UNION ALL
SELECT pid, command, relid, type, NULL, CASE WHEN bytes_total > 0 THEN 'bytes' ELSE 'rows' END,
    CASE WHEN bytes_total > 0 THEN bytes_processed ELSE tuples_processed END, nullif(bytes_total, 0)
FROM pg_stat_progress_copy
"""
_COMMANDS = f"""
SELECT pid, command, CASE WHEN relid <> 0 THEN relid::regclass::text END AS relation, phase, done,
    nullif(total, 0) AS total, unit, round(100.0 * least(done, total) / nullif(total, 0), 1) AS percent,
    nullif(waits_for_pid, 0) AS waits_for_pid
FROM ({_REPORTS}) AS reports WHERE pid = ANY(%s) ORDER BY pid
"""  # noqa: S608 - a constant


def progress(reading: Reading) -> Answer:
    """Return the upgrade in progress: its revision, sessions and commands, and the sessions that block it."""
    database, manifest = database_heads(reading), reading.manifest
    with reading.observe() as session:
        missing = pending(database, manifest, read_log(session))
        upgrade = upgrade_in_progress(session)
        shown = [row for name in ("lock_holder", "upgrade_sessions", "blockers") for row in upgrade[name]]
        return {
            "revision": sorted(database),
            "pending": missing,
            **upgrade,
            "commands": _commands(session, [row["pid"] for row in shown]),
        }


def _commands(session: Connection, pids: Sequence[object]) -> list[Row]:
    """Return PostgreSQL's progress of the commands in these sessions. An autovacuum can be a blocker, too."""
    return rows(session, _COMMANDS, (list(pids),)) if pids else []
