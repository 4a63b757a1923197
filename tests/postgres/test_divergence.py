"""Histories that differ from the applied revisions: they are rejected, and accepted after the next step of a user."""

from pathlib import Path

import pytest

from migrator.decision import Decision
from migrator.errors import HistoryError
from tests.postgres.projects import Project
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import Upgrade, columns, recorded

LOG = "SELECT revision, event FROM alembic_history.revisions ORDER BY id"


@pytest.fixture
def deployed(run: Upgrade, project: Project) -> Project:
    """Return a project whose three revisions are applied."""
    project.add("r2", "ALTER TABLE t ADD r2 int")
    project.add("r3", "ALTER TABLE t ADD r3 int")
    run(project)
    return project


def rejection(run: Upgrade, project: Project, **request: object) -> str:
    with pytest.raises(HistoryError) as error:
        run(project, **request)
    return str(error.value)


def version(cluster: Cluster) -> list[tuple[object, ...]]:
    return cluster.admin("SELECT version_num FROM alembic_version")


def edit(project: Project, revision: str, old: str, new: str) -> None:
    path = project.path(revision)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_an_edited_revision_is_rejected_until_it_is_restored(run: Upgrade, deployed: Project) -> None:
    edit(deployed, "r2", "r2 int", "r2 text")
    assert "applied revisions were edited: r2 (applied 20" in rejection(run, deployed)
    edit(deployed, "r2", "r2 text", "r2 int")
    deployed.add("r4", "ALTER TABLE t ALTER r2 TYPE text")
    assert run(deployed).applied == ("r4",)


def test_an_edited_revision_is_accepted_with_a_baseline(run: Upgrade, deployed: Project, bootstrapped: Cluster) -> None:
    edit(deployed, "r2", "r2 int", "r2 text")
    outcome = run(deployed, baseline="r3")
    assert (outcome.decision, outcome.applied) == (Decision.NOTHING, ())
    assert run(deployed).decision is Decision.NOTHING
    assert bootstrapped.admin(LOG)[3:] == [("r1", "baseline"), ("r2", "baseline"), ("r3", "baseline")]
    assert version(bootstrapped) == [("r3",)]


def test_comments_docstrings_and_layout_may_be_edited(run: Upgrade, deployed: Project) -> None:
    path = deployed.path("r2")
    path.write_text(f'"""A docstring."""\n# a comment\n\n{path.read_text()}\n\n')
    assert run(deployed).decision is Decision.NOTHING


def test_a_replaced_revision_is_rejected_although_the_head_is_the_same(run: Upgrade, deployed: Project) -> None:
    deployed.remove("r2", "r3")
    deployed.add("r2x", "ALTER TABLE t ADD r2x int")
    deployed.add("r3", "ALTER TABLE t ADD r3 int")
    error = rejection(run, deployed)
    assert "Never applied: r2x. Applied, but not in this deployment: r2." in error


def test_a_baseline_before_the_head_does_not_move_the_database_back(
    run: Upgrade, deployed: Project, bootstrapped: Cluster
) -> None:
    edit(deployed, "r2", "r2 int", "r2 text")
    outcome = run(deployed, baseline="r2")
    assert (outcome.decision, outcome.heads) == (Decision.NOTHING, frozenset({"r3"}))
    assert version(bootstrapped) == [("r3",)]


@pytest.mark.parametrize("last", ["s1", "r3"], ids=["a new id", "the last id kept"])
def test_a_squashed_history_is_accepted_with_a_baseline(
    run: Upgrade, deployed: Project, bootstrapped: Cluster, tmp_path: Path, last: str
) -> None:
    squashed = Project(tmp_path / "squashed")
    squashed.add(last, "CREATE TABLE t (id int, r2 int, r3 int)")
    squashed.add("next", "ALTER TABLE t ADD next int")
    assert f"deploy once with -c baseline={last}" in rejection(run, squashed, old=("r1", "r2", "r3"))
    assert run(squashed, baseline=last).applied == ("next",)
    assert version(bootstrapped) == [("next",)]
    assert "next" in columns(bootstrapped)
    assert run(squashed).decision is Decision.NOTHING


def test_a_database_with_tables_and_without_a_log_is_accepted_with_a_baseline(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    bootstrapped.admin("CREATE TABLE t (id int); ALTER TABLE t OWNER TO app_owner")
    project.add("r2", "ALTER TABLE t ADD r2 int")
    assert run(project, baseline="r1").applied == ("r2",)
    assert bootstrapped.admin(LOG) == [("r1", "baseline"), ("r2", "upgrade")]


def test_a_baseline_replaces_several_heads_by_one(run: Upgrade, project: Project, bootstrapped: Cluster) -> None:
    project.add("a", "ALTER TABLE t ADD a int", down="r1")
    project.add("b", "ALTER TABLE t ADD b int", down="r1")
    project.add("merged", down=("a", "b"))
    while len(version(bootstrapped) if recorded_any(bootstrapped) else []) < 2:
        run(project, seconds=10)  # time for one revision
    squashed = Project(project.folder.parent / "squashed")
    squashed.add("s1", "CREATE TABLE t (id int, a int, b int)")
    assert run(squashed, baseline="s1").decision is Decision.NOTHING
    assert version(bootstrapped) == [("s1",)]


def recorded_any(cluster: Cluster) -> bool:
    return cluster.admin("SELECT to_regclass('alembic_version') IS NOT NULL") == [(True,)]


def test_a_baseline_is_recorded_in_a_version_table_of_another_name(
    run: Upgrade, deployed: Project, bootstrapped: Cluster, tmp_path: Path
) -> None:
    squashed = Project(tmp_path / "squashed")
    squashed.configure("version_table='my_versions'")
    squashed.add("s1", "CREATE TABLE t (id int, r2 int, r3 int)")
    assert run(squashed, baseline="s1").decision is Decision.NOTHING
    assert bootstrapped.admin("SELECT version_num FROM my_versions") == [("s1",)]


def test_a_baseline_is_ignored_on_an_empty_database(run: Upgrade, project: Project, bootstrapped: Cluster) -> None:
    project.add("r2", "ALTER TABLE t ADD r2 int")
    assert run(project, baseline="r2").applied == ("r1", "r2")
    assert columns(bootstrapped) == ["id", "r2"]


def test_older_code_is_deployed_with_allow_ahead_and_newer_code_can_be_deployed_after_it(
    run: Upgrade, deployed: Project, tmp_path: Path
) -> None:
    older = Project(tmp_path / "older")
    older.add("r1", "CREATE TABLE t (id int)")
    assert "ahead by r2 (applied 20" in rejection(run, older, old=("r1", "r2", "r3"))
    outcome = run(older, old=("r1", "r2", "r3"), allow_ahead=["r3"])
    assert (outcome.decision, outcome.ahead) == (Decision.STAY_AHEAD, ("r2", "r3"))
    assert run(older, old=("r1",)).decision is Decision.STAY_AHEAD  # a later deployment with the same revisions
    deployed.add("r4", "ALTER TABLE t ADD r4 int")
    assert run(deployed, old=("r1",)).applied == ("r4",)


def test_a_deployment_from_another_branch_is_rejected_and_their_merge_is_applied(
    run: Upgrade, deployed: Project, tmp_path: Path
) -> None:
    other = Project(tmp_path / "other")
    other.add("r1", "CREATE TABLE t (id int)")
    other.add("mine", "ALTER TABLE t ADD mine int")
    assert "put mine after r3" in rejection(run, other, old=("r1", "r2", "r3"))
    deployed.add("mine", "ALTER TABLE t ADD mine int", down="r1")
    deployed.add("merged", down=("r3", "mine"))
    assert run(deployed, old=("r1", "r2", "r3")).applied == ("mine", "merged")


def test_a_log_of_an_earlier_release_is_extended(run: Upgrade, deployed: Project, bootstrapped: Cluster) -> None:
    bootstrapped.admin("""
        ALTER TABLE alembic_history.revisions DROP event, DROP parents, DROP code_digest;
        DROP TABLE alembic_history.cancellations
    """)
    assert run(deployed).decision is Decision.NOTHING
    edit(deployed, "r2", "r2 int", "r2 text")  # not recognised: the old rows have no digest
    deployed.add("r4", "ALTER TABLE t ADD r4 int")
    assert run(deployed).applied == ("r4",)
    assert recorded(bootstrapped) == ["r1", "r2", "r3", "r4"]
    edit(deployed, "r4", "r4 int", "r4 text")
    assert "edited: r4" in rejection(run, deployed)
