"""Errors of env.py: an env.py that does not run the revisions on the connection of the migrator fails with advice."""

import pytest
import sqlalchemy as sa

from tests.postgres.projects import Project
from tests.postgres.servers import SETTINGS, Cluster
from tests.postgres.upgrades import Upgrade, refusal

ADVICE = "env.py must use the connection in config.attributes['connection'] and commit"
OWN_ENGINE = """\
import sqlalchemy as sa
from alembic import context

engine = sa.engine_from_config({{{url}}}, prefix="sqlalchemy.", poolclass=sa.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "KeyError: 'url'"),
        ("'sqlalchemy.url': 'driver://user:pass@localhost/dbname'", "NoSuchModuleError: Can't load plugin"),
        ("'sqlalchemy.url': 'postgresql+psycopg2://nobody:no@127.0.0.1:1/app'", "Connection refused"),
    ],
    ids=["no URL", "the URL of alembic's template", "a server that is not there"],
)
def test_an_env_that_fails_to_open_its_own_connection_is_an_error_with_an_advice(
    run: Upgrade, project: Project, url: str, words: str
) -> None:
    project.env(OWN_ENGINE.format(url=url))
    error = refusal(run, project)
    assert error.startswith("env.py failed before it ran the revisions: ")
    assert words in error
    assert error.endswith(ADVICE)


def test_an_env_that_uses_the_connection_as_an_engine_is_an_error_that_says_so(run: Upgrade, project: Project) -> None:
    project.configure(before="connection = connection.raw_connection()")
    assert refusal(run, project) == (
        "env.py failed before it ran the revisions: AttributeError: 'SharedConnection' object has no attribute"
        f" 'raw_connection'; {ADVICE}"
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("import os; os.environ['SETTING_OF_MINE']", "KeyError: 'SETTING_OF_MINE'"),
        ("import application_of_mine", "ModuleNotFoundError: No module named 'application_of_mine'"),
        ("None.metadata", "AttributeError: 'NoneType' object has no attribute 'metadata'"),
        ("raise ConnectionError('no answer')", "ConnectionError: no answer"),
        ("raise SystemExit('no settings')", "SystemExit: no settings"),
        ("import sys; sys.exit()", "SystemExit: "),
        ("import asyncio; raise asyncio.CancelledError", "CancelledError: "),
    ],
)
def test_other_errors_of_an_env_are_reported_without_the_advice_about_the_connection(
    run: Upgrade, project: Project, line: str, words: str
) -> None:
    project.configure(before=line)
    assert refusal(run, project) == f"env.py failed before it ran the revisions: {words}"


def test_the_error_of_an_invalid_url_in_env_has_the_advice(run: Upgrade, project: Project) -> None:
    project.configure(before="from sqlalchemy import create_engine\ncreate_engine('')")
    error = refusal(run, project)
    assert error.startswith("env.py failed before it ran the revisions: ArgumentError: ")
    assert error.endswith(ADVICE)


def test_an_error_on_a_connection_that_env_has_opened_has_the_advice(run: Upgrade, project: Project) -> None:
    project.configure(
        before="""
from sqlalchemy import create_engine
own = create_engine("sqlite://").connect()
own.exec_driver_sql("CREATE TABLE t (id int NOT NULL)")
own.exec_driver_sql("INSERT INTO t VALUES (NULL)")
"""
    )
    error = refusal(run, project)
    assert error.startswith("env.py failed before it ran the revisions: IntegrityError: ")
    assert error.endswith(ADVICE)


def test_an_env_that_opens_its_own_connection_is_rejected_before_it_changes_another_database(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    url = sa.URL.create(
        "postgresql+psycopg2",
        SETTINGS.master_username,
        SETTINGS.master_password,
        bootstrapped.postgres.host,
        bootstrapped.postgres.port,
        SETTINGS.database,
    )
    project.env(OWN_ENGINE.format(url=f"'sqlalchemy.url': {url.render_as_string(hide_password=False)!r}"))
    assert refusal(run, project) == (f"env.py runs the revisions on a connection of its own: {ADVICE}")
    assert bootstrapped.admin("SELECT to_regclass('t')") == [(None,)]


def test_an_env_that_does_not_commit_its_own_connection_is_an_error(run: Upgrade, project: Project) -> None:
    project.env("""\
from alembic import context

with context.config.attributes["connection"].engine.connect() as connection:
    connection.exec_driver_sql("SELECT 1")
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
""")
    project.add("r2", "ALTER TABLE t ADD name text")
    assert refusal(run, project) == (f"revision r1 ran but is not recorded in the version table: {ADVICE}")


def test_an_env_that_runs_the_migrations_of_several_schemas_is_rejected_before_it_applies_one(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    project.env("""\
from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
for schema in ("tenant1", "tenant2"):
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
    connection.execute(text(f"SET search_path TO {schema}"))
    connection.commit()
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
""")
    assert refusal(run, project) == (
        "env.py must run the revisions once (got twice): a deployment has one version table"
    )
    assert bootstrapped.admin("SELECT to_regclass('tenant1.t')") == [(None,)]
