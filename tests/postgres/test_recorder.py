"""The recording of statements, compared with what PostgreSQL shows of the same statements in a session of the test."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Session  # noqa: N812 - psycopg2 spells its class in lower case

from review import catalog
from review.lock_modes import LockMode
from review.recorder import Recorder
from review.recording import RevisionRecording, Statement
from tests.postgres.lock_statements import BEFORE, CONCURRENT, STATEMENTS
from tests.postgres.review_projects import ReviewProject, empty_database, line_of, shared_database

FILES = """
SELECT relname, pg_relation_filenode(oid) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'm')
"""
SCANS = """
SELECT relname, pg_stat_get_xact_numscans(oid) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'm')
"""
IN_BLOCK = "with op.get_context().autocommit_block():\n"


@pytest.fixture
def project(tmp_path: Path) -> ReviewProject:
    return ReviewProject(tmp_path)


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """Yield a session with the relations of the statements. The tests roll back."""
    with empty_database(*BEFORE).copy("statements") as database, closing(database.connect()) as opened:
        yield opened


def locks(statement: Statement) -> dict[str, LockMode]:
    return {lock.relation.name: lock.mode for lock in statement.locks}


def work(statement: Statement) -> list[str]:
    return [str(item) for item in statement.work]


@pytest.mark.parametrize("sql", STATEMENTS)
def test_a_statement_has_the_locks_rewrites_and_scans_that_postgresql_shows(session: Session, sql: str) -> None:
    statement = recorded(session, sql)
    files, scans = dict(catalog.query(session, FILES)), dict(catalog.query(session, SCANS))
    names = {oid: stored.relation.name for oid, stored in catalog.read_relations(session).items()}
    with session.cursor() as cursor:
        cursor.execute(sql)
    held = catalog.read_locks(session, session.info.backend_pid)
    files_after, scans_after = dict(catalog.query(session, FILES)), dict(catalog.query(session, SCANS))
    session.rollback()
    assert locks(statement) == {names[oid]: mode for oid, mode in held.items() if oid in names}
    new_files = {name for name, file in files.items() if files_after.get(name, file) != file}
    moved = {item.table.name for item in statement.work if item.kind == "rewrites"}
    assert moved | {table.name for table in statement.emptied} == new_files
    scanned = {name for name, number in scans.items() if scans_after.get(name, number) > number}
    assert scanned == {item.table.name for item in statement.work} | (scanned & new_files)


def recorded(session: Session, sql: str) -> Statement:
    """Return the recording of a statement, which is rolled back."""
    recording = RevisionRecording("r1", Path(__file__), "")
    recorder = Recorder(recording, shared_database().connect_as_superuser)
    with recorder.recording_of(session), session.cursor() as cursor:
        cursor.execute(sql)
    session.rollback()
    return recording.statements[0]


@pytest.mark.parametrize("sql", CONCURRENT)
def test_a_statement_outside_a_transaction_has_the_lock_that_it_waits_with(project: ReviewProject, sql: str) -> None:
    project.add("r1", body=f"{IN_BLOCK}    op.execute({sql!r})")
    (*_, statement) = project.statements(*BEFORE)
    table = "parent" if "parent" in sql else "t"
    assert locks(statement)[table] is LockMode.SHARE_UPDATE_EXCLUSIVE
    assert statement.waits
    assert not statement.in_transaction


def test_a_concurrent_build_waits_for_writers_and_then_for_all_older_transactions(project: ReviewProject) -> None:
    project.add("r1", body=f'{IN_BLOCK}    op.create_index("new", "t", ["a"], postgresql_concurrently=True)')
    (*_, statement) = project.statements(*BEFORE)
    assert [wait.reason for wait in statement.waits] == [
        "the lock", "transactions that use its table", "all transactions that began before it",
    ]  # fmt: skip
    assert work(statement) == ["builds new on t"]
    assert statement.created == ("index public.new",)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("ALTER TABLE t ADD COLUMN d float DEFAULT random()", ["rewrites t"]),
        ("ALTER TABLE t ADD COLUMN d int DEFAULT 5", []),
        ("ALTER TABLE t ALTER COLUMN b TYPE bigint", ["rewrites t"]),
        ("ALTER TABLE t ADD CONSTRAINT uq UNIQUE (a)", ["builds uq on t"]),
        ("ALTER TABLE t ADD CONSTRAINT ck CHECK (a > 0)", ["reads t"]),
        ("ALTER TABLE t ADD CONSTRAINT ck CHECK (a > 0) NOT VALID", []),
        ("ALTER TABLE t ALTER COLUMN a SET NOT NULL", ["reads t"]),
        ("ALTER TABLE t ADD FOREIGN KEY (b) REFERENCES u", ["reads t"]),
        ("ALTER TABLE parent ADD FOREIGN KEY (id) REFERENCES u", ["reads part"]),
        ("CREATE INDEX new ON parent (id)", ["builds part_id_idx on part"]),
        ("ALTER TABLE parent ATTACH PARTITION other FOR VALUES IN (3)", ["reads other"]),
        ("UPDATE t SET a = 1", ["reads t"]),
        ("CREATE TABLE new AS SELECT * FROM t", ["reads t"]),
        ("TRUNCATE other", []),
        ("REINDEX INDEX i", ["builds i on t"]),
    ],
)
def test_the_work_on_existing_tables_is_recorded(session: Session, sql: str, expected: list[str]) -> None:
    assert work(recorded(session, sql)) == expected


def test_a_query_by_a_key_reads_no_table_in_full_although_the_table_is_empty(project: ReviewProject) -> None:
    project.add("r1", "CREATE TABLE t (id int PRIMARY KEY, a int)", "CREATE INDEX ix ON t (a)")
    project.add("r2", "UPDATE t SET a = 1 WHERE id = 3", "SELECT 1 FROM t WHERE a = 2")
    assert [work(statement) for statement in project.statements()] == [[], []]


def test_work_on_tables_of_the_same_revision_is_not_recorded(project: ReviewProject) -> None:
    project.add(
        "r1", "CREATE TABLE new (id int)", "CREATE INDEX ix ON new (id)", "ALTER TABLE new ALTER id TYPE bigint"
    )
    statements = project.statements()
    assert [(statement.locks, statement.work) for statement in statements] == [((), ())] * 3
    assert statements[1].created == ("index public.ix",)


@pytest.mark.parametrize(
    ("sql", "sent"),
    [
        (
            r"INSERT INTO other VALUES (1) -- '{\"a\"\:true}' 100%",
            "INSERT INTO other VALUES (1) -- '{\"a\":true}' 100%",
        ),
        (r"SELECT '(?\:x) \:y %% %(z)s'", "SELECT '(?:x) :y %% %(z)s'"),
    ],
)
def test_the_sql_is_recorded_as_it_is_sent(project: ReviewProject, sql: str, sent: str) -> None:
    project.add("r1", sql.replace('\\"', '"'))
    assert [statement.sql for statement in project.statements(*BEFORE)] == [sent]


def test_a_generated_column_is_recorded_with_stored(project: ReviewProject) -> None:
    project.add("r1", body='op.add_column("t", sa.Column("twice", sa.Integer(), sa.Computed("a * 2")))')
    (statement,) = project.statements(*BEFORE)
    assert statement.sql.endswith("STORED")
    assert work(statement) == ["rewrites t"]


def test_parameters_are_part_of_the_recorded_sql_also_from_the_driver(project: ReviewProject) -> None:
    project.add(
        "r1",
        body="""\
import io
bind = op.get_bind()
bind.execute(sa.text("INSERT INTO other VALUES (:id)"), {"id": 7})
bind.connection.cursor().execute("INSERT INTO other VALUES (%s)", (8,))
bind.connection.cursor().copy_from(io.StringIO("11"), "other")
op.bulk_insert(sa.table("other", sa.column("id", sa.Integer)), [{"id": 9}, {"id": 10}])
assert bind.scalar(sa.text("SELECT count(*) FROM other")) == 5""",
    )
    statements = project.statements(*BEFORE)
    assert [(statement.sql, statement.rows) for statement in statements[:2]] == [
        ("INSERT INTO other VALUES (7)", 1), ("INSERT INTO other VALUES (8)", 1),
    ]  # fmt: skip
    assert [(statement.tag, statement.rows) for statement in statements[2:]] == [
        ("COPY", 1),
        ("INSERT", 2),
        ("SELECT", 1),
    ]


def test_each_statement_of_a_call_is_recorded_and_the_last_result_remains(project: ReviewProject) -> None:
    sql = "SELECT 1; DROP TABLE other; SELECT 'a;b'"
    project.add("r1", body=f"assert op.get_bind().exec_driver_sql({sql!r}).all() == [('a;b',)]")
    assert [statement.sql for statement in project.statements(*BEFORE)] == [
        "SELECT 1",
        "DROP TABLE other",
        "SELECT 'a;b'",
    ]


def test_a_statement_has_the_line_of_the_revision_also_in_a_helper_function(project: ReviewProject) -> None:
    functions = """
    def upgrade():
        op.execute(  # the first
            "SELECT 1",
        )
        for table in ("other", "base"):
            drop(table)

    def drop(table):
        op.execute(f"DROP TABLE {table} CASCADE")
    """
    path = project.write("r1", functions)
    first, *dropped = project.statements(*BEFORE)
    assert (first.line, first.end_line) == (line_of(path, "# the first"), line_of(path, "# the first") + 2)
    assert [statement.line for statement in dropped] == [line_of(path, "DROP TABLE")] * 2


def test_statements_after_a_commit_of_the_revision_are_outside_its_transaction(project: ReviewProject) -> None:
    project.add("r1", "SELECT 1", "COMMIT", "VACUUM t", "BEGIN", "DROP TABLE other")
    statements = project.statements(*BEFORE)
    assert [(item.tag, item.in_transaction) for item in statements] == [
        ("SELECT", True), ("COMMIT", True), ("VACUUM", False), ("BEGIN", False), ("DROP TABLE", True),
    ]  # fmt: skip


def test_each_statement_in_an_autocommit_block_is_its_own_transaction(project: ReviewProject) -> None:
    project.add(
        "r1",
        body=f"""\
op.execute("LOCK TABLE u")
{IN_BLOCK}    op.execute("ALTER TABLE t ADD COLUMN d int")
    op.execute("DO $$ BEGIN UPDATE u SET a = 1; COMMIT; END $$")
    op.execute("SET lock_timeout = '5ms'")
    op.execute("REINDEX TABLE CONCURRENTLY t")
op.execute("SELECT 1 FROM other")""",
    )
    statements = [item for item in project.statements(*BEFORE) if item.tag != "SHOW"]
    assert [item.in_transaction for item in statements] == [True, False, False, False, False, True]
    assert len({item.transaction for item in statements}) == 6
    assert locks(statements[1])["t"] is LockMode.ACCESS_EXCLUSIVE
    assert "u" not in locks(statements[1])
    assert locks(statements[2]) == {"u": LockMode.ROW_EXCLUSIVE}


def test_a_statement_that_fails_in_a_savepoint_is_recorded_with_its_error(project: ReviewProject) -> None:
    project.add(
        "r1",
        body="""\
try:
    with op.get_bind().begin_nested():
        op.execute("SELECT 1 / 0")
except sa.exc.DBAPIError:
    op.execute("DROP TABLE other")""",
    )
    statements = project.statements(*BEFORE)
    assert [item.error for item in statements if item.error] == ["division by zero"]
    assert statements[-1].tag == "DROP TABLE"


def test_an_error_outside_a_transaction_is_that_of_postgresql(project: ReviewProject) -> None:
    project.add("r1", body=f"{IN_BLOCK}    op.execute('LOCK TABLE t')")
    (recording,) = project.record(*BEFORE)
    assert recording.failure
    assert recording.failure.sqlstate == "25P01"


def test_revisions_that_query_the_database_run_to_their_end(project: ReviewProject) -> None:
    project.add(
        "r1",
        body="""\
if "t" in sa.inspect(op.get_bind()).get_table_names():
    for (number,) in op.get_bind().execute(sa.text("SELECT generate_series(1, 3)")):
        op.execute(f"INSERT INTO other VALUES ({number})")""",
    )
    assert [item.tag for item in project.statements(*BEFORE) if item.locks] == ["INSERT"] * 3


@pytest.mark.parametrize(
    ("sql", "message", "sqlstate"),
    [
        (
            "ALTER TABLE t ALTER COLUMN kind TYPE int",
            'column "kind" cannot be cast automatically to type integer',
            "42804",
        ),
        ("INSERT INTO other VALUES (1, '{\"a\":true}')", "A value is required for bind parameter 'true'", None),
    ],
)
def test_a_revision_that_cannot_run_has_the_message_and_the_line(
    project: ReviewProject, sql: str, message: str, sqlstate: str | None
) -> None:
    path = project.add("r1", "SELECT 1", sql)
    project.add("r2", "SELECT 2")
    (recording,) = project.record(*BEFORE)
    assert recording.failure
    assert message in recording.failure.message
    assert recording.failure.sqlstate == sqlstate
    assert recording.failure.line == line_of(path, "SELECT 1") + 1


def test_the_session_of_a_revision_is_reset_before_the_next_one(project: ReviewProject) -> None:
    project.add("r1", "SET lock_timeout = '9s'", "SET ROLE migrator")
    project.add("r2", "CREATE TABLE settings AS SELECT current_setting('lock_timeout') AS value, current_user AS name")
    assert [recording.failure for recording in project.record()] == [None, None]
    with closing(shared_database().connect_as_superuser()) as session:
        assert catalog.query(session, "SELECT value, name::text FROM settings") == [("10s", "app_owner")]


@pytest.mark.parametrize(
    "body",
    [
        'op.execute("DROP TABLE other")\nop.get_bind().rollback()',
        'op.execute("DROP TABLE other")\nop.execute("ROLLBACK")',
        'op.execute("DROP TABLE other")\nop.get_bind().connection.rollback()\nop.execute("DROP TABLE base CASCADE")',
    ],
)
def test_a_revision_that_rolls_back_its_own_work_cannot_run(project: ReviewProject, body: str) -> None:
    project.add("r1", body=body)
    (recording,) = project.record(*BEFORE)
    assert recording.failure
    assert "rolled back its own transaction" in recording.failure.message


def test_a_revision_that_waits_for_its_own_lock_cannot_run(
    project: ReviewProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("review.database.LOCK_TIMEOUT", "100ms")
    select = 'connection.execute(sa.text("SELECT * FROM other"))'
    body = f'op.execute("DROP TABLE other")\nwith op.get_bind().engine.connect() as connection:\n    {select}'
    project.add("r1", body=body)
    (recording,) = project.record(*BEFORE)
    assert recording.failure
    assert (recording.failure.sqlstate, recording.failure.line) == ("55P03", line_of(project.path("r1"), select))


def test_the_files_that_a_revision_reads_are_recorded(project: ReviewProject) -> None:
    (project.versions / "r1.sql").write_text("SELECT 1")
    (project.folder / "rows.csv").write_text("1")
    project.write(
        "r1",
        """
        from pathlib import Path

        ROWS = Path(__file__).parents[2].joinpath("rows.csv").read_text()

        def upgrade():
            op.execute(Path(__file__).with_name("r1.sql").read_text())
        """,
    )
    project.add("r2", "SELECT 1")
    project.path("r1").rename(project.versions / "v1.0.0.a.py")
    project.read()  # from now on, Python opens the byte code
    first, second = project.record()
    assert first.files == tuple(sorted([project.folder / "rows.csv", project.versions / "r1.sql"]))
    assert second.files == ()
