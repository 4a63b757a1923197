"""Squawk's rules for revisions: the lines, the advice, and the server version of the findings."""

import re
import tomllib
from pathlib import Path

import pytest

from review import squawk
from review.errors import ReviewError
from review.linting.advice import ADVICE, ALIASES, GUIDE, SQUAWK_RULES
from tests.tools.lint_project import LintProject, line_of

ROOT = Path(__file__).parents[2]


def test_a_statement_that_blocks_writers_is_a_finding_at_its_line_with_advice(tmp_path: Path) -> None:
    project = LintProject(tmp_path)
    path = project.write("one", 'def upgrade():\n    op.create_index("ix", "orders", ["placed"])')
    (finding,) = project.findings()
    assert (finding.path, finding.line, finding.rule) == (
        path, line_of(path, "create_index"), "require-concurrent-index-creation",
    )  # fmt: skip
    assert finding.revision == "one"
    assert "CREATE INDEX ix ON orders (placed)" in finding.message
    assert "autocommit_block" in str(finding.advice)


def test_a_finding_in_a_call_over_several_lines_has_the_first_and_the_last_line(tmp_path: Path) -> None:
    project = LintProject(tmp_path)
    path = project.write(
        "one",
        """
        def upgrade():
            op.execute("SELECT 1")
            op.create_table(
                "orders",
                sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
                sa.Column("words", sa.String(20)),
            )
            op.execute('''
                SELECT 1;
                ALTER TABLE parcels
                    DROP COLUMN words;
            ''')
        """,
    )
    spans = {finding.rule: (finding.line, finding.end_line) for finding in project.findings()}
    table = line_of(path, "create_table")
    dropping = line_of(path, "op.execute('''")
    assert spans == {"prefer-text-field": (table, table + 4), "ban-drop-column": (dropping, dropping + 4)}


def test_a_finding_in_a_helper_function_has_the_line_in_the_helper(tmp_path: Path) -> None:
    project = LintProject(tmp_path)
    path = project.write(
        "one",
        """
        def upgrade():
            for table in ("orders", "parcels"):
                drop(table)

        def drop(table):
            op.drop_table(table)
        """,
    )
    assert [finding.line for finding in project.findings()] == [line_of(path, "op.drop_table")] * 2


def test_an_index_on_a_table_of_the_same_revision_is_not_a_finding(tmp_path: Path) -> None:
    project = LintProject(tmp_path)
    project.add("one", "CREATE TABLE t (a text)", "CREATE INDEX ix ON t (a)", "ALTER TABLE t ADD CHECK (a > '')")
    assert project.rules() == []


def test_an_index_on_a_table_of_an_earlier_revision_is_a_finding(tmp_path: Path) -> None:
    project = LintProject(tmp_path)
    project.add("one", "CREATE TABLE t (a text)")
    project.add("two", "CREATE INDEX ix ON t (a)")
    assert project.rules() == ["require-concurrent-index-creation"]


def test_a_suppression_comment_of_squawk_has_no_effect(tmp_path: Path) -> None:
    project = LintProject(tmp_path)
    project.write("one", 'def upgrade():\n    op.execute("-- squawk-ignore ban-drop-table\\nDROP TABLE orders")')
    assert "ban-drop-table" in project.rules()


def test_missing_timeouts_are_not_a_finding_because_the_migrator_sets_them(tmp_path: Path) -> None:
    project = LintProject(tmp_path)
    project.add("one", "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID")
    assert project.rules() == []


def test_squawk_toml_is_read_from_the_project_and_not_from_a_parent_folder(tmp_path: Path) -> None:
    (tmp_path / ".squawk.toml").write_text('excluded_rules = ["ban-drop-table"]')
    project = LintProject(tmp_path / "project")
    project.add("one", "DROP TABLE t")
    assert project.rules() == ["ban-drop-table"]
    (tmp_path / ".squawk.toml").rename(tmp_path / "project" / ".squawk.toml")
    assert project.rules() == []


def test_the_transactions_of_alembic_count_and_not_the_assumption_in_squawk_toml(tmp_path: Path) -> None:
    project = LintProject(tmp_path)
    project.add("one", body='with op.get_context().autocommit_block():\n    op.execute("DROP INDEX CONCURRENTLY i")')
    (tmp_path / ".squawk.toml").write_text("assume_in_transaction = true")
    assert project.rules() == ["prefer-robust-stmts"]


def test_an_invalid_squawk_toml_is_an_error(tmp_path: Path) -> None:
    project = LintProject(tmp_path)
    project.add("one", "SELECT 1")
    (tmp_path / ".squawk.toml").write_text('excluded_rules = ["no-such-rule"]')
    with pytest.raises(ReviewError, match="no-such-rule"):
        project.lint()


def test_a_syntax_error_does_not_hide_findings_in_other_statements(tmp_path: Path) -> None:
    project = LintProject(tmp_path)
    project.add("one", "SELECT FROM WHERE (", "DROP TABLE t", "DROP INDEX CONCURRENTLY IF EXISTS ix")
    assert project.rules() == ["ban-drop-table", "outside-transaction", "syntax-error"]
    assert [finding.rule for finding in project.findings()].count("syntax-error") == 1


def test_a_comment_at_the_end_of_a_statement_does_not_hide_the_next_statement(tmp_path: Path) -> None:
    project = LintProject(tmp_path)
    project.add("one", "SELECT 1 -- that's it", "DROP TABLE t -- 'gone")
    assert project.rules() == ["ban-drop-table"]


def test_the_sql_of_a_downgrade_is_not_checked(tmp_path: Path) -> None:
    project = LintProject(tmp_path)
    project.write(
        "one", 'def upgrade():\n    op.execute("SELECT 1")', downgrade='def downgrade():\n    op.drop_table("t")'
    )
    assert project.rules() == []


def test_squawk_checks_for_the_version_of_the_deployed_server() -> None:
    judged = tomllib.loads((ROOT / ".squawk.toml").read_text())["pg_version"]
    (deployed,) = re.findall(r"PostgresEngineVersion\.VER_(\d+)", (ROOT / "infra" / "database.py").read_text())
    assert judged.partition(".")[0] == deployed


def test_squawk_has_every_rule_that_a_comment_may_suppress() -> None:
    config = "".join(f'"{rule}",' for rule in SQUAWK_RULES | set(ALIASES) if rule != "syntax-error")
    assert squawk.run(["SELECT 1;"], "--exclude", config.replace('"', "").rstrip(",")) == [[]]


def test_every_link_of_the_advice_leads_to_a_heading_of_the_guide() -> None:
    headings = re.findall(r"^#+ (.+)$", (ROOT / GUIDE).read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = {link for text in ADVICE.values() for link in re.findall(rf"{re.escape(GUIDE)}#([\w-]+)", text)}
    assert links
    assert links - anchors == set()
