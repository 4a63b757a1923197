"""Two Alembic projects in one database, each with a version table of its own, in one stack."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.decision import Decision
from migrator.manifest import Manifest
from migrator.rollback import roll_back
from migrator.upgrade_context import Outcome
from tests.postgres.projects import Project
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import as_migrator, refusal, run_upgrade

OWN_TABLES = {
    "another name": 'version_table="billing_version"',
    "a name that needs quotes": 'version_table="Billing Version"',
    "another schema": 'version_table_schema="billing"',
    "the same schema, by name": 'version_table="billing_version", version_table_schema="public"',
}

type RunAs = Callable[..., Outcome]


@pytest.fixture
def run_as(bootstrapped: Cluster) -> RunAs:
    """Return a function that upgrades as the custom resource with a logical id does."""
    bootstrapped.admin("CREATE SCHEMA billing AUTHORIZATION app_owner")

    def run_as(resource: str, project: Project, *, old: tuple[str, ...] = ()) -> Outcome:
        request = replace(project.request(old=old), resource=resource)
        return run_upgrade(as_migrator(bootstrapped), project.folder, request)

    return run_as


@pytest.fixture
def billing(tmp_path: Path) -> Project:
    """Return a second project. Its revision has the id of the first one's."""
    project = Project(tmp_path / "billing")
    project.configure('version_table="billing_version"')
    project.add("r1", "CREATE TABLE invoices (id int)")
    return project


@pytest.mark.parametrize("options", OWN_TABLES.values(), ids=OWN_TABLES)
def test_two_projects_with_the_same_revision_ids_are_upgraded_next_to_each_other(
    run_as: RunAs, project: Project, billing: Project, bootstrapped: Cluster, options: str
) -> None:
    billing.configure(options)
    assert run_as("Shop", project).applied == ("r1",)
    assert run_as("Billing", billing).applied == ("r1",)
    project.add("r2", "ALTER TABLE t ADD name text")
    billing.add("r2b", "ALTER TABLE invoices ADD total int")
    assert run_as("Shop", project).applied == ("r2",)
    assert run_as("Billing", billing).heads == {"r2b"}
    rows = bootstrapped.admin("SELECT count(*), count(DISTINCT version_table) FROM alembic_history.revisions")
    assert rows == [(4, 2)]


def test_each_project_recognises_its_own_edited_revisions_only(
    run_as: RunAs, project: Project, billing: Project
) -> None:
    run_as("Shop", project)
    run_as("Billing", billing)
    billing.remove("r1")
    billing.add("r1", "CREATE TABLE invoices (id bigint)")
    billing.add("r2b", "ALTER TABLE invoices ADD total int")
    project.add("r2", "ALTER TABLE t ADD name text")
    assert run_as("Shop", project).applied == ("r2",)
    message = refusal(lambda project: run_as("Billing", project), billing)
    assert "applied revisions were edited: r1" in message


def test_a_deployment_without_new_revisions_finds_the_version_table_of_its_project(
    run_as: RunAs, project: Project, billing: Project
) -> None:
    run_as("Shop", project)
    run_as("Billing", billing)
    billing.env("raise RuntimeError('env.py must not run')")
    outcome = run_as("Billing", billing)
    assert (outcome.decision, outcome.heads) == (Decision.NOTHING, frozenset({"r1"}))


def test_a_project_at_the_head_of_another_one_is_not_taken_for_upgraded(
    run_as: RunAs, project: Project, tmp_path: Path, bootstrapped: Cluster
) -> None:
    """The same project, once for each tenant: only the version table differs."""
    run_as("Acme", project)
    other = Project(tmp_path / "other")
    other.configure('version_table_schema="billing"', before="connection.exec_driver_sql('SET search_path = billing')")
    other.add("r1", "CREATE TABLE t (id int)")
    assert run_as("Other", other).applied == ("r1",)
    assert bootstrapped.admin("SELECT schemaname FROM pg_tables WHERE tablename = 't' ORDER BY 1") == [
        ("billing",),
        ("public",),
    ]


def test_another_environment_runs_env_again_because_it_may_choose_the_version_table(
    bootstrapped: Cluster, run_as: RunAs, billing: Project
) -> None:
    run_as("Billing", billing)
    billing.configure('version_table="moved"')
    request = replace(billing.request(), resource="Billing", environment_digest="another")
    outcome = run_upgrade(as_migrator(bootstrapped), billing.folder, replace(request, baseline="r1"))
    assert outcome.heads == {"r1"}
    assert bootstrapped.admin("SELECT version_num FROM moved") == [("r1",)]


def test_a_rollback_of_one_project_does_not_see_the_revisions_of_the_other(
    run_as: RunAs, project: Project, billing: Project, bootstrapped: Cluster
) -> None:
    run_as("Shop", project)
    run_as("Billing", billing)
    project.add("r2", "ALTER TABLE t ADD name text")
    run_as("Shop", project)
    request = replace(billing.request(old=("r1", "r2b")), resource="Billing")
    outcome = roll_back(request, Manifest.read(billing.folder), as_migrator(bootstrapped))
    assert (outcome.heads, outcome.ahead) == (frozenset({"r1"}), ())


def test_a_rollback_of_a_project_that_never_ran_reports_no_revision_of_the_other(
    run_as: RunAs, project: Project, billing: Project, bootstrapped: Cluster
) -> None:
    run_as("Shop", project)
    request = replace(billing.request(old=("r1", "r2b")), resource="Billing")
    outcome = roll_back(request, Manifest.read(billing.folder), as_migrator(bootstrapped))
    assert (outcome.heads, outcome.ahead) == (frozenset(), ())
