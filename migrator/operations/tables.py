"""The command `tables`: the rows, bytes and writes of each table."""

import time

from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.operations.arguments import Answer
from migrator.operations.reading import Reading
from migrator.operations.rows import Row, rows

# The server's statistics of tables: a session reports its writes once a second at most.
_WRITES = """
SELECT relid::bigint AS id, n_tup_ins + n_tup_upd + n_tup_del AS writes FROM pg_stat_user_tables
"""
# The size of a relation needs a lock on it. An upgrade may hold ACCESS EXCLUSIVE for long: the size is null then.
_TABLES = """
WITH locked AS (
    SELECT relation FROM pg_locks WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock'
), parts AS (
    SELECT pg_class.oid AS table_id, part
    FROM pg_class, LATERAL (
        SELECT pg_class.oid
        UNION ALL SELECT reltoastrelid
        UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid IN (pg_class.oid, reltoastrelid)
    ) AS part_of(part)
    WHERE relkind IN ('r', 'p', 'm')
)
SELECT pg_class.oid::bigint AS id, nspname::text AS schema, pg_class.relname::text AS table,
    CASE WHEN relkind = 'p' THEN NULL ELSE greatest(reltuples::bigint, n_live_tup) END AS rows_estimated,
    CASE WHEN pg_class.oid NOT IN (SELECT table_id FROM parts JOIN locked ON relation = part)
        THEN pg_total_relation_size(pg_class.oid) END AS bytes,
    n_dead_tup AS dead_rows, greatest(last_vacuum, last_autovacuum) AS vacuumed_at,
    greatest(last_analyze, last_autoanalyze) AS analyzed_at
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    LEFT JOIN pg_stat_user_tables ON relid = pg_class.oid
WHERE relkind IN ('r', 'p', 'm') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
ORDER BY 5 DESC NULLS FIRST, 2, 3
"""


def tables(reading: Reading, *, seconds: int) -> Answer:
    """Return the tables, the largest first. The writes per second are counted for `seconds`."""
    with reading.observe() as session:
        began, before = time.monotonic(), _writes(session)
        time.sleep(seconds)
        after, elapsed = _writes(session), time.monotonic() - began
        return {"tables": [_with_writes(row, before, after, elapsed) for row in rows(session, _TABLES)]}


def _writes(session: Connection) -> dict[object, int]:
    return {row["id"]: int(str(row["writes"])) for row in rows(session, _WRITES)}


def _with_writes(row: Row, before: dict[object, int], after: dict[object, int], elapsed: float) -> Row:
    table = row.pop("id")
    writes = after.get(table, 0) - before.get(table, 0)
    return {**row, "writes_per_second": round(max(0, writes) / elapsed, 1)}
