"""Everyday changes of a large table in use: generated from models, and applied without a change of the revisions.

The migrator applies them to 200,000 rows, while the application reads and writes these rows.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic import command

from localaws.rds import RdsInstance
from review.revision_scripts import RevisionScripts
from review.rules.judge import judge
from review.start import Start
from tests.postgres import parcels, recipes
from tests.postgres.everyday_changes import BASE, EVERYDAY, Models
from tests.postgres.generated import check, configured, generate, prepare
from tests.postgres.parcels import MANY, NOBODY_WAITS_SECONDS, copied, filenode, held_open, lost, run, schema
from tests.postgres.projects import Project
from tests.postgres.review_projects import empty_database, record_after
from tests.postgres.scenarios import OLD
from tests.postgres.servers import Cluster
from tests.postgres.traffic import traffic, watched

type Record = Callable[[str, object], None]


def project_with_tables(folder: Path) -> Project:
    project = Project(folder)
    prepare(project)
    project.add("tables", *BASE)
    return project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return project_with_tables(tmp_path / "project")


@pytest.fixture(scope="module")
def templates(postgres: RdsInstance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Create the template databases `few` and `many`."""
    project = project_with_tables(tmp_path_factory.mktemp("tables"))
    with parcels.templates(postgres, project, ["few", "many"]) as cluster:
        yield cluster


@pytest.mark.parametrize("title", EVERYDAY)
def test_the_application_works_and_does_not_wait_during_an_everyday_change(
    title: str, templates: Cluster, project: Project, record_property: Record
) -> None:
    everyday, models = EVERYDAY[title], Models()
    cluster = copied(templates, "many")
    everyday.change(models)
    metadata = models.build()
    generate(cluster, project, metadata, *everyday.arguments)
    file = filenode(cluster)
    with traffic(cluster, MANY, OLD) as load, watched() as held:
        seconds = run(cluster, project).seconds
        load.codes = tuple(dict.fromkeys([OLD, everyday.code]))  # the next deployment: both codes run for a while
        time.sleep(0.1)
    record_property("tried", f"{title}, {MANY} rows in {seconds:.1f} s: {load}")
    assert [name for name, transaction in held.items() if transaction.makes_others_wait_for_rows] == []
    assert filenode(cluster) == file, "the table was rewritten"
    assert load.longest < NOBODY_WAITS_SECONDS
    lines = schema(cluster)
    assert set(everyday.has) <= set(lines)
    assert [line for line in lines if "NOT VALID" in line or line in everyday.lost] == []
    assert lost(cluster, {name: name for name in ("recipient", "address", "weight")}, load.written) == []
    if everyday.later:
        generate(cluster, project, metadata, revision="later")
        run(cluster, project)
        assert lost(cluster, everyday.columns, load.written) == []
    check(cluster, project, metadata)


@pytest.mark.parametrize("title", EVERYDAY)
def test_an_everyday_change_has_no_findings_and_can_be_reversed_at_any_revision(
    title: str, templates: Cluster, project: Project
) -> None:
    everyday, models = EVERYDAY[title], Models()
    cluster = copied(templates, "few")
    before = schema(cluster)
    everyday.change(models)
    scripts = generate(cluster, project, models.build(), *everyday.arguments, message="")
    assert "; ".join(script.doc for script in scripts) == recipes.generated_revisions()[title]
    history = RevisionScripts.read(project.ini)
    recordings = record_after(history, ("tables",), empty_database())
    assert judge(history, Start(("tables",), ""), recordings).findings == ()
    with migrations(cluster, project) as migrate:
        migrate(command.upgrade, "head")
        after = schema(cluster)
        for count in range(1, len(scripts) + 1):
            migrate(command.downgrade, f"-{count}")
            if count == len(scripts) and not everyday.stays:
                assert sorted(schema(cluster)) == sorted(before)
            migrate(command.upgrade, "head")
            assert sorted(schema(cluster)) == sorted(after), f"after {count} downgrades"


@contextmanager
def migrations(cluster: Cluster, project: Project) -> Iterator[Callable[..., None]]:
    """Yield a function that runs a command of Alembic."""
    with configured(cluster, project, Models().build()) as config:

        def migrate(what: Callable[..., None], revision: str) -> None:
            what(config, revision)
            config.attributes["connection"].rollback()  # an open transaction would block concurrent index builds

        yield migrate


def test_the_guide_names_the_revisions_of_every_everyday_change() -> None:
    assert list(recipes.generated_revisions()) == list(EVERYDAY)


def test_an_index_is_built_in_one_attempt_while_a_transaction_is_open(templates: Cluster, project: Project) -> None:
    models = Models()
    EVERYDAY["add an index"].change(models)
    cluster = copied(templates, "few")
    generate(cluster, project, models.build())
    project.add("after", "CREATE TABLE timeout AS SELECT current_setting('lock_timeout') AS value")
    with held_open(cluster, seconds=1.0):
        outcome = run(cluster, project, lock_timeout=0.2)
    assert outcome.retries == 0
    assert "index ix_parcels_recipient" in schema(cluster)
    assert cluster.admin("SELECT value FROM timeout") == [("200ms",)], "the next revision must have its own timeout"
