"""The project's own revisions: pytest-alembic's four tests, and what the roles may do at head."""

from collections.abc import Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa
from psycopg2 import errors
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case
from pytest_alembic.config import Config
from pytest_alembic.tests import (
    test_model_definitions_match_ddl,
    test_single_head_revision,
    test_up_down_consistency,
    test_upgrade,
)

from tests.postgres.servers import Cluster

__all__ = [
    "test_model_definitions_match_ddl",
    "test_single_head_revision",
    "test_up_down_consistency",
    "test_upgrade",
]


@pytest.fixture
def alembic_config() -> Config:
    return Config(config_options={"file": "alembic.ini"})


@pytest.fixture
def alembic_engine(bootstrapped: Cluster) -> Iterator[sa.Engine]:
    engine = sa.create_engine(
        "postgresql+psycopg2://",
        creator=lambda: bootstrapped.connect_with_token("migrator"),
        poolclass=sa.NullPool,
    )
    yield engine
    engine.dispose()


@pytest.fixture
def querier(bootstrapped: Cluster, at_head: None) -> Iterator[Connection]:
    with closing(bootstrapped.connect_with_token("querier")) as connection:
        connection.autocommit = True
        yield connection


def execute(connection: Connection, statement: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_the_first_revision_makes_queries(bootstrapped: Cluster, at_head: None) -> None:
    columns = bootstrapped.admin(
        "SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns"
        " WHERE table_name = 'queries' ORDER BY ordinal_position"
    )
    assert columns == [
        ("id", "integer", "NO", "nextval('queries_id_seq'::regclass)"),
        ("query_date", "date", "YES", None),
    ]


def test_the_querier_may_insert_and_select(querier: Connection) -> None:
    execute(querier, "INSERT INTO queries (query_date) VALUES (current_date)")
    assert execute(querier, "SELECT count(*) FROM queries") == [(1,)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE queries SET query_date = NULL",
        "DELETE FROM queries",
        "TRUNCATE queries",
        "DROP TABLE queries",
        "ALTER TABLE queries ADD x int",
        "CREATE INDEX ON queries (query_date)",
        "SELECT setval('queries_id_seq', 1)",
        "SELECT * FROM alembic_version",
        "UPDATE alembic_version SET version_num = 'x'",
        "CREATE TABLE mine ()",
        "CREATE TEMPORARY TABLE mine ()",
        "CREATE SCHEMA mine",
        "SET ROLE app_owner",
        "SELECT * FROM pg_authid",
    ],
)
def test_the_querier_may_do_nothing_else(querier: Connection, statement: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        execute(querier, statement)
