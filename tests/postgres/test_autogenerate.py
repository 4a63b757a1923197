"""The changes that autogenerate writes, reports, rejects and leaves alone, each generated and applied."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.util import CommandError
from sqlalchemy.dialects import postgresql

from tests.postgres.autogenerate.changes import CHANGES, PLAIN, Change, Model, both, column, enum, retyped, table
from tests.postgres.autogenerate.harness import History, empty
from tests.postgres.autogenerate.pairs import check_pair
from tests.postgres.autogenerate.schema_text import schema_text

GUIDE = Path(__file__).parents[2] / "docs/writing-migrations.md"
REPORTED = "partitioning, `INHERITS`, access method or tablespace of an existing table, type of a domain"
REJECTED = "a type that PostgreSQL cannot convert the old type to"
LEFT = (
    "partitions, inheritance children, views, objects of extensions, tables of another owner, sequences that are not in"
    " the metadata"
)
RENAMED = "a table or column is renamed"


def model(build: Model) -> sa.MetaData:
    metadata = sa.MetaData()
    build(metadata)
    return metadata


@pytest.fixture
def history(model_connection: sa.Connection, tmp_path: Path) -> History:
    empty(model_connection)
    return History(tmp_path / "project", model_connection)


def execute(history: History, sql: str) -> None:
    history.connection.execute(sa.text(sql))
    history.connection.commit()


def create(history: History, build: Model) -> None:
    """Create a model by a revision."""
    history.generate(model(build))
    history.upgrade(model(build))


def revise(history: History, build: Model) -> str:
    """Change to a model by a revision and return its text. There must be no difference left."""
    text = history.generate(model(build))
    history.upgrade(model(build))
    history.check(model(build))
    return text or ""


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change.row.split(',')[0]}: {change.name}")
def test_a_change_is_written_with_its_way_back(change: Change, model_connection: sa.Connection) -> None:
    check_pair(model_connection, model(change.before), model(change.after))


def test_the_table_in_the_guide_names_the_tested_changes() -> None:
    rows = [f"| {row} | writes it |" for row in dict.fromkeys(change.row for change in CHANGES)]
    rows += [
        f"| {RENAMED} | writes a drop and an add, **which lose the data**: see [Rename a column](#rename-a-column) |",
        f"| {REJECTED} | rejects it, with what to write |",
        f"| {REPORTED} | reports it, and does not write it |",
        f"| {LEFT} | leaves them alone |",
        "| privileges, triggers, functions, policies, rows, the order of columns | does not compare them |",
    ]
    table_of_guide = re.search(
        r"\| change in `tables.py` \| autogenerate \|\n\|---\|---\|\n((?:\|.*\n)+)", GUIDE.read_text()
    )
    assert table_of_guide is not None
    assert table_of_guide[1].splitlines() == rows


# Rows are kept


def test_a_changed_type_keeps_the_meaning_of_the_rows(history: History) -> None:
    pairs = [
        (sa.Text, sa.Integer, "' 7 '", 7),
        (sa.Integer, sa.Boolean, "3", True),
        (sa.Boolean, sa.BigInteger, "true", 1),
        (sa.Text, sa.LargeBinary, r"'a\\b'", b"a\\\\b"),
        (sa.Text, lambda: sa.ARRAY(sa.Text), "'{a,b}'", ["{a,b}"]),
        (sa.Integer, postgresql.JSONB, "5", 5),
        (postgresql.JSONB, sa.Text, "'\"x\"'", '"x"'),
        (postgresql.JSONB, sa.Integer, "'5'", 5),
        (sa.DateTime, lambda: sa.DateTime(timezone=True), "'2020-07-01 12:00'", "2020-07-01 12:00:00+00:00"),
        (lambda: sa.Enum("x", name="e1"), lambda: sa.Enum("x", "y", name="e2"), "'x'", "x"),
    ]
    for old, new, written, read in pairs:
        empty(history.connection)
        for path in history.revisions():
            path.unlink()
        before, after = retyped(old, new)
        create(history, before)
        execute(history, f"INSERT INTO t (c) VALUES ({written.replace(':', chr(92) + ':')}), (NULL)")
        execute(history, "ALTER ROLE CURRENT_USER SET timezone = 'Asia/Tokyo'")
        revise(history, after)
        execute(history, "SET timezone = 'UTC'")
        values = list(history.connection.scalars(sa.text("SELECT c FROM t ORDER BY id")))
        value = bytes(values[0]) if isinstance(values[0], memoryview) else values[0]
        assert (str(value) if hasattr(value, "tzinfo") else value) == read, (old, new)
        assert values[1] is None


def test_a_text_that_is_too_long_for_the_new_type_is_an_error_and_is_not_cut(history: History) -> None:
    before, after = retyped(lambda: sa.String(20), lambda: sa.String(3))
    create(history, before)
    execute(history, "INSERT INTO t (c) VALUES ('abcdef')")
    history.generate(model(after))
    with pytest.raises(sa.exc.DataError, match="value too long"):
        history.upgrade(model(after))
    history.connection.rollback()


def test_an_identity_continues_after_the_numbers_of_the_serial_before(history: History) -> None:
    create(history, table())
    execute(history, "INSERT INTO t SELECT FROM generate_series(1, 3)")
    revise(history, table(lambda: sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True)))
    assert history.connection.scalar(sa.text("INSERT INTO t DEFAULT VALUES RETURNING id")) == 4


def test_a_value_that_leaves_an_enum_type_must_not_be_in_a_row(history: History) -> None:
    create(history, enum("a", "b"))
    execute(history, "INSERT INTO t (state) VALUES ('b')")
    history.generate(model(enum("a")))
    with pytest.raises(sa.exc.DataError, match='invalid input value for enum state: "b"'):
        history.upgrade(model(enum("a")))
    history.connection.rollback()


# Reported and rejected


def test_a_type_without_a_conversion_is_rejected_with_what_to_write(history: History) -> None:
    before, after = retyped(sa.Integer, sa.Date)
    create(history, before)
    with pytest.raises(CommandError, match=r"the type of t.c must be .* \(got date\).*postgresql_using="):
        history.generate(model(after))


def test_a_change_that_cannot_be_undone_says_so_in_its_downgrade(history: History) -> None:
    before, after = retyped(sa.DateTime, sa.Time)
    create(history, before)
    assert "raise NotImplementedError(" in revise(history, after)


def test_a_difference_that_no_statement_removes_is_named(history: History) -> None:
    create(history, table(postgresql_partition_by="RANGE (id)"))
    output = history.check(model(table(postgresql_partition_by="LIST (id)")))
    assert "Not in the revision: PARTITION BY of table t is RANGE (id), and LIST (id) in the metadata" in output


def test_a_condition_that_postgresql_rejects_is_named_when_the_revision_is_generated(history: History) -> None:
    broken = table(lambda: sa.CheckConstraint("nothing > 0", name="ck"))
    with pytest.raises(CommandError, match='got column "nothing" does not exist'):
        history.generate(model(broken))


# Left alone


def test_objects_that_are_not_the_metadatas_are_left_alone(history: History) -> None:
    parent = table(column("day", sa.Date), name="events", postgresql_partition_by="RANGE (id)")
    create(history, both(parent, table(name="base")))
    execute(
        history,
        """
        CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (1) TO (9);
        CREATE INDEX ON events_1 (day);
        CREATE TABLE child (x int) INHERITS (base);
        CREATE VIEW days AS SELECT day FROM events;
        CREATE SEQUENCE loose;
        INSERT INTO events (id) VALUES (1);
        """,
    )
    before = schema_text(history.connection)
    text = revise(history, both(parent, table(column("n", sa.Integer), name="base")))
    assert "drop" not in text.split("def downgrade")[0]
    assert [line for line in before if line not in schema_text(history.connection)] == []
    assert history.connection.scalar(sa.text("SELECT count(*) FROM events")) == 1


def test_a_table_of_another_owner_is_left_alone_and_named(history: History) -> None:
    create(history, PLAIN)
    execute(history, "CREATE ROLE stranger; GRANT stranger TO CURRENT_USER; GRANT CREATE ON SCHEMA public TO stranger")
    execute(history, "CREATE TABLE foreign_one (x int); ALTER TABLE foreign_one OWNER TO stranger")
    output = history.check(model(PLAIN))
    execute(history, "DROP OWNED BY stranger; DROP ROLE stranger")
    assert "table foreign_one is left alone: it belongs to the role stranger" in output
    assert "No new upgrade operations detected." in output


def test_the_filters_of_the_user_decide_what_is_compared(model_connection: sa.Connection, tmp_path: Path) -> None:
    empty(model_connection)

    def include_object(_item: object, name: str, kind: str, _reflected: bool, _other: object) -> bool:
        return not (kind in {"index", "column"} and name.startswith("own_"))

    def include_name(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name != "kept"

    history = History(tmp_path / "project", model_connection, include_object=include_object, include_name=include_name)
    create(history, PLAIN)
    execute(history, "CREATE TABLE kept (x int); CREATE INDEX own_index ON t (a); ALTER TABLE t ADD own_column int")
    assert "No new upgrade operations detected." in history.check(model(PLAIN))


def test_a_concurrent_index_in_the_metadata_keeps_its_option(history: History) -> None:
    metadata = sa.MetaData()
    built = sa.Table("t", metadata, sa.Column("id", sa.Integer, primary_key=True))
    index = sa.Index("ix", built.c.id, postgresql_concurrently=True)
    history.generate(metadata)
    assert index.dialect_options["postgresql"]["concurrently"] is True


def test_a_view_that_reads_a_changed_column_is_named_before_anything_is_written(history: History) -> None:
    before, after = retyped(sa.Integer, sa.Text)
    create(history, before)
    execute(history, "CREATE VIEW readers AS SELECT c FROM t")
    for changed in (after, table(), table(name="other")):
        with pytest.raises(CommandError, match=r"column t\.c must not be read by a view .* \(got readers\)"):
            history.generate(model(changed))


def test_a_schema_that_leaves_the_metadata_is_named(history: History) -> None:
    create(history, both(PLAIN, table(name="log", schema="audit")))
    assert "Not in the revision: schema audit has tables or types and is not in the metadata" in history.check(
        model(PLAIN)
    )


def test_several_metadata_may_have_a_type_in_common(history: History) -> None:
    mood = sa.Enum("ok", "so so", name="mood")
    first, second = sa.MetaData(), sa.MetaData()
    for metadata, name in ((first, "x"), (second, "y")):
        sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("mood", mood))
    history.generate([first, second])
    history.upgrade([first, second])
    assert "No new upgrade operations detected." in history.check([first, second])


def test_a_partition_that_is_in_the_metadata_is_left_to_its_parent(history: History) -> None:
    parent = table(name="events", postgresql_partition_by="RANGE (id)")
    create(history, parent)
    execute(history, "CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (1) TO (9)")
    partition = table(lambda: sa.Column("id", sa.Integer, primary_key=True, autoincrement=False), name="events_1")
    output = history.check(model(both(parent, partition)))
    assert "Not in the revision: events_1 is a partition: it is not compared" in output
    assert "No new upgrade operations detected." in output


def test_the_version_table_of_another_project_is_left_alone(history: History) -> None:
    create(history, PLAIN)
    execute(history, "CREATE TABLE other_version (version_num varchar(32) PRIMARY KEY)")
    assert "No new upgrade operations detected." in history.check(model(PLAIN))
