"""The findings in revisions: the rules for the recording, for a second run, for Python, and those of squawk."""

import tomllib
from pathlib import Path

import pytest

from review.errors import ReviewError
from review.rules import squawk
from review.rules.catalogue import rules
from review.rules.squawk_rules import OBSERVED, TASTE
from tests.postgres.review_projects import ReviewProject, line_of

ROOT = Path(__file__).parents[2]
TABLES = (
    "CREATE TABLE t (id int PRIMARY KEY, a int, b text); ALTER TABLE t ADD CONSTRAINT ck CHECK (a > 0) NOT VALID",
    "CREATE TABLE u (id int PRIMARY KEY)",
)
IN_BLOCK = "with op.get_context().autocommit_block():\n"


@pytest.fixture
def project(tmp_path: Path) -> ReviewProject:
    return ReviewProject(tmp_path)


def outside(*statements: str) -> str:
    return IN_BLOCK + "\n".join(f"    op.execute({statement!r})" for statement in statements)


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (["ALTER TABLE t ALTER a TYPE bigint"], ["rewrites-table"]),
        (["ALTER TABLE t ALTER b TYPE varchar"], []),
        (["CREATE INDEX ix ON t (a)"], ["builds-index"]),
        (["ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u"], ["reads-table"]),
        (["ALTER TABLE t VALIDATE CONSTRAINT ck"], []),
        (["ALTER TABLE t ADD c int", "ALTER TABLE t VALIDATE CONSTRAINT ck"], ["reads-table"]),
        (["LOCK TABLE u", "SELECT count(*) FROM t"], ["reads-table"]),
        (["SELECT count(*) FROM t", "UPDATE t SET a = 1"], []),
        (["ALTER TABLE t ADD c int", "UPDATE t SET c = 1 WHERE id = 1"], []),
        (
            ["CREATE INDEX ix ON t (a)", "ALTER TABLE t ADD CHECK (a > 1)"],
            ["builds-index", "reads-table", "slow-steps"],
        ),
        (["CREATE TABLE n (id int)", "CREATE INDEX ix ON n (id)", "UPDATE n SET id = 1", "DROP TABLE n"], []),
        (["INSERT INTO t VALUES (1)", "CREATE TYPE y AS ENUM ('a')", "COMMENT ON TABLE t IS 'x'"], []),
    ],
)
def test_findings_follow_from_what_the_statements_did(
    project: ReviewProject, statements: list[str], expected: list[str]
) -> None:
    project.add("r1", *statements)
    assert project.rules(*TABLES) == expected


def test_a_finding_has_the_lines_the_revision_and_advice_that_fits(project: ReviewProject) -> None:
    functions = """
    def upgrade():
        op.add_column("t", sa.Column("n", sa.BigInteger(), sa.Identity()))
        op.create_index(
            "ix", "t", ["a"],
        )
    """
    path = project.write("r1", functions)
    identity, index, _ = project.findings(*TABLES)
    assert (identity.rule, identity.path, identity.line, identity.revision) == (
        "rewrites-table", path, line_of(path, "Identity"), "r1",
    )  # fmt: skip
    assert "sequence" in str(identity.advice)
    assert (index.line, index.end_line) == (line_of(path, "create_index"), line_of(path, "create_index") + 2)
    assert "postgresql_concurrently=True" in str(index.advice)


def test_a_revision_that_cannot_run_is_the_first_finding_and_the_later_ones_are_not_judged(
    project: ReviewProject,
) -> None:
    project.add("r1", "DROP TABLE t")
    project.add("r2", "ALTER TABLE nowhere ADD a int")
    project.add("r3", "DROP TABLE u")
    judgement = project.judge(*TABLES)
    assert [finding.rule for finding in judgement.findings] == ["cannot-run", "ban-drop-table"]
    assert 'relation "nowhere" does not exist' in judgement.findings[0].message
    assert judgement.not_run == ("r3",)


def test_a_missing_role_is_a_finding_with_the_setting_that_creates_it(project: ReviewProject) -> None:
    project.add("r1", "GRANT SELECT ON t TO shop")
    (finding,) = project.findings(*TABLES)
    assert 'role "shop" does not exist (SQLSTATE 42704); name the roles of the stack in `roles`' in finding.message


@pytest.mark.parametrize(
    ("fails", "holds"),
    [
        (["CREATE TYPE ty AS ENUM ('a')", "VACUUM t"], ["CREATE SEQUENCE IF NOT EXISTS s", "VACUUM t"]),
        (["CREATE VIEW v AS SELECT 1", "VACUUM t"], ["CREATE OR REPLACE VIEW v AS SELECT 1", "VACUUM t"]),
        (["ALTER TABLE t ADD c int", "VACUUM t"], ["ALTER TABLE t ADD IF NOT EXISTS c int", "VACUUM t"]),
        (
            ["CREATE INDEX CONCURRENTLY ix ON t (a)"],
            ["DROP INDEX CONCURRENTLY IF EXISTS ix", "CREATE INDEX CONCURRENTLY ix ON t (a)"],
        ),
    ],
)
def test_a_statement_that_fails_in_a_second_run_is_a_finding(
    project: ReviewProject, tmp_path: Path, fails: list[str], holds: list[str]
) -> None:
    project.add("r1", body=outside(*fails))
    assert project.rules(*TABLES) == ["rerun-fails"]
    other = ReviewProject(tmp_path / "holds")
    other.add("r1", body=outside(*holds))
    assert other.rules(*TABLES) == []


def test_a_statement_before_an_autocommit_block_runs_again_and_one_after_it_does_not(
    project: ReviewProject, tmp_path: Path
) -> None:
    project.add("r1", body=f"op.execute('ALTER TABLE t ADD c int')\n{outside('VACUUM t')}")
    assert project.rules(*TABLES) == ["rerun-fails"]
    other = ReviewProject(tmp_path / "after")
    other.add("r1", body=f"{outside('VACUUM t')}\nop.execute('ALTER TABLE t ADD c int')")
    assert other.rules(*TABLES) == []


def test_an_invalid_index_that_a_second_run_keeps_is_a_finding(project: ReviewProject) -> None:
    project.add("r1", body=outside("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix ON t (a)"))
    assert project.rules(*TABLES) == ["rerun-invalid-index"]


@pytest.mark.parametrize(
    ("insert", "expected"),
    [
        ("INSERT INTO n VALUES ('ON CONFLICT')", ["rerun-inserts"]),
        ("WITH v AS (SELECT 'a' AS a) INSERT INTO n SELECT a FROM v", ["rerun-inserts"]),
        ("INSERT INTO n SELECT 'a' WHERE NOT EXISTS (SELECT FROM n)", []),
        ("WITH gone AS (DELETE FROM n RETURNING a) INSERT INTO n SELECT a FROM gone", []),
    ],
)
def test_an_insert_that_repeats_rows_in_a_second_run_is_a_finding(
    project: ReviewProject, insert: str, expected: list[str]
) -> None:
    project.add("r1", body=outside(insert))
    assert project.rules("CREATE TABLE n (a text)") == expected


def test_rows_inserted_again_into_a_table_of_the_same_revision_are_a_finding(project: ReviewProject) -> None:
    project.add("r1", body=outside("CREATE TABLE IF NOT EXISTS n (a int)", "INSERT INTO n VALUES (1)"))
    assert project.rules() == ["rerun-inserts"]


def test_control_of_the_transaction_is_a_finding_and_savepoints_are_not(project: ReviewProject) -> None:
    project.add("r1", "SAVEPOINT s", "ROLLBACK TO SAVEPOINT s", "RELEASE SAVEPOINT s")
    assert project.rules() == []
    project.add("r2", "COMMIT", "VACUUM")
    assert project.rules() == ["transaction-control"]


def test_two_heads_are_a_finding_with_their_ids(project: ReviewProject) -> None:
    project.add("one", "SELECT 1")
    project.add("two", "SELECT 1")
    project.add("three", "SELECT 1", down="one")
    (finding,) = project.findings()
    assert finding.rule == "several-heads"
    assert "two" in finding.message
    assert "three" in finding.message
    project.add("four", down=("two", "three"))
    assert project.rules() == []


@pytest.mark.parametrize("line", ["from tests.waiting import wait_until", "import rich", "from rich import print"])
def test_an_import_of_a_module_that_may_change_is_a_finding_anywhere_in_the_file(
    project: ReviewProject, line: str
) -> None:
    path = project.write("one", f"def upgrade():\n    if False:\n        {line}\n    op.execute('SELECT 1')")
    (finding,) = project.findings()
    assert (finding.rule, finding.line) == ("revision-imports", line_of(path, line))


@pytest.mark.parametrize(
    "line",
    [
        "from sqlalchemy.dialects import postgresql",
        "import alembic.op",
        "from typing import Union",
        "import json, uuid",
    ],
)
def test_imports_of_alembic_sqlalchemy_and_the_standard_library_are_not_a_finding(
    project: ReviewProject, line: str
) -> None:
    project.write("one", f"{line}\n\ndef upgrade():\n    op.execute('SELECT 1')")
    assert project.rules() == []


EMPTY_WITH_DOCSTRING = 'def downgrade():\n    """Downgrade schema."""\n    # ### commands auto generated ###\n    pass'


@pytest.mark.parametrize(
    ("downgrade", "expected"),
    [
        ("", ["missing-downgrade"]),
        ("def downgrade():\n    pass", ["missing-downgrade"]),
        (EMPTY_WITH_DOCSTRING, ["missing-downgrade"]),
        ("def downgrade():\n    pass  # the column goes with the revision before", []),
        ('def downgrade():\n    raise NotImplementedError("the rows are gone")', []),
    ],
)
def test_an_empty_downgrade_without_a_reason_is_a_finding(
    project: ReviewProject, downgrade: str, expected: list[str]
) -> None:
    project.write("one", "def upgrade():\n    op.execute('SELECT 1')", downgrade=downgrade)
    assert project.rules() == expected


def test_a_revision_in_another_encoding_is_read(project: ReviewProject) -> None:
    path = project.write("one", "def upgrade():\n    op.execute(\"SELECT 'naïve'\")\n    op.drop_table('t')")
    path.write_bytes(b"# coding: latin-1\n" + path.read_text(encoding="utf-8").encode("latin-1"))
    (finding,) = project.findings(*TABLES)
    assert (finding.rule, finding.line) == ("ban-drop-table", 13)


def test_rules_of_taste_apply_only_if_squawk_toml_includes_them(project: ReviewProject, tmp_path: Path) -> None:
    project.add("one", "CREATE TABLE n (id serial PRIMARY KEY, a varchar(9), b timestamp, c char(2))")
    assert project.rules() == []
    (tmp_path / ".squawk.toml").write_text('included_rules = ["prefer-text-field"]')
    assert project.rules() == ["prefer-text-field"]


def test_squawk_toml_is_read_from_the_project_and_not_from_a_parent_folder(tmp_path: Path) -> None:
    (tmp_path / ".squawk.toml").write_text('excluded_rules = ["ban-drop-table"]')
    project = ReviewProject(tmp_path / "project")
    project.add("one", "DROP TABLE t")
    assert project.rules(*TABLES) == ["ban-drop-table"]
    (tmp_path / ".squawk.toml").rename(tmp_path / "project" / ".squawk.toml")
    assert project.rules(*TABLES) == []


def test_an_invalid_squawk_toml_is_an_error(project: ReviewProject, tmp_path: Path) -> None:
    project.add("one", "SELECT 1")
    (tmp_path / ".squawk.toml").write_text('excluded_rules = ["no-such-rule"]')
    with pytest.raises(ReviewError, match="no-such-rule"):
        project.judge()


def test_a_suppression_comment_of_squawk_has_no_effect(project: ReviewProject) -> None:
    project.add("one", body='op.execute("-- squawk-ignore ban-drop-table\\nDROP TABLE t")')
    assert "ban-drop-table" in project.rules(*TABLES)


def test_squawk_checks_for_the_version_of_the_deployed_server() -> None:
    judged = tomllib.loads((ROOT / ".squawk.toml").read_text())["pg_version"]
    assert f"PostgresEngineVersion.VER_{judged.partition('.')[0]}" in (ROOT / "infra" / "database.py").read_text()


def test_squawk_has_every_rule_that_this_project_names() -> None:
    of_squawk = OBSERVED | TASTE | {name for name in rules() if name.startswith(("ban-", "adding-", "renaming-"))}
    names = ",".join(sorted(of_squawk - {"syntax-error", "prefer-timestamptz"}))
    assert squawk.run(["SELECT 1;"], "--exclude", names) == [[]]


def test_the_advice_has_links_to_headings_of_the_guide_and_of_the_page_only() -> None:
    headings = {
        line.removeprefix("## ") for line in (ROOT / "docs/rules.md").read_text().splitlines() if line[:3] == "## "
    }
    assert {rule.name for rule in rules().values()} == headings
