"""The revisions of this project: pytest-alembic's four tests, up-down-up, and the privileges of the roles at head."""

from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig
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
def config(alembic_engine: sa.Engine) -> AlembicConfig:
    config = AlembicConfig("alembic.ini")
    config.attributes["connection"] = alembic_engine
    return config


def test_up_down_and_up_again_gives_the_same_schema_as_up(bootstrapped: Cluster, config: AlembicConfig) -> None:
    command.upgrade(config, "head")
    first = bootstrapped.dump_schema()
    with suppress(NotImplementedError):  # a revision may have no downgrade
        command.downgrade(config, "base")
        tables = bootstrapped.admin("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert tables == [("alembic_version",)]
    command.upgrade(config, "head")
    assert bootstrapped.dump_schema() == first
    assert "CREATE TABLE public.queries" in first


@pytest.fixture
def querier(bootstrapped: Cluster, at_head: None) -> Iterator[Connection]:
    with closing(bootstrapped.connect_with_token("querier")) as connection:
        connection.autocommit = True
        yield connection


def execute(connection: Connection, statement: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [] if cursor.description is None else cursor.fetchall()


def test_the_first_revision_creates_queries(bootstrapped: Cluster, config: AlembicConfig) -> None:
    command.upgrade(config, "+1")
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
def test_the_querier_has_no_other_privileges(querier: Connection, statement: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        execute(querier, statement)
