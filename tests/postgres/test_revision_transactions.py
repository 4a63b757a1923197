"""Transactions and errors in revisions: a revision is recorded if and only if its changes are committed."""

import pytest

from migrator.errors import UpgradeError
from tests.postgres.projects import Project
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import Upgrade, columns, recorded, refusal

both_modes = pytest.mark.parametrize("per_migration", [False, True], ids=["one transaction", "one per migration"])

ADD = "op.execute('ALTER TABLE t ADD z int')\n"
FAIL = "op.execute('SELECT 1/0')"
CAUGHT = f"try:\n    {FAIL}\nexcept sa.exc.DBAPIError:\n    "
SESSION = "from sqlalchemy.orm import Session\n"
ROLLED_BACK = {
    "the connection's rollback": ADD + "op.get_bind().rollback()",
    "the connection's rollback after an error": ADD + CAUGHT + "op.get_bind().rollback()",
    "a session's rollback": SESSION
    + ADD
    + "session = Session(op.get_bind())\nsession.execute(sa.text('SELECT 1'))\nsession.rollback()",
    "a session's block that fails": SESSION
    + ADD
    + "try:\n    with Session(op.get_bind()) as s, s.begin():\n        s.execute(sa.text('SELECT 1/0'))\n"
    + "except sa.exc.DBAPIError:\n    pass",
    "ROLLBACK": ADD + "op.execute('ROLLBACK')",
    "ABORT in lower case": ADD + "op.execute('abort work')",
    "ROLLBACK; BEGIN": ADD + "op.execute('ROLLBACK; BEGIN')",
    "ROLLBACK AND CHAIN": ADD + "op.execute('ROLLBACK AND CHAIN')",
    "the driver's rollback": ADD + "op.get_bind().connection.dbapi_connection.rollback()",
    "the driver's rollback of the driver's work": "raw = op.get_bind().connection\n"
    "raw.cursor().execute('ALTER TABLE t ADD z int')\nraw.rollback()",
    "a rollback and other DDL": ADD + "op.get_bind().rollback()\nop.execute('ALTER TABLE t ADD y int')",
    "ROLLBACK and other DDL": ADD + "op.execute('ROLLBACK')\nop.execute('ALTER TABLE t ADD y int')",
    "a rollback of a second transaction": "op.get_bind().commit()\n" + ADD + "op.get_bind().rollback()",
    "a ROLLBACK of a second transaction": "op.execute('COMMIT; BEGIN')\n" + ADD + "op.execute('ROLLBACK')",
    "the driver's second transaction": "raw = op.get_bind().connection\nraw.commit()\n"
    "raw.cursor().execute('ALTER TABLE t ADD z int')\nraw.rollback()",
    "BEGIN and ROLLBACK in an autocommit_block": "with op.get_context().autocommit_block():\n"
    "    op.execute('BEGIN')\n    " + ADD + "    op.execute('ROLLBACK')",
    "work of a function": "op.execute(\"DO $$ BEGIN EXECUTE 'ALTER TABLE t ADD z int'; END $$\")\n"
    "op.get_bind().rollback()",
}


@both_modes
def test_a_revision_that_rolls_back_its_own_work_fails_and_is_not_recorded(
    run: Upgrade, project: Project, bootstrapped: Cluster, per_migration: bool, subtests: pytest.Subtests
) -> None:
    project.configure(f"transaction_per_migration={per_migration}")
    run(project)
    for way, body in ROLLED_BACK.items():
        with subtests.test(way):
            project.revisions[1:] = []
            project.add("r2", body=body)
            error = refusal(run, project)
            assert error.startswith("revision r2 failed: it rolled back its own transaction")
            assert "begin_nested()" in error
            assert bootstrapped.admin("SELECT version_num FROM alembic_version") == [("r1",)]
            assert recorded(bootstrapped) == ["r1"]
            assert columns(bootstrapped) == ["id"]


# Each body adds the column {0}.
APPLIED = {
    "begin_nested": "try:\n    with op.get_bind().begin_nested():\n        op.execute('SELECT 1/0')\n"
    "except sa.exc.DBAPIError:\n    op.execute('ALTER TABLE t ADD {0} int')",
    "begin_nested of a session": SESSION + "session = Session(op.get_bind())\ntry:\n    with session.begin_nested():\n"
    "        session.execute(sa.text('SELECT 1/0'))\nexcept sa.exc.DBAPIError:\n"
    "    op.execute('ALTER TABLE t ADD {0} int')",
    "SAVEPOINT": "op.execute('SAVEPOINT one')\n"
    + CAUGHT
    + "op.execute('ROLLBACK TO one')\nop.execute('ALTER TABLE t ADD {0} int')",
    "work undone by a savepoint": "op.execute('ALTER TABLE t ADD {0} int')\nnested = op.get_bind().begin_nested()\n"
    "op.execute('ALTER TABLE t DROP {0}')\nnested.rollback()",
    "duplicate keys skipped": "op.execute('CREATE TABLE u{0} (id int PRIMARY KEY)')\nfor number in (1, 1, 2):\n"
    "    try:\n        with op.get_bind().begin_nested():\n"
    "            op.execute(f'INSERT INTO u{0} VALUES ({{number}})')\n"
    "    except sa.exc.IntegrityError:\n        pass\nop.execute('ALTER TABLE t ADD {0} int')",
    "a statement_timeout in a savepoint": "try:\n    with op.get_bind().begin_nested():\n"
    "        op.execute(\"SET LOCAL statement_timeout = '20ms'\")\n        op.execute('SELECT pg_sleep(30)')\n"
    "except sa.exc.OperationalError:\n    op.execute('ALTER TABLE t ADD {0} int')",
    "ROLLBACK after an error in an autocommit_block": "with op.get_context().autocommit_block():\n    try:\n"
    "        op.execute('SELECT 1/0')\n    except sa.exc.DBAPIError:\n        op.execute('ROLLBACK')\n"
    "    op.execute('ALTER TABLE t ADD {0} int')",
    "a transaction tried again in an autocommit_block": "with op.get_context().autocommit_block():\n"
    "    op.execute('BEGIN')\n    op.execute('INSERT INTO t VALUES (1)')\n    try:\n        op.execute('SELECT 1/0')\n"
    "    except sa.exc.DBAPIError:\n        op.execute('ROLLBACK')\n    op.execute('ALTER TABLE t ADD {0} int')",
    "COMMIT AND CHAIN": "op.execute('ALTER TABLE t ADD {0} int')\nop.execute('COMMIT AND CHAIN')",
    "isolation of a second transaction": "op.get_bind().commit()\n"
    "op.execute('SET TRANSACTION ISOLATION LEVEL SERIALIZABLE')\nop.execute('ALTER TABLE t ADD {0} int')",
    "the driver's autocommit": "raw = op.get_bind().connection.dbapi_connection\nraw.set_isolation_level(0)\n"
    "op.execute('ALTER TABLE t ADD {0} int')",
    "a session that is not used": SESSION
    + "op.execute('ALTER TABLE t ADD {0} int')\nSession(op.get_bind()).rollback()",
    "a rollback before any work": CAUGHT + "op.get_bind().rollback()\nop.execute('ALTER TABLE t ADD {0} int')",
}


@both_modes
def test_a_revision_that_alembic_applies_is_applied_and_recorded(
    run: Upgrade, project: Project, bootstrapped: Cluster, per_migration: bool
) -> None:
    project.configure(f"transaction_per_migration={per_migration}")
    names = [f"c{number:02}" for number in range(len(APPLIED))]
    for name, body in zip(names, APPLIED.values(), strict=True):
        project.add(name, body=body.format(name))
    run(project)
    assert columns(bootstrapped) == [*names, "id"]
    assert recorded(bootstrapped) == ["r1", *names]


def test_an_env_may_use_savepoints_before_the_revisions(run: Upgrade, project: Project, bootstrapped: Cluster) -> None:
    project.configure(
        before="""
from sqlalchemy import text
with connection.begin():
    try:
        with connection.begin_nested():
            connection.execute(text("CREATE ROLE no_right_to"))
    except Exception:
        connection.execute(text("CREATE SCHEMA IF NOT EXISTS instead"))
"""
    )
    assert run(project).applied == ("r1",)
    assert bootstrapped.admin("SELECT to_regnamespace('instead') IS NOT NULL") == [(True,)]


def test_a_revision_that_continues_after_an_error_fails_with_that_error(run: Upgrade, project: Project) -> None:
    project.add("r2", body=ADD + CAUGHT + "pass")
    assert refusal(run, project) == (
        "revision r2 failed: it continued after a statement had failed: 22012: division by zero; use a savepoint for a"
        " statement that may fail, with op.get_bind().begin_nested()"
    )


def test_a_revision_whose_commit_fails_is_rolled_back_and_not_recorded(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    project.add("r2", "ALTER TABLE t ADD z int UNIQUE DEFERRABLE INITIALLY DEFERRED")
    project.add("r3", "INSERT INTO t VALUES (1, 1), (2, 1)")
    assert refusal(run, project).startswith("revision r3 failed: 23505: duplicate key")
    assert recorded(bootstrapped) == ["r1", "r2"]
    assert bootstrapped.admin("SELECT count(*) FROM t") == [(0,)]


def test_the_error_of_a_revision_is_reported_if_env_suppresses_it(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    env = project.folder / "scripts/env.py"
    lines = env.read_text().replace("with context.begin_transaction():", "with context.begin_transaction():\n  try:")
    env.write_text(
        lines.replace("    context.run_migrations()", "    context.run_migrations()\n  except Exception: pass")
    )
    project.add("r2", "ALTER TABLE nowhere ADD z int")
    with pytest.raises(UpgradeError, match='revision r2 failed: 42P01: relation "nowhere" does not exist'):
        run(project)
    assert recorded(bootstrapped) == ["r1"]
