"""The offline rendering of revisions, with any env.py."""

from pathlib import Path

import pytest

from review.rendering import render
from tests.alembic_projects import OFFLINE_ENV
from tests.tools.lint_project import LintProject

OTHER_DIALECT = OFFLINE_ENV.replace("postgresql", "sqlite")


@pytest.fixture
def project(tmp_path: Path) -> LintProject:
    project = LintProject(tmp_path)
    project.add("one", "CREATE TABLE t (id int)")
    project.add("two", body="with op.get_context().autocommit_block():\n    op.execute('VACUUM t')")
    return project


def rendered(project: LintProject) -> list[tuple[str, str, bool]]:
    return [
        (revision.revision, call.sql, call.in_transaction)
        for revision in render(project.read())
        for call in revision.calls
    ]


EXPECTED = [("one", "CREATE TABLE t (id int);", True), ("two", "VACUUM t;", False)]


def test_an_env_py_that_works_offline_is_run(project: LintProject, capsys: pytest.CaptureFixture[str]) -> None:
    project.env("import sys\nprint('env.py was here', file=sys.stderr)\n" + OFFLINE_ENV)
    assert rendered(project) == EXPECTED
    assert capsys.readouterr().err == "env.py was here\n"


@pytest.mark.parametrize(
    ("env", "why"),
    [
        ("from alembic import context\ncontext.config.attributes['connection'].cursor()", "KeyError: 'connection'"),
        (OTHER_DIALECT, "the dialect must be postgresql (got sqlite)"),
        (
            "from alembic import context\nassert not context.is_offline_mode(), 'online\\nonly'",
            "AssertionError: online only",
        ),
        ("", "it runs no revisions"),
    ],
    ids=["that needs a connection", "for another database", "that refuses", "that does nothing"],
)
def test_an_env_py_that_does_not_work_offline_is_not_used_and_a_message_says_so(
    project: LintProject, capsys: pytest.CaptureFixture[str], env: str, why: str
) -> None:
    project.env(env)
    assert rendered(project) == EXPECTED
    assert capsys.readouterr().err == f"env.py is not used, because it cannot write SQL offline: {why}\n"


def test_an_env_py_for_several_databases_renders_each_revision_once(project: LintProject) -> None:
    project.env(f"{OFFLINE_ENV}\n{OFFLINE_ENV}")
    assert rendered(project) == EXPECTED


@pytest.mark.parametrize("env", [OFFLINE_ENV, OFFLINE_ENV.replace(", transaction_per_migration=True", "")])
def test_the_revision_after_a_commit_is_in_a_transaction(project: LintProject, env: str) -> None:
    project.env(env)
    project.add("three", "COMMIT", "DROP TABLE t")
    project.add("four", "CREATE TABLE u (id int)")
    assert rendered(project)[2:] == [
        ("three", "COMMIT;", True),
        ("three", "DROP TABLE t;", False),
        ("four", "CREATE TABLE u (id int);", True),
    ]
