"""The command `query`: it cannot leave its role, its read-only transaction, and its limits."""

import json
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from localaws.rds import RdsInstance
from migrator.errors import MigratorError
from migrator.operations.query import MAX_BYTES
from migrator.operations.values import MAX_CHARACTERS
from tests.postgres.projects import Project
from tests.postgres.reading import Read, reading_function
from tests.postgres.role_setup import run as execute
from tests.postgres.role_setup import set_up_roles
from tests.postgres.servers import Cluster

TABLES = (
    "CREATE TABLE open (id int)",
    "INSERT INTO open SELECT generate_series(1, 3)",
    "CREATE TABLE shut (id int)",
    "CREATE SEQUENCE numbers",
    "GRANT SELECT ON open TO reader",
    "GRANT USAGE ON SEQUENCE numbers TO reader",
    "CREATE FUNCTION write() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'DELETE FROM public.open RETURNING id'",
    """CREATE FUNCTION grant_all() RETURNS void SECURITY DEFINER LANGUAGE plpgsql AS '
    BEGIN PERFORM set_config(''transaction_read_only'', ''off'', false); GRANT ALL ON open TO reader; END'""",
    "CREATE PROCEDURE leave(INOUT x int) LANGUAGE plpgsql AS 'BEGIN COMMIT; DELETE FROM open; END'",
)


@pytest.fixture(scope="module")
def database(postgres: RdsInstance) -> Cluster:
    """Return a database in which the reader may read one table of two, as in `prod`. No test changes it."""
    cluster = Cluster(postgres)
    cluster.reset()
    set_up_roles(cluster)
    with closing(cluster.connect_with_token("migrator")) as migrator:
        execute(migrator, *TABLES)
    return cluster


@pytest.fixture(scope="module")
def read(database: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Read]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield reading_function(database, Project(tmp_path_factory.mktemp("zip") / "project"), monkeypatch)


def state(cluster: Cluster) -> list[Any]:
    """Return everything that the attempts try to change."""
    return [
        cluster.admin("SELECT id FROM open ORDER BY id"),
        cluster.admin("SELECT last_value, is_called FROM numbers"),
        cluster.admin("SELECT relname, relacl::text FROM pg_class WHERE oid >= 16384 ORDER BY 1"),
        cluster.admin("SELECT proname FROM pg_proc WHERE oid >= 16384 ORDER BY 1"),
        cluster.admin("SELECT rolname, rolsuper, rolcreaterole FROM pg_roles ORDER BY 1"),
        cluster.admin("SELECT count(*) FROM pg_largeobject_metadata"),
        cluster.admin("SELECT setrole, setconfig FROM pg_db_role_setting ORDER BY 1"),
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO open VALUES (4)",
        "INSERT INTO open VALUES (4) RETURNING id",
        "DELETE FROM open",
        "WITH gone AS (DELETE FROM open RETURNING id) SELECT * FROM gone",
        "SELECT * FROM open FOR UPDATE",
        "SELECT 1; DELETE FROM open",
        "SELECT 1; COMMIT; DELETE FROM open",
        "COMMIT",
        "ROLLBACK; DELETE FROM open",
        "BEGIN",
        "END; DELETE FROM open",
        "SELECT 1) AS q(c0); COMMIT; DELETE FROM open; --",
        "SELECT 1 $$ $q$; COMMIT",
        "'; COMMIT; DELETE FROM open; --",
        "\\'; COMMIT; DELETE FROM open; --",
        "SET TRANSACTION READ WRITE",
        "SET default_transaction_read_only = off",
        "SET ROLE migrator",
        "SET SESSION AUTHORIZATION migrator",
        "RESET ALL",
        "RESET ROLE",
        "DISCARD ALL",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SELECT set_config('role', 'migrator', false)",
        "SELECT set_config('session_authorization', 'migrator', false)",
        "SELECT * FROM shut",
        "TABLE shut",
        "SELECT nextval('numbers')",
        "SELECT setval('numbers', 100)",
        "SELECT write()",
        "SELECT grant_all()",
        "CALL leave(1)",
        "DO $$ BEGIN DELETE FROM open; END $$",
        "COPY open TO STDOUT",
        "COPY open TO PROGRAM 'cat'",
        "COPY open FROM STDIN",
        "CREATE TABLE mine (id int)",
        "CREATE TEMP TABLE mine (id int)",
        "SELECT * INTO TEMP mine FROM open",
        "CREATE TABLE mine AS SELECT 1",
        "GRANT SELECT ON shut TO reader",
        "ALTER ROLE reader SET statement_timeout = 0",
        "EXPLAIN ANALYZE DELETE FROM open",
        "EXPLAIN ANALYZE INSERT INTO open VALUES (4)",
        "EXPLAIN (ANALYZE) CREATE TABLE mine AS SELECT 1",
        "PREPARE p AS DELETE FROM open",
        "EXECUTE p",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
        "LISTEN channel",
        "NOTIFY channel",
        "LOCK TABLE open",
        "VACUUM open",
        "TRUNCATE open",
        "REFRESH MATERIALIZED VIEW open",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> 'reader'",
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename <> 'reader'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_reload_conf()",
        "SELECT pg_stat_reset()",
        "SELECT lo_import('/etc/passwd')",
        "SELECT lo_export(1, '/tmp/x')",
        "SELECT dblink('dbname=app', 'DELETE FROM open')",
        "CREATE EXTENSION dblink",
        "",
        ";",
        "-- nothing",
        "no sql",
    ],
)
def test_a_statement_that_could_change_something_is_rejected(read: Read, database: Cluster, sql: str) -> None:
    before = state(database)
    with closing(database.connect_with_token("querier")) as other:  # for those that end sessions
        with pytest.raises(MigratorError):
            read("query", sql=sql, seconds=5)
        assert execute(other, "SELECT 1") == [(1,)]
    assert state(database) == before


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT lo_creat(-1)",
        "SELECT pg_notify('channel', 'text')",
        "SELECT pg_advisory_lock(0x75706772616465::bigint)",
        "SELECT set_config('search_path', 'shut', false)",
        "SELECT pg_logical_emit_message(true, 'prefix', 'text')",
    ],
)
def test_nothing_is_left_of_a_function_with_an_effect(read: Read, database: Cluster, sql: str) -> None:
    before = state(database)
    with closing(database.connect_with_token("querier")) as listener:
        listener.autocommit = True
        execute_now(listener, "LISTEN channel")
        # Since PostgreSQL 16, a large object cannot be created in such a transaction.
        with suppress(MigratorError):
            read("query", sql=sql)
        execute_now(listener, "SELECT 1")
        listener.poll()
        assert listener.notifies == []
    assert state(database) == before
    assert database.admin("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


def execute_now(connection: Any, sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT pg_sleep(60)",
        "SELECT count(*) FROM generate_series(1, 1e12)",
        "SELECT * FROM generate_series(1, 1e12)",
        "SELECT set_config('statement_timeout', '0', false), pg_sleep(60)",
        """SELECT CASE WHEN n < 600 THEN set_config('statement_timeout', '0', false) ELSE pg_sleep(60)::text END
        FROM generate_series(1, 600) AS n""",
        "WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT count(*) FROM n",
        "EXPLAIN ANALYZE SELECT pg_sleep(60)",
        "SELECT pg_advisory_lock(1), pg_sleep(60)",
    ],
)
def test_a_query_ends_at_its_time_limit(read: Read, database: Cluster, sql: str) -> None:
    began = time.monotonic()
    with pytest.raises(MigratorError, match="the query took longer than 1 s"):
        read("query", sql=sql, seconds=1)
    assert time.monotonic() - began < 20
    running = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader' AND state = 'active'"
    assert database.admin(running) == [(0,)]


def test_a_query_ends_at_its_limit_of_rows(read: Read) -> None:
    answer = read("query", sql="SELECT n FROM (SELECT 1 UNION ALL SELECT generate_series(2, 5000)) AS s(n)", max_rows=7)
    assert answer["rows"] == [[n] for n in range(1, 8)]
    assert answer["notes"] == ["the query has more than 7 rows: raise --max-rows, up to 1000, or use LIMIT"]


def test_a_query_with_exactly_the_allowed_rows_has_no_note(read: Read) -> None:
    answer = read("query", sql="SELECT generate_series(1, 1000)")
    assert (len(answer["rows"]), answer["notes"]) == (1000, [])


def test_an_answer_stays_below_the_limit_of_lambda(read: Read) -> None:
    answer = read("query", sql="SELECT repeat('ä', 9000), n FROM generate_series(1, 1000) AS n")
    assert len(json.dumps(answer)) < MAX_BYTES * 1.2
    assert 50 < len(answer["rows"]) < 1000
    assert answer["notes"] == ["the answer is limited to 4,000,000 bytes, and the rest of the rows is missing"]


@pytest.mark.parametrize(
    "value", ["repeat('x', 30000000)", "decode(repeat('00', 30000000), 'hex')", "array_fill(7, ARRAY[1000000])"]
)
def test_a_long_value_is_cut_with_a_note(read: Read, value: str) -> None:
    answer = read("query", sql=f"SELECT {value} AS value FROM generate_series(1, 2)")
    assert [len(text) for (text,) in answer["rows"]] == [MAX_CHARACTERS + 1] * 2
    assert answer["notes"] == ["values are cut after 10,000 characters"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("NULL", None),
        ("true", True),
        ("false", False),
        ("1::smallint", 1),
        ("9223372036854775807", 9223372036854775807),
        ("1.5::float8", 1.5),
        ("'NaN'::float8", "NaN"),
        ("'-Infinity'::float4", "-Infinity"),
        ("1.10::numeric", 1.1),
        ("12345678901234567890.5", "12345678901234567890.5"),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("'NaN'::numeric", "NaN"),
        ("'text'", "text"),
        ("''", ""),
        ("E'line\\nline'", "line\nline"),
        ("'\\x00ff'::bytea", "\\x00ff"),
        ("ARRAY[1, NULL]", "{1,NULL}"),
        ("ARRAY['a b']", '{"a b"}'),
        ("int4range(1, 5)", "[1,5)"),
        ("'{\"a\": [1, null]}'::json", '{"a": [1, null]}'),
        ("'{\"a\": 1}'::jsonb", '{"a": 1}'),
        ("DATE '2026-11-25'", "2026-11-25"),
        ("'infinity'::timestamptz", "infinity"),
        ("TIMESTAMP '2026-11-25 04:00:00.5'", "2026-11-25 04:00:00.5"),
        ("DATE '0044-03-15 BC'", "0044-03-15 BC"),
        ("INTERVAL '1 day 2 hours'", "1 day 02:00:00"),
        ("'8e1f9d2c-0000-4000-8000-000000000000'::uuid", "8e1f9d2c-0000-4000-8000-000000000000"),
        ("'10.0.0.0/8'::cidr", "10.0.0.0/8"),
        ("point(1, 2)", "(1,2)"),
        ("ROW(1, 'a')", "(1,a)"),
        ("B'101'", "101"),
        ("'pg_class'::regclass", "pg_class"),
        ("'<a/>'::xml", "<a/>"),
        ("to_tsvector('simple', 'a')", "'a':1"),
        ("12.5::money", "$12.50"),
    ],
)
def test_a_value_is_a_value_of_json_or_the_text_of_postgresql(read: Read, expression: str, value: object) -> None:
    answer = read("query", sql=f"SELECT {expression} AS value")
    assert (answer["columns"], answer["rows"]) == (["value"], [[value]])
    json.dumps(answer, allow_nan=False)


@pytest.mark.parametrize(
    ("sql", "columns", "rows"),
    [
        ("SELECT 1 AS a, 2 AS a", ["a", "a"], [[1, 2]]),
        ('SELECT 1 AS "a""b" -- comment', ['a"b'], [[1]]),
        ("VALUES (1), (2);", ["column1"], [[1], [2]]),
        ("TABLE open", ["id"], [[1], [2], [3]]),
        ("WITH w AS (SELECT 1 AS n) SELECT n FROM w", ["n"], [[1]]),
        ("SELECT id FROM open ORDER BY id DESC LIMIT 2", ["id"], [[3], [2]]),
        ("SELECT '%s', '%(x)s', 'a:b'", ["?column?"] * 3, [["%s", "%(x)s", "a:b"]]),
        ("SHOW transaction_read_only", ["transaction_read_only"], [["on"]]),
        ("SELECT", [], [[]]),
        ("SELECT id FROM open WHERE false", ["id"], []),
        ("SELECT current_user::text, session_user::text", ["current_user", "session_user"], [["reader", "reader"]]),
        ("SELECT '\\'", ["?column?"], [["\\"]]),
    ],
)
def test_every_form_of_a_query_returns_its_rows(read: Read, sql: str, columns: list[str], rows: list[Any]) -> None:
    answer = read("query", sql=sql)
    assert (answer["columns"], answer["rows"], answer["notes"]) == (columns, rows, [])


def test_explain_shows_a_plan(read: Read) -> None:
    assert "Scan on open" in read("query", sql="EXPLAIN SELECT * FROM open")["rows"][0][0]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT nothing", '42703: column "nothing" does not exist'),
        ("SELECT * FROM shut", "42501: permission denied for table shut: a revision may grant it to reader"),
        ("DELETE FROM open", "query must be one statement that returns rows"),
    ],
)
def test_the_error_of_a_query_is_that_of_the_server(read: Read, sql: str, message: str) -> None:
    with pytest.raises(MigratorError) as error:
        read("query", sql=sql)
    assert message in str(error.value)


def test_a_query_does_not_wait_long_for_a_locked_table(read: Read, database: Cluster) -> None:
    with closing(database.connect_with_token("migrator")) as migrator:
        migrator.cursor().execute("LOCK TABLE open")
        with pytest.raises(MigratorError, match="55P03: canceling statement due to lock timeout"):
            read("query", sql="SELECT * FROM open")
