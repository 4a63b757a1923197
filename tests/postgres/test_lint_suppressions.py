"""The comments in revisions that suppress findings."""

from pathlib import Path

import pytest

from tests.postgres.review_projects import ReviewProject

DROP = 'op.drop_table("t")'
DROP_U = 'op.drop_table("u")'
IGNORE = "# lint-sql: ignore[ban-drop-table]"
IGNORE_IN_SQL = f"SELECT '{IGNORE} it is gone'"


def lint(folder: Path, body: str, *, header: str = "") -> list[tuple[str, str]]:
    project = ReviewProject(folder)
    upgrade = "def upgrade():\n" + "\n".join(f"    {line}" for line in body.splitlines())
    project.write("one", f"{header}\n{upgrade}")
    findings = project.findings("CREATE TABLE t (id int)", "CREATE TABLE u (id int)")
    return [(finding.rule, finding.message) for finding in findings]


@pytest.mark.parametrize(
    "body",
    [
        f"{IGNORE} no code uses it since 1.2\n{DROP}",
        f"{DROP}  {IGNORE} no code uses it since 1.2",
        f"{IGNORE} no code\n# uses it since 1.2\n{DROP}",
        f"op.drop_table(\n    # what has to go\n    {IGNORE} no code uses it\n    't',\n)",
        f"#lint-sql:ignore[ ban-drop-table ,ban-drop-table]  no code uses it\n{DROP}",
    ],
)
def test_a_comment_with_a_reason_at_or_above_the_statement_suppresses_the_finding(tmp_path: Path, body: str) -> None:
    assert lint(tmp_path, body) == []


@pytest.mark.parametrize(
    "body",
    [
        f"{IGNORE} no code uses it\n\n{DROP}",
        f"{IGNORE} no code uses it\nop.execute('SELECT 1')\n{DROP}",
        f"op.execute('SELECT 1')  {IGNORE} no code uses it\n{DROP}",
        f"{DROP}\n{IGNORE} no code uses it",
    ],
)
def test_a_comment_elsewhere_does_not_suppress_the_finding(tmp_path: Path, body: str) -> None:
    rules = sorted(rule for rule, _ in lint(tmp_path, body))
    assert rules == ["ban-drop-table", "suppression"]


def test_a_comment_in_a_string_does_not_suppress_a_finding(tmp_path: Path) -> None:
    assert [rule for rule, _ in lint(tmp_path, f'op.execute("{IGNORE_IN_SQL}");{DROP}')] == ["ban-drop-table"]


def test_a_comment_above_the_first_function_suppresses_the_findings_of_the_whole_file(tmp_path: Path) -> None:
    assert lint(tmp_path, f"{DROP}\n{DROP_U}", header=f"{IGNORE} no code uses them") == []


def test_a_comment_at_an_import_suppresses_the_finding_of_that_import_only(tmp_path: Path) -> None:
    comment = "  # lint-sql: ignore[revision-imports] its values never change"
    assert lint(tmp_path / "one", "pass", header=f"import rich{comment}") == []
    findings = lint(tmp_path / "two", "pass", header=f"import rich{comment}\nimport click")
    assert findings == [("revision-imports", "imports click")]


def test_a_missing_reason_is_a_finding(tmp_path: Path) -> None:
    assert lint(tmp_path, f"{IGNORE}\n{DROP}") == [("suppression", "the reason is missing")]


@pytest.mark.parametrize("rule", ["drop-table", "ban-drop-tables"])
def test_a_misspelled_rule_is_a_finding(tmp_path: Path, rule: str) -> None:
    body = f"# lint-sql: ignore[ban-drop-table, {rule}] no code uses it\n{DROP}"
    ((finding, message),) = lint(tmp_path, body)
    assert finding == "suppression"
    assert rule in message


def test_a_suppression_without_a_finding_is_a_finding(tmp_path: Path) -> None:
    body = f"# lint-sql: ignore[ban-drop-table, ban-drop-column] no code uses it\n{DROP}"
    ((rule, message),) = lint(tmp_path, body)
    assert rule == "suppression"
    assert "ban-drop-column" in message


@pytest.mark.parametrize("comment", ["# lint-sql: ignore ban-drop-table why", "# lint-sql: ignore[] why", "# lint-sql"])
def test_a_malformed_comment_is_a_finding(tmp_path: Path, comment: str) -> None:
    assert lint(tmp_path, f"{comment}\npass") == [
        ("suppression", "the comment must have the form # lint-sql: ignore[rule, another-rule] reason")
    ]


def test_a_suppression_of_a_rule_that_is_off_is_not_a_finding(tmp_path: Path) -> None:
    for name in ("prefer-timestamptz", "prefer-timestamp-tz"):
        body = f'# lint-sql: ignore[{name}] local time is meant\nop.execute("CREATE TABLE v (a timestamp)")'
        assert lint(tmp_path / name, body) == []


def test_findings_of_the_recording_can_be_suppressed(tmp_path: Path) -> None:
    body = "# lint-sql: ignore[builds-index] the table is small\nop.create_index('ix', 't', ['id'])"
    assert lint(tmp_path, body) == []


def test_a_suppression_after_a_failure_is_not_a_finding(tmp_path: Path) -> None:
    body = f"op.execute('SELECT 1 / 0')\n{IGNORE} no code uses it\n{DROP}"
    assert [rule for rule, _ in lint(tmp_path, body)] == ["cannot-run"]


def test_a_revision_that_cannot_run_cannot_be_suppressed(tmp_path: Path) -> None:
    body = "# lint-sql: ignore[cannot-run] it is old\nop.execute('SELECT 1 / 0')"
    assert [rule for rule, _ in lint(tmp_path, body)] == ["cannot-run", "suppression"]


def test_the_finding_of_an_edited_frozen_revision_cannot_be_suppressed(tmp_path: Path) -> None:
    findings = lint(tmp_path, "pass", header="# lint-sql: ignore[edited-history] it was wrong")
    assert findings == [("suppression", "edited-history cannot be suppressed")]
