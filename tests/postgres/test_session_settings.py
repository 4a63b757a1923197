"""Settings of a session: they end with their revision, and do not prevent the record of the revision."""

import pytest

from tests.postgres.projects import Project
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import Upgrade, columns, recorded, refusal

# A setting that a revision leaves on its session, and its value in the next revision.
LEFT = {
    "SET": ("op.execute('SET work_mem = 64')", "current_setting('work_mem')"),
    "set_config": ("op.execute(\"SELECT set_config('work_mem', '64', false)\")", "current_setting('work_mem')"),
    "a timeout": ("op.execute('SET lock_timeout = 77')", "current_setting('lock_timeout')"),
    "a role": ("op.execute('SET ROLE NONE')", "current_user"),
    "a search path": ("op.execute(\"SET search_path = ''\")", "current_setting('search_path')"),
    "a setting of its own": ("op.execute(\"SET my.own = '1'\")", "coalesce(current_setting('my.own', true), '')"),
    "characteristics": (
        "op.execute('SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE')",
        "current_setting('transaction_isolation')",
    ),
    "the driver's level": (
        "op.get_bind().connection.dbapi_connection.set_isolation_level(3)",
        "current_setting('transaction_isolation')",
    ),
    "an encoding": ("op.get_bind().connection.dbapi_connection.set_client_encoding('LATIN1')", "'\u00e4'"),
    "a temporary table": ("op.execute('CREATE TEMP TABLE left_behind (id int)')", "to_regclass('pg_temp.left_behind')"),
    "a lock": (
        "op.execute('SELECT pg_advisory_lock(7)')",
        "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())",
    ),
    "a prepared statement": ("op.execute('PREPARE q AS SELECT 1')", "(SELECT count(*) FROM pg_prepared_statements)"),
    "a cursor": (
        "op.execute('DECLARE c CURSOR WITH HOLD FOR SELECT 1')",
        "(SELECT count(*) FROM pg_cursors WHERE name = 'c')",
    ),
}
READ = """
row = op.get_bind().execute(sa.text("SELECT {values}")).one()
autocommit = op.get_bind().connection.dbapi_connection.autocommit
op.execute(sa.text("INSERT INTO seen VALUES (:row)").bindparams(row=repr((*row, autocommit))))
"""


def test_no_setting_of_a_session_reaches_the_next_revision(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    read = READ.format(values=", ".join(value for _, value in LEFT.values()))
    project.add("seen", "CREATE TABLE seen (row text)")
    project.add("before", body=read)
    for number, (left, _) in enumerate(LEFT.values()):
        project.add(f"left{number}", body=left)
        project.add(f"read{number}", body=read)
    project.add(
        "autocommit", body="op.get_bind().commit()\nop.get_bind().connection.dbapi_connection.autocommit = True"
    )
    project.add("read", body=read)
    run(project)
    rows = bootstrapped.admin("SELECT row FROM seen")
    assert len(rows) == len(LEFT) + 2
    assert len(set(rows)) == 1


@pytest.mark.parametrize(
    "statement",
    ["SET search_path = ''", "SET LOCAL search_path = nowhere", "SET ROLE querier", "SET LOCAL ROLE querier"],
)
def test_a_revision_is_recorded_after_any_setting(
    run: Upgrade, project: Project, bootstrapped: Cluster, statement: str
) -> None:
    bootstrapped.admin("GRANT querier TO migrator")
    project.add("r2", "ALTER TABLE t ADD z int", statement)
    assert run(project).applied == ("r1", "r2")
    assert recorded(bootstrapped) == ["r1", "r2"]
    assert bootstrapped.admin("SELECT version_num FROM public.alembic_version") == [("r2",)]


# pg_dump


def test_the_output_of_pg_dump_is_a_first_revision_or_the_error_says_what_to_change(
    run: Upgrade, project: Project, bootstrapped: Cluster, subtests: pytest.Subtests
) -> None:
    bootstrapped.admin(
        "CREATE TABLE t (id serial PRIMARY KEY, name text DEFAULT 'a'); INSERT INTO t VALUES (1, 'one');"
        "CREATE TABLE alembic_version (version_num varchar(32));"
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; GRANT SELECT ON t TO querier"
    )
    everything = ("--exclude-table=alembic_version", "--schema-only", "--no-owner", "--no-privileges")
    dumps = {options: bootstrapped.dump(*options) for options in (everything, everything[1:], everything[:1])}
    owned = bootstrapped.dump(*everything[:2])
    bootstrapped.admin("DROP TABLE t, alembic_version; DROP FUNCTION f")

    def first_revision(sql: str) -> None:
        project.revisions.clear()
        project.add("r1", body=f"op.get_bind().exec_driver_sql({sql!r})")

    def without_psql(sql: str) -> str:
        lines = [line for line in sql.splitlines() if not line.startswith("\\")]
        return "\n".join(lines).replace("CREATE SCHEMA public;", "")

    for sql, advice in (
        (
            "\\restrict abc\n" + without_psql(dumps[everything]),
            "lines that start with a backslash",
        ),
        (without_psql(dumps[everything[1:]]), "use pg_dump --exclude-table=alembic_version"),
        (without_psql(dumps[everything[:1]]), "use pg_dump --schema-only or --inserts"),
        (without_psql(owned), "use pg_dump --no-owner --no-privileges"),
    ):
        with subtests.test(advice):
            first_revision(sql)
            assert advice in refusal(run, project)
    first_revision(without_psql(dumps[everything]))
    project.add("r2", "INSERT INTO t (name) VALUES ('two')")
    assert run(project).applied == ("r1", "r2")
    assert columns(bootstrapped) == ["id", "name"]
    assert bootstrapped.admin("SELECT version_num FROM public.alembic_version") == [("r2",)]
