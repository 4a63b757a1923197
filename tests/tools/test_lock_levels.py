"""The estimated locks of SQL statements. tests/postgres/test_lock_levels.py compares them with a server."""

import pytest

from review.planning.lock_modes import LockMode
from review.planning.locks import StatementLocks, estimate, modes_from_squawk
from review.planning.schema import Schema
from review.planning.syntax import UNREADABLE, name_of, parse


def locks(*statements: str) -> StatementLocks:
    """Return the locks of the last statement. All statements are in one revision."""
    trees = parse(statements)
    schema = Schema()
    for tree in trees[:-1]:
        schema.apply(tree)
    (mode,) = modes_from_squawk(trees[-1:])
    return estimate(trees[-1], mode, schema)


def on(result: StatementLocks) -> dict[str, str]:
    return {str(lock): "new" if lock.is_new else str(lock.mode) for lock in result.held}


def after(before: str, statement: str) -> dict[str, str]:
    """Return the locks of a statement after another revision."""
    trees = parse([before, statement])
    schema = Schema()
    schema.apply(trees[0])
    schema.new.clear()
    return on(estimate(trees[1], modes_from_squawk(trees)[1], schema))


def test_a_lock_on_a_table_of_the_same_revision_blocks_no_session() -> None:
    result = locks("CREATE TABLE t (id int)", "ALTER TABLE t ADD COLUMN a int")
    assert on(result) == {"t": "new"}
    assert result.strictest is None


def test_a_table_of_another_revision_is_not_new() -> None:
    assert after("CREATE TABLE t (id int)", "ALTER TABLE t ADD COLUMN a int") == {"t": "ACCESS EXCLUSIVE"}


def test_a_new_table_is_new_after_a_rename() -> None:
    assert on(locks("CREATE TABLE t (id int)", "ALTER TABLE t RENAME TO u", "DROP TABLE u")) == {"u": "new"}


def test_creating_a_table_locks_the_tables_that_it_references() -> None:
    assert on(locks("CREATE TABLE t (id int, parent int REFERENCES t, u int REFERENCES u)")) == {
        "t": "new",
        "u": "SHARE ROW EXCLUSIVE",
    }


def test_dropping_an_index_locks_its_table() -> None:
    assert after("CREATE INDEX ix ON sales.t (a)", "DROP INDEX sales.ix") == {
        "index sales.ix": "ACCESS EXCLUSIVE",
        "sales.t": "ACCESS EXCLUSIVE",
    }


def test_the_table_of_an_unknown_index_has_no_name() -> None:
    assert on(locks("DROP INDEX ix")) == {"index ix": "ACCESS EXCLUSIVE", "the table of ix": "ACCESS EXCLUSIVE"}


def test_dropping_a_table_locks_the_tables_that_it_references() -> None:
    assert after("CREATE TABLE t (u int REFERENCES u)", "DROP TABLE t") == {
        "t": "ACCESS EXCLUSIVE",
        "u": "ACCESS EXCLUSIVE",
    }


def test_dropping_a_foreign_key_locks_the_table_that_it_references_and_no_other() -> None:
    before = "CREATE TABLE t (a int CONSTRAINT fk_a REFERENCES u, b int CONSTRAINT fk_b REFERENCES v)"
    assert after(before, "ALTER TABLE t DROP CONSTRAINT fk_a") == {"t": "ACCESS EXCLUSIVE", "u": "ACCESS EXCLUSIVE"}
    assert after(before, "ALTER TABLE t DROP COLUMN b") == {"t": "ACCESS EXCLUSIVE", "v": "ACCESS EXCLUSIVE"}


@pytest.mark.parametrize(
    ("table", "dropped"),
    [
        ("t (u int REFERENCES u, v int REFERENCES v)", "t_u_fkey"),
        ("sales.t (u int, w int, v int REFERENCES v, FOREIGN KEY (u, w) REFERENCES u)", "t_u_w_fkey"),
        (f"t ({'c' * 60} int REFERENCES u, v int REFERENCES v)", f"t_{'c' * 56}_fkey"),
        ('"T" ("U" int REFERENCES u, v int REFERENCES v)', '"T_U_fkey"'),
        ("t (u int REFERENCES u, v int REFERENCES v)", "t_u_fkey1"),
    ],
    ids=["a column", "two columns", "cut", "quoted", "with a number"],
)
def test_a_foreign_key_without_a_name_has_the_name_that_postgresql_chooses(table: str, dropped: str) -> None:
    name = table.partition(" ")[0]
    assert after(f"CREATE TABLE {table}", f"ALTER TABLE {name} DROP CONSTRAINT {dropped}") == {
        name: "ACCESS EXCLUSIVE",
        "u": "ACCESS EXCLUSIVE",
    }


@pytest.mark.parametrize(
    ("change", "targets"),
    [
        ("ALTER TABLE t DROP CONSTRAINT t_u_fkey", set()),
        ("ALTER TABLE t DROP COLUMN u", set()),
        ("ALTER TABLE t RENAME CONSTRAINT t_u_fkey TO other", {"u"}),
        ("ALTER TABLE u RENAME TO v", {"v"}),
        ("DROP TABLE u CASCADE", set()),
    ],
)
def test_a_foreign_key_is_tracked_until_it_is_dropped(change: str, targets: set[str]) -> None:
    result = locks("CREATE TABLE t (u int REFERENCES u)", change, "DROP TABLE t")
    assert {lock.name for lock in result.held} == {"t"} | targets


def test_a_foreign_key_is_tracked_after_a_rename_of_it_or_of_its_column() -> None:
    before = "CREATE TABLE t (u int REFERENCES u)"
    renamed = "ALTER TABLE t RENAME CONSTRAINT t_u_fkey TO other"
    assert "u" in on(locks(before, renamed, "ALTER TABLE t DROP CONSTRAINT other"))
    assert "u" not in on(locks(before, renamed, "ALTER TABLE t DROP CONSTRAINT t_u_fkey"))
    assert "u" in on(locks(before, "ALTER TABLE t RENAME COLUMN u TO v", "ALTER TABLE t DROP COLUMN v"))


@pytest.mark.parametrize(
    "statement",
    [
        "DO $$ BEGIN DELETE FROM t; END $$",
        "CALL p()",
        "SELECT add_partitions()",
        "DROP SCHEMA s CASCADE",
        "DROP TYPE e CASCADE",
        "DROP TABLE t CASCADE",
        "ALTER TABLE t DROP COLUMN a CASCADE",
        "ALTER TYPE c ADD ATTRIBUTE a int",
        "ALTER TABLE t FROB THE KNOB",
        "VACUUM",
    ],
)
def test_a_statement_with_unknown_locks_is_incomplete(statement: str) -> None:
    assert not locks(statement).is_complete


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END",
        "CREATE TYPE e AS ENUM ('a;b')",
        "ALTER TYPE e ADD VALUE 'b'",
        "CREATE EXTENSION pg_trgm",
        "GRANT SELECT ON t TO querier",
        "SELECT setval('s', 1)",
        "SELECT 1 FROM pg_class",
        "SET LOCAL lock_timeout = '1s'",
        "/* ALTER TABLE t */ SELECT 1 -- DROP TABLE t",
        "WITH t AS (SELECT 1) SELECT * FROM t",
    ],
)
def test_a_statement_without_tables_has_no_locks(statement: str) -> None:
    assert locks(statement) == StatementLocks()


def test_on_delete_cascade_does_not_make_the_locks_unknown() -> None:
    assert locks("ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u ON DELETE CASCADE").is_complete


def test_a_comment_for_squawk_does_not_hide_a_lock() -> None:
    assert on(locks("-- squawk-ignore require-lock-timeout\nALTER TABLE t ADD COLUMN a int")) == {
        "t": "ACCESS EXCLUSIVE"
    }


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("T", "t"),
        ('"t"', "t"),
        ('"T"', '"T"'),
        ("public.t", "t"),
        ('public . "New T"', '"New T"'),
        ('sales."a.b"', 'sales."a.b"'),
    ],
)
def test_a_name_has_one_form_for_all_spellings(written: str, name: str) -> None:
    assert name_of(written) == name


def test_each_text_has_its_own_tree_in_order() -> None:
    kinds = [tree.kind for tree in parse(["SELECT 'ü\n\";\n  INSERT@0..1'", "gibberish", "", *["DELETE FROM t"] * 20])]
    assert kinds == ["SELECT", UNREADABLE, UNREADABLE, *["DELETE"] * 20]


def test_every_mode_has_a_text_about_blocked_work_and_the_strictest_is_the_last() -> None:
    assert all(mode.blocks for mode in LockMode)
    assert str(max(LockMode)) == "ACCESS EXCLUSIVE"
