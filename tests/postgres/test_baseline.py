"""A baseline is recorded only if its revisions create the same schema, or if the user accepts the difference."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from migrator.baseline_database import create_baseline_database, drop_baseline_database
from migrator.errors import BaselineError, RolesError
from migrator.roles import reconcile
from migrator.upgrade_context import Outcome
from tests.postgres.projects import Project
from tests.postgres.role_setup import REQUEST
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import Upgrade, columns

DATABASE = "app_baseline"
REVISIONS = {
    "r1": """
        CREATE TYPE state AS ENUM ('open', 'paid');
        CREATE TABLE customers (id serial PRIMARY KEY, name varchar(50) NOT NULL, state state DEFAULT 'open');
        CREATE TABLE parts (id int NOT NULL, at date NOT NULL, CHECK (id > 0)) PARTITION BY RANGE (at)
    """,
    "r2": """
        CREATE SCHEMA audit; CREATE DOMAIN audit.code AS text CHECK (VALUE <> '');
        CREATE TABLE audit.events (id bigint GENERATED ALWAYS AS IDENTITY, code audit.code, at date,
            customer int REFERENCES customers, CONSTRAINT chosen UNIQUE (code));
        CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
        CREATE VIEW open AS SELECT id FROM customers WHERE state = 'open'
    """,
    "r3": """
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER touch BEFORE INSERT ON customers FOR EACH ROW EXECUTE FUNCTION touch();
        ALTER TABLE customers ENABLE ROW LEVEL SECURITY; CREATE POLICY all_rows ON customers USING (true);
        INSERT INTO customers (name) VALUES ('a row of a data migration'); CREATE SEQUENCE numbers;
        CREATE TABLE gone (id int)
    """,
}
CONCURRENTLY = """\
with op.get_context().autocommit_block():
    op.execute("ALTER TYPE state ADD VALUE 'closed'")
    op.execute("CREATE INDEX CONCURRENTLY by_name ON customers (name)")"""


AFTER_R3 = (
    "ALTER TABLE customers ADD COLUMN age int; ALTER TYPE state ADD VALUE 'closed'",
    "CREATE INDEX by_name ON customers (name)",
)


def set_up_baseline_database(cluster: Cluster) -> None:
    """Create the empty database with its roles, as the handler does."""
    with cluster.connect_as_master() as master:
        create_baseline_database(master, DATABASE)
    with cluster.connect_as_master(DATABASE) as master:
        reconcile(master, REQUEST)


@pytest.fixture
def baselined(bootstrapped: Cluster) -> Iterator[Cluster]:
    """Return a cluster with the empty database of a baseline."""
    set_up_baseline_database(bootstrapped)
    yield bootstrapped
    bootstrapped.admin(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")


@pytest.fixture
def history(tmp_path: Path) -> Project:
    """Return a project with five revisions. The last one is after the baseline."""
    project = Project(tmp_path / "history")
    for revision, sql in REVISIONS.items():
        project.add(revision, sql)
    project.add("r4", body=CONCURRENTLY)
    project.add("r5", "ALTER TABLE customers ADD COLUMN age int")
    return project


@pytest.fixture
def record(baselined: Cluster, run: Upgrade, history: Project) -> Callable[..., Outcome]:
    """Return a function that deploys with the baseline r4."""

    def record(change: str = "SELECT 1", **request: str) -> Outcome:
        baselined.admin(change)
        return run(history, **{"baseline": "r4", "baseline_database": DATABASE, **request})

    return record


@pytest.fixture
def filled(baselined: Cluster) -> Cluster:
    """Create the schema of r4 without Alembic, with other automatic names and in another order."""
    sql = [
        REVISIONS["r1"]
        .replace("CHECK (id > 0)", "CONSTRAINT other_check CHECK (id > 0)")
        .replace("name varchar(50) NOT NULL, state state DEFAULT 'open'", "state state DEFAULT 'open', name text")
        .replace("('open', 'paid')", "('open', 'paid', 'closed')"),
        *(REVISIONS[revision] for revision in ("r2", "r3")),
        "ALTER TABLE customers ALTER name TYPE varchar(50), ALTER name SET NOT NULL",
        "ALTER SEQUENCE customers_id_seq RENAME TO of_customers; CREATE INDEX by_name ON customers (name)",
        "CREATE EXTENSION citext SCHEMA public",
    ]
    baselined.admin(f"SET ROLE app_owner; {'; '.join(sql)}")
    return baselined


@pytest.mark.usefixtures("filled")
def test_a_baseline_whose_schema_is_equal_is_recorded(record: Callable[..., Outcome]) -> None:
    assert record().applied == ("r5",)


# Statements that change the schema, and a part of the report of each change.
CHANGES = {
    "ALTER TABLE parts ALTER id TYPE bigint": "public.parts.id must be integer NOT NULL (got bigint NOT NULL)",
    "ALTER TABLE customers ALTER name DROP NOT NULL": "character varying(50) NOT NULL (got character varying(50))",
    "ALTER TABLE customers ALTER state SET DEFAULT 'paid'": "(got public.state DEFAULT 'paid'::public.state)",
    "ALTER TABLE audit.events DROP at": "column audit.events.at is missing (date)",
    "ALTER TABLE customers ADD age int": "column public.customers.age is in no revision (integer)",
    "DROP TABLE gone": "table public.gone is missing (table)",
    "CREATE TABLE stray (id serial PRIMARY KEY)": "table public.stray is in no revision (table)",
    "ALTER TABLE parts DROP CONSTRAINT other_check": "constraint CHECK ((id > 0)) on public.parts is missing",
    "ALTER TABLE parts ADD CHECK (id > 0) NOT VALID": "constraint CHECK ((id > 0)) NOT VALID on public.parts is in no",
    "ALTER TABLE audit.events RENAME CONSTRAINT chosen TO c": "on audit.events must be the name chosen (got the name c",
    "ALTER TABLE audit.events DROP CONSTRAINT events_customer_fkey": "FOREIGN KEY (customer) REFERENCES public.",
    "DROP INDEX by_name": "index CREATE INDEX ON public.customers USING btree (name) is missing (the name by_name)",
    "ALTER TYPE state RENAME VALUE 'open' TO 'new'": "(got enum 'new', 'paid', 'closed')",
    "ALTER DOMAIN audit.code SET NOT NULL": "type audit.code must be domain text (got domain text NOT NULL)",
    "CREATE OR REPLACE VIEW open AS SELECT id FROM customers": "view public.open must be",
    "ALTER TABLE customers DISABLE TRIGGER touch": "(enabled: D))",
    "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'": (
        "function public.touch() must be returns trigger body"
    ),
    "ALTER POLICY all_rows ON customers USING (id > 0)": "policy all_rows on public.customers must be permissive for",
    "ALTER TABLE customers DISABLE ROW LEVEL SECURITY": "must be table with row level security (got table)",
    "ALTER SEQUENCE numbers INCREMENT 2": "by 1 (got bigint from 1 to 9223372036854775807 by 2)",
    "ALTER TABLE parts DETACH PARTITION parts_1": "table public.parts_1 must be partition of public.parts FOR VALUES",
    "CREATE SCHEMA stray": "schema stray is in no revision",
    "ALTER TABLE audit.events ALTER id SET GENERATED BY DEFAULT": "(got bigint NOT NULL GENERATED BY DEFAULT",
}


def test_every_difference_is_in_one_message_and_nothing_is_recorded(
    filled: Cluster, record: Callable[..., Outcome]
) -> None:
    with pytest.raises(BaselineError) as error:
        record("; ".join(CHANGES))
    assert [part for part in CHANGES.values() if part not in str(error.value)] == [], error.value
    assert filled.admin("SELECT count(*) FROM alembic_version") == [(0,)]
    assert "age" in columns(filled, "customers")


def test_exactly_the_accepted_differences_are_recorded(filled: Cluster, record: Callable[..., Outcome]) -> None:
    with pytest.raises(BaselineError, match="got 1 difference") as error:
        record("ALTER TABLE audit.events ADD extra int")
    [digest] = re.findall(r"accept-differences=(\w+)", str(error.value))
    with pytest.raises(BaselineError, match="got 2 differences"):
        record("ALTER TABLE audit.events ADD another int", accept_differences=digest)
    assert record("ALTER TABLE audit.events DROP another", accept_differences=digest).applied == ("r5",)
    assert filled.admin("SELECT version_num FROM alembic_version") == [("r5",)]


@pytest.mark.usefixtures("baselined")
def test_a_comparison_is_omitted_on_request(record: Callable[..., Outcome]) -> None:
    stray = "CREATE TABLE customers (id int); ALTER TABLE customers OWNER TO app_owner"
    assert record(stray, accept_differences="all").applied == ("r5",)


def test_revisions_that_need_data_are_reported_with_the_way_to_record_the_baseline(
    filled: Cluster, history: Project, run: Upgrade
) -> None:
    history.remove("r4", "r5")
    history.add("needs", "DO $$ BEGIN PERFORM 1 / count(*) FROM audit.events; END $$", down="r3")
    filled.admin("DROP INDEX by_name")
    with pytest.raises(BaselineError, match=r"needs failed: 22012: division by zero\)\. To record .*differences=all"):
        run(history, baseline="needs", baseline_database=DATABASE)


def test_an_edited_revision_is_compared_with_the_schema_of_the_heads(
    record: Callable[..., Outcome], filled: Cluster, history: Project, run: Upgrade
) -> None:
    record()
    path = history.path("r2")
    path.write_text(path.read_text().replace("customer int", "customer bigint"))
    with pytest.raises(BaselineError, match="revisions of an earlier comparison"):
        run(history, baseline="r4", baseline_database=DATABASE)
    set_up_baseline_database(filled)
    with pytest.raises(BaselineError, match=r"that of r5 \(got 1 difference\).*events.customer must be bigint"):
        run(history, baseline="r4", baseline_database=DATABASE)
    filled.admin("ALTER TABLE audit.events ALTER customer TYPE bigint")
    assert run(history, baseline="r4", baseline_database=DATABASE).heads == {"r5"}


def test_a_squash_is_recorded_only_if_it_creates_the_same_schema(
    baselined: Cluster, history: Project, run: Upgrade, tmp_path: Path
) -> None:
    run(history)
    squashed = Project(tmp_path / "squashed")
    squashed.add("s1", *REVISIONS.values(), "ALTER TABLE customers ADD COLUMN age int")
    with pytest.raises(BaselineError, match=r"must be enum 'open', 'paid' .got enum 'open', 'paid', 'closed'"):
        run(squashed, baseline="s1", baseline_database=DATABASE)
    set_up_baseline_database(baselined)
    squashed.add("s1", *REVISIONS.values(), *AFTER_R3, down=())
    squashed.revisions.remove("s1")
    assert run(squashed, baseline="s1", baseline_database=DATABASE).heads == {"s1"}


def test_a_missing_database_of_the_baseline_is_reported(baselined: Cluster, record: Callable[..., Outcome]) -> None:
    with baselined.connect_as_master() as master:
        drop_baseline_database(master, DATABASE)
    with pytest.raises(BaselineError, match=f'database "{DATABASE}" does not exist'):
        record("CREATE TABLE t (id int)")


def test_the_role_setup_does_not_drop_a_database_of_others(cluster: Cluster, database: str) -> None:
    with cluster.connect_as_master() as master, pytest.raises(RolesError, match="must not exist, or have the comment"):
        create_baseline_database(master, database)
    assert cluster.admin(f"SELECT count(*) FROM pg_database WHERE datname = '{database}'") == [(1,)]
