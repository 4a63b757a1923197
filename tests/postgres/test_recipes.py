"""The recipes of docs/writing-migrations.md, on a large table that other sessions use all the time."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from psycopg2 import errors

from localaws.rds import RdsInstance
from migrator.errors import UpgradeError
from rds_alembic.autogenerate.safe_forms.type_changes import rewrites_table
from rds_iam.deadline import Deadline
from review.revision_scripts import RevisionScripts
from review.rules.judge import judge
from review.start import Start
from tests.postgres import parcels, recipes
from tests.postgres.parcels import (
    FEW,
    MANY,
    NOBODY_WAITS_SECONDS,
    by_id,
    copied,
    filenode,
    held_open,
    lost,
    run,
    schema,
)
from tests.postgres.projects import Project
from tests.postgres.recipes import BASE, RECIPES
from tests.postgres.review_projects import empty_database, record_after
from tests.postgres.scenarios import NAIVE, OLD, SCENARIOS
from tests.postgres.servers import Cluster
from tests.postgres.traffic import traffic, watched

BATCH = 5_000
TRIMMED = "recipient = btrim(recipient)"
WITH_LOCKS = [title for title, recipe in RECIPES.items() if recipe.revisions[0].lock]

type Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def templates(postgres: RdsInstance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Create the template databases `few` and `many`, which contain the guide's tables with few and many rows."""
    project = recipes.project_with_tables(tmp_path_factory.mktemp("tables"))
    with parcels.templates(postgres, project, ["few", "many"]) as cluster:
        yield cluster


@pytest.fixture
def large(templates: Cluster) -> Cluster:
    return copied(templates, "many")


@pytest.fixture
def small(templates: Cluster) -> Cluster:
    return copied(templates, "few")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return recipes.project_with_tables(tmp_path / "project")


@contextmanager
def alembic(cluster: Cluster, project: Project) -> Iterator[Callable[..., None]]:
    """Yield a function that runs a command of Alembic."""
    engine = sa.create_engine(
        "postgresql+psycopg2://", creator=lambda: cluster.connect_with_token("migrator"), poolclass=sa.NullPool
    )
    with engine.connect() as connection:
        config = recipes.config(project, connection=connection)

        def do(what: Callable[..., None], revision: str) -> None:
            what(config, revision)
            connection.rollback()  # an open transaction would block concurrent index builds

        yield do
    engine.dispose()


def state(cluster: Cluster) -> tuple[list[str], object]:
    return schema(cluster), content(cluster)


def content(cluster: Cluster) -> object:
    return cluster.admin("SELECT md5(string_agg(parcels::text, ' ' ORDER BY id)) FROM parcels")


def test_each_recipe_of_the_guide_is_tested() -> None:
    assert list(SCENARIOS) == list(RECIPES)
    assert all(recipe.revisions for recipe in RECIPES.values())


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_has_no_findings_and_no_unused_suppressions(title: str, project: Project) -> None:
    recipes.add(project, RECIPES[title].revisions)
    scripts = RevisionScripts.read(project.ini)
    recordings = record_after(scripts, (BASE,), empty_database())
    assert judge(scripts, Start((BASE,), ""), recordings).findings == ()
    assert [recording.failure for recording in recordings] == [None] * len(RECIPES[title].revisions)


def test_the_python_of_the_guide_is_formatted(tmp_path: Path) -> None:
    for title, recipe in RECIPES.items():
        recipes.add(recipes.project_with_tables(tmp_path / title), recipe.revisions)
    ruff, settings = Path(sys.executable).with_name("ruff"), recipes.ROOT / "pyproject.toml"
    files = tmp_path.glob("*/scripts/versions/r*.py")
    ran = subprocess.run(
        [ruff, "format", "--diff", "--config", settings, *files], capture_output=True, text=True, check=False
    )
    assert ran.stdout == ""
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("title", WITH_LOCKS)
def test_old_and_new_code_works_during_a_recipe_and_no_session_waits(
    title: str, large: Cluster, project: Project, record_property: Record
) -> None:
    recipe, scenario = RECIPES[title], SCENARIOS[title]
    file, seconds = filenode(large), 0.0
    with traffic(large, MANY, scenario.codes[0]) as load, watched() as held:
        for deployment, codes in enumerate(pairwise(scenario.codes), 1):
            load.codes = tuple(dict.fromkeys(codes))  # new code may run before its revisions
            recipes.add(project, recipe.of_deployment(deployment))
            seconds += run(large, project).seconds
            time.sleep(0.1)
    record_property("tried", f"{title}, {MANY} rows in {seconds:.1f} s: {load}")
    assert {name: what.lock for name, what in held.items()} == {
        revision.name: revision.lock for revision in recipe.revisions if revision.is_transaction
    }
    assert [name for name, what in held.items() if what.makes_others_wait_for_rows] == []
    assert filenode(large) == file, "the table was rewritten"
    assert load.longest < NOBODY_WAITS_SECONDS
    assert set(scenario.has) <= set(schema(large))
    assert [line for line in schema(large) if "NOT VALID" in line] == []
    assert large.admin(f"SELECT count(*) FROM parcels WHERE {scenario.wrong}") == [(0,)]
    assert lost(large, scenario.columns, load.written) == []


def test_a_naive_change_blocks_other_sessions_while_it_reads_every_row(
    large: Cluster, project: Project, record_property: Record
) -> None:
    for number, (way, naive) in enumerate(NAIVE.items()):
        file = filenode(large)
        project.add(f"naive{number}", body=naive.body)
        with traffic(large, MANY, OLD) as load, watched() as held:
            outcome = run(large, project)
        record_property("tried", f"naively, {way}, {MANY} rows in {outcome.seconds:.1f} s: {load}")
        what = held[f"naive{number}"]
        assert what.makes_others_wait_for_rows, way
        assert what.rows > MANY / 10, way  # several processes share a scan, and this is the number of one process
        assert (filenode(large) != file) is naive.rewrites, way
        assert load.longest > naive.waits * outcome.seconds, way


@pytest.mark.parametrize(
    ("statements", "error"),
    [
        (["ALTER TABLE parcels RENAME recipient TO recipient_name"], errors.UndefinedColumn),
        (
            ["ALTER TABLE parcels ADD city text NOT NULL DEFAULT ''", "ALTER TABLE parcels ALTER city DROP DEFAULT"],
            errors.NotNullViolation,
        ),
    ],
    ids=["a column renamed", "NOT NULL"],
)
def test_the_old_code_fails_if_the_schema_contracts_too_early(
    statements: list[str], error: type[Exception], small: Cluster, project: Project
) -> None:
    project.add("naive", *statements)
    with pytest.raises(error):
        run_beside_the_old_code(small, project)


def run_beside_the_old_code(cluster: Cluster, project: Project) -> None:
    with traffic(cluster, FEW, OLD):
        run(cluster, project)
        time.sleep(0.1)


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_goes_up_and_down_and_up_again_and_its_offline_sql_has_the_same_effect(
    title: str, small: Cluster, project: Project
) -> None:
    recipe, before = RECIPES[title], state(small)
    recipes.add(project, recipe.revisions)
    execute(small, recipes.offline(project, BASE, "head"))
    by_sql = state(small)
    if recipe.reversible != recipe.revisions:
        copied(small, "few")
    with alembic(small, project) as do:
        if recipe.reversible:
            do(command.upgrade, recipe.reversible[-1].name)
        do(command.downgrade, BASE)
        assert schema(small) == before[0]
        assert content(small) == before[1] or title == "Backfill in batches"
        run(small, project)
        assert state(small) == by_sql
        if recipe.reversible != recipe.revisions:
            with pytest.raises(NotImplementedError, match=r"\w+ \w+"):
                do(command.downgrade, "-1")


def execute(cluster: Cluster, script: str) -> None:
    """Execute the SQL of Alembic statement by statement, as psql does."""
    with closing(cluster.connect_with_token("migrator")) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for statement in filter(str.strip, script.split(";\n\n")):
            cursor.execute(statement)


def test_a_cancelled_backfill_continues_after_its_last_batch(large: Cluster, project: Project) -> None:
    recipes.add(project, RECIPES["Backfill in batches"].revisions)
    stopper = threading.Thread(target=stop_after_some_batches, args=(large,))
    stopper.start()
    with pytest.raises(UpgradeError, match="57014"):
        run(large, project)
    stopper.join()
    done = by_id(large, f"SELECT id, xmin::text FROM parcels WHERE {TRIMMED}")
    assert BATCH <= len(done) < MANY
    assert len(done) % BATCH == 0
    run(large, project)
    assert large.admin(f"SELECT count(*) FROM parcels WHERE NOT ({TRIMMED})") == [(0,)]
    writers = by_id(large, "SELECT id, xmin::text FROM parcels")
    assert {row: writers[row] for row in done} == done, "finished batches must not be written again"
    assert len(set(writers.values())) == MANY / BATCH, "each batch must be a transaction"


def stop_after_some_batches(cluster: Cluster) -> None:
    deadline = Deadline.after(30)
    done = f"SELECT count(*) FROM parcels WHERE id <= 3 * {BATCH} AND {TRIMMED}"
    while cluster.admin(done) == [(0,)] and deadline.seconds_left:
        time.sleep(0.01)
    cluster.admin("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'migrator' AND state = 'active'")


def test_a_backfill_is_retried_while_another_session_locks_a_row(small: Cluster, project: Project) -> None:
    recipes.add(project, RECIPES["Backfill in batches"].revisions)
    with held_open(small, seconds=1.0):
        outcome = run(small, project, lock_timeout=0.2)
    assert outcome.retries >= 1
    assert small.admin(f"SELECT count(*) FROM parcels WHERE NOT ({TRIMMED})") == [(0,)]


def test_the_guide_is_right_about_the_type_changes_that_rewrite_the_table(small: Cluster) -> None:
    changes = recipes.type_changes()
    results = [(before, after, rewrites_to(small, before, after)) for before, after, _ in changes]
    assert results == changes
    assert [rewrites_table(before.upper(), after.upper()) for before, after, _ in changes] == [
        rewrites for *_, rewrites in changes
    ], "autogenerate must know these changes"
    assert len(results) > 10


def rewrites_to(cluster: Cluster, before: str, after: str) -> bool:
    (before_change, *_, after_change) = cluster.admin(f"""
        CREATE TABLE changing (value {before});
        CREATE TEMPORARY TABLE files AS SELECT pg_relation_filenode('changing') AS file;
        ALTER TABLE changing ALTER value TYPE {after};
        INSERT INTO files SELECT pg_relation_filenode('changing');
        DROP TABLE changing;
        SELECT file FROM files
    """)
    return bool(before_change != after_change)


def test_a_new_value_of_an_enum_type_is_used_in_a_later_revision(small: Cluster, project: Project) -> None:
    use = "UPDATE parcels SET state = 'returned' WHERE id = 1"
    project.add("naive", "ALTER TYPE parcel_state ADD VALUE 'returned'", use)
    with pytest.raises(UpgradeError, match="55P04"):
        run(small, project)
    project.remove("naive")
    project.add("value", "ALTER TYPE parcel_state ADD VALUE IF NOT EXISTS 'returned'")
    project.add("later", use)
    run(small, project)
    assert small.admin("SELECT state FROM parcels WHERE id = 1") == [("returned",)]


def test_the_querier_has_the_privileges_on_a_new_table_that_the_revision_grants(
    small: Cluster, project: Project
) -> None:
    recipes.add(project, RECIPES["Add a table"].revisions)
    run(small, project)
    with closing(small.connect_with_token("querier")) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("INSERT INTO complaints (words) VALUES ('late') RETURNING id")
        assert cursor.fetchall() == [(1,)]
        with pytest.raises(errors.InsufficientPrivilege):
            cursor.execute("DELETE FROM complaints")
