"""The rules for statements that must run outside a transaction, and for statements that cannot run twice."""

from pathlib import Path

import pytest

from tests.tools.lint_project import LintProject

IN_BLOCK = "with op.get_context().autocommit_block():\n"
DROP = "DROP INDEX CONCURRENTLY IF EXISTS app.ix"
CREATE = 'CREATE INDEX CONCURRENTLY "ix" ON app.t (a)'


def outside(*statements: str) -> str:
    return IN_BLOCK + "\n".join(f"    op.execute({statement!r})" for statement in statements)


def rules(folder: Path, body: str) -> list[str]:
    project = LintProject(folder)
    project.add("one", body=body)
    return project.rules()


@pytest.mark.parametrize(
    "statement",
    [
        DROP,
        "REINDEX INDEX CONCURRENTLY ix",
        "REINDEX (VERBOSE) TABLE CONCURRENTLY t",
        "VACUUM (ANALYZE) t",
        "CREATE DATABASE d",
        "ALTER SYSTEM SET work_mem = '1MB'",
        "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
        "/* now */ DO $$ BEGIN UPDATE t SET a = 1; COMMIT; END $$",
        "DO $$ BEGIN LOOP COMMIT; END LOOP; END $$",
    ],
)
def test_a_statement_that_must_run_outside_a_transaction_is_a_finding_inside(tmp_path: Path, statement: str) -> None:
    assert "outside-transaction" in rules(tmp_path / "inside", f"op.execute({statement!r})")
    assert "outside-transaction" not in rules(tmp_path / "outside", outside(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 'VACUUM; VACUUM t; CREATE INDEX CONCURRENTLY'",
        "-- VACUUM t;\nSELECT 1",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
        "ALTER TYPE ty ADD VALUE 'VACUUM' AFTER 'b'",
        "DO $$ BEGIN RAISE NOTICE 'COMMIT;'; END $$",
        """CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$""",
    ],
)
def test_a_statement_that_may_run_in_a_transaction_is_not_a_finding(tmp_path: Path, statement: str) -> None:
    assert rules(tmp_path, f"op.execute({statement!r})") == []


def test_a_concurrent_index_build_in_a_transaction_is_one_finding(tmp_path: Path) -> None:
    names = rules(tmp_path, f"op.execute({CREATE!r})")
    assert "ban-concurrent-index-creation-in-transaction" in names
    assert "outside-transaction" not in names


def test_several_statements_in_one_call_count_as_a_transaction(tmp_path: Path) -> None:
    assert "outside-transaction" in rules(tmp_path / "one call", outside(f"{DROP}; {CREATE};"))
    assert "outside-transaction" not in rules(tmp_path / "two calls", outside(DROP, CREATE))


def test_a_commit_is_a_finding_and_the_next_statement_is_outside_a_transaction(tmp_path: Path) -> None:
    names = rules(tmp_path, f'op.execute("COMMIT")\nop.execute({CREATE!r})')
    assert names == ["rerun-invalid-index", "transaction-control"]


def test_a_rollback_to_a_savepoint_is_not_a_finding(tmp_path: Path) -> None:
    assert rules(tmp_path, 'op.execute("SAVEPOINT s")\nop.execute("ROLLBACK TO SAVEPOINT s")') == []


@pytest.mark.parametrize("exists", ["", "IF NOT EXISTS "])
def test_a_concurrent_index_build_without_a_drop_before_it_is_a_finding(tmp_path: Path, exists: str) -> None:
    create = CREATE.replace("CONCURRENTLY ", f"CONCURRENTLY {exists}")
    assert rules(tmp_path / "alone", outside(create)) == ["rerun-invalid-index"]
    assert rules(tmp_path / "another", outside(DROP.replace(".ix", ".iy"), create)) == ["rerun-invalid-index"]
    assert rules(tmp_path / "too late", outside(create, DROP)) == ["rerun-invalid-index"]
    assert rules(tmp_path / "before", outside(DROP, create)) == []


def test_operations_of_alembic_are_checked_as_their_sql(tmp_path: Path) -> None:
    create = '    op.create_index("ix", "t", ["a"], postgresql_concurrently=True, if_not_exists=True)'
    drop = '    op.drop_index("ix", "t", postgresql_concurrently=True, if_exists=True)'
    assert rules(tmp_path / "alone", f"{IN_BLOCK}{create}") == ["rerun-invalid-index"]
    assert rules(tmp_path / "before", f"{IN_BLOCK}{drop}\n{create}") == []


def test_a_statement_before_an_autocommit_block_must_be_able_to_run_twice(tmp_path: Path) -> None:
    body = f'op.execute("ALTER TABLE t ADD COLUMN {{}}a text")\n{outside("VACUUM t")}'
    assert rules(tmp_path / "fails", body.format("")) == ["prefer-robust-stmts"]
    assert rules(tmp_path / "robust", body.format("IF NOT EXISTS ")) == []


def test_a_statement_in_a_transaction_after_an_autocommit_block_need_not_run_twice(tmp_path: Path) -> None:
    assert rules(tmp_path, f'{outside("VACUUM t")}\nop.execute("ALTER TABLE t ADD COLUMN a text")') == []


@pytest.mark.parametrize(
    "action",
    [
        "ALTER COLUMN a SET DEFAULT 1",
        "VALIDATE CONSTRAINT c",
        "ALTER a SET STATISTICS 100, SET (fillfactor = 70)",
        "ENABLE ROW LEVEL SECURITY",
    ],
)
def test_a_change_of_settings_can_run_twice(tmp_path: Path, action: str) -> None:
    assert rules(tmp_path, outside(f"ALTER TABLE IF EXISTS ONLY app.t {action}")) == []


@pytest.mark.parametrize(
    "action", ["ADD CONSTRAINT c CHECK (a > 0) NOT VALID", "VALIDATE CONSTRAINT c, ADD COLUMN b text"]
)
def test_adding_an_object_cannot_run_twice(tmp_path: Path, action: str) -> None:
    assert rules(tmp_path, outside(f"ALTER TABLE t {action}")) == ["prefer-robust-stmts"]


@pytest.mark.parametrize(
    ("fails", "holds"),
    [
        ("CREATE TYPE ty AS ENUM ('a')", "GRANT SELECT ON t TO querier"),
        ("CREATE SEQUENCE s", "CREATE SEQUENCE IF NOT EXISTS s"),
        ("CREATE VIEW v AS SELECT 1", "CREATE OR REPLACE VIEW v AS SELECT 1"),
        ("ALTER TYPE ty ADD VALUE 'b'", "ALTER TYPE ty ADD VALUE IF NOT EXISTS 'b'"),
        ("ALTER SEQUENCE s RENAME TO r", "ALTER SEQUENCE s RESTART"),
        ("DROP TRIGGER tr ON t", "DROP TRIGGER IF EXISTS tr ON t"),
    ],
)
def test_a_statement_that_fails_in_a_second_run_is_a_finding(tmp_path: Path, fails: str, holds: str) -> None:
    assert "rerun-fails" in rules(tmp_path / "fails", outside(fails))
    assert "rerun-fails" not in rules(tmp_path / "holds", outside(holds))
    assert "rerun-fails" not in rules(tmp_path / "in a transaction", f"op.execute({fails!r})")


def test_creating_an_object_after_dropping_it_can_run_twice(tmp_path: Path) -> None:
    drop, create = "DROP TRIGGER IF EXISTS tr ON t", "CREATE TRIGGER tr AFTER INSERT ON t EXECUTE FUNCTION f()"
    assert rules(tmp_path, outside(drop, create)) == []


@pytest.mark.parametrize(
    "insert",
    [
        "INSERT INTO t VALUES ('ON CONFLICT')",
        "INSERT INTO t SELECT a FROM u -- ON CONFLICT",
        "WITH u AS (SELECT 1 AS a) INSERT INTO t SELECT a FROM u",
    ],
)
def test_an_insert_that_repeats_rows_in_a_second_run_is_a_finding(tmp_path: Path, insert: str) -> None:
    assert rules(tmp_path / "outside", outside(insert)) == ["rerun-inserts"]
    assert rules(tmp_path / "in a transaction", f"op.execute({insert!r})") == []


@pytest.mark.parametrize(
    "insert",
    [
        "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
        "INSERT INTO t SELECT a FROM u WHERE NOT EXISTS (SELECT FROM t WHERE t.a = u.a)",
        "WITH gone AS (DELETE FROM u RETURNING a) INSERT INTO t SELECT a FROM gone",
        "SELECT 'insert into t'",
    ],
)
def test_an_insert_with_a_condition_can_run_twice(tmp_path: Path, insert: str) -> None:
    assert rules(tmp_path, outside(insert)) == []
