"""Objects of an existing database are handed over to the owner, and back, by a master user that is no superuser."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest

from migrator.adoption import adopt
from migrator.errors import RolesError, UpgradeError
from migrator.events import RolesRequest
from migrator.roles import reconcile
from migrator.schema_catalog import Schema, read_schema
from rds_iam.deadline import Deadline
from tests.postgres.existing_database import LEFT_OVER, SHOP, create_existing_database
from tests.postgres.projects import Project
from tests.postgres.role_setup import catalog, run, set_up_roles
from tests.postgres.servers import Cluster, quoted
from tests.postgres.upgrades import as_migrator, run_upgrade

REQUEST = RolesRequest("app_owner", "migrator", ("querier",), revoke_public=False, hand_over_from=(SHOP, "billing"))
BACK = RolesRequest("app_owner", "migrator", ("querier",), revoke_public=False, hand_back_to=SHOP)


@pytest.fixture
def existing(any_version: Cluster) -> Iterator[Cluster]:
    any_version.reset()
    create_existing_database(any_version)
    yield any_version
    any_version.reset()


@pytest.fixture
def default(cluster: Cluster) -> Cluster:
    create_existing_database(cluster)
    return cluster


def hand_over(cluster: Cluster, request: RolesRequest = REQUEST, *, seconds: float = 60.0) -> int:
    """Set up the roles and hand over, as the handler does."""
    with cluster.connect_as_master() as master:
        reconcile(master, request)
        return adopt(master, request, Deadline.after(seconds))


def schema_of(cluster: Cluster) -> Schema:
    with cluster.connect_as_master() as master:
        master.autocommit = True
        return read_schema(master)


def work_as_the_application(cluster: Cluster) -> None:
    """Do what the application did before, with its password."""
    with closing(cluster.connect(SHOP, password="shop's")) as shop:
        run(shop, "INSERT INTO customers (mail) VALUES ('b@example.com')", "SELECT nextval('numbers'), add(1)")
        run(shop, """INSERT INTO "Sales"."Order Lines" (customer, at) VALUES (1, '2026-05-01')""")
        run(shop, "REFRESH MATERIALIZED VIEW counts", "CALL noop('open')", "SELECT total(id) FROM open_customers")
        assert run(shop, "SELECT value FROM secrets") == [("hidden",)]  # the owner's rows are not filtered
        run(shop, "ALTER TABLE customers ADD COLUMN extra int", "ALTER TABLE customers DROP COLUMN extra")
    with closing(cluster.connect("billing", password="billing's")) as billing:
        run(billing, "INSERT INTO billing.invoices (total) VALUES (1)", "SELECT mail FROM customers")
    with closing(cluster.connect("reporting", password="reporting's")) as reporting:
        run(reporting, "SELECT FROM customers", "SELECT FROM billing.invoices")


def test_every_object_is_handed_over_and_the_application_works_on(existing: Cluster) -> None:
    work_as_the_application(existing)
    schema = schema_of(existing)
    assert hand_over(existing) >= 24
    assert existing.admin(LEFT_OVER) == []
    assert schema_of(existing) == schema
    work_as_the_application(existing)
    with closing(existing.connect_with_token("migrator")) as migrator:
        run(migrator, "ALTER TABLE customers ADD COLUMN age int", "ALTER TYPE state ADD VALUE 'closed'")
        run(migrator, 'ALTER TABLE "Sales".lines_2026 ADD CHECK (customer > 0)', "DROP VIEW open_customers")
        run(migrator, "INSERT INTO alembic_version VALUES ('r1')", "DROP TABLE billing.invoices")


def test_a_second_hand_over_has_nothing_to_do(existing: Cluster) -> None:
    hand_over(existing)
    before = catalog(existing)
    assert hand_over(existing) == 0
    assert catalog(existing) == before


def test_the_database_the_extensions_and_the_schema_public_stay_with_their_owners(existing: Cluster) -> None:
    query = """
    SELECT datdba::regrole::text, (SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'public'),
        (SELECT extowner::regrole::text FROM pg_extension WHERE extname = 'citext'),
        (SELECT typowner::regrole::text FROM pg_type WHERE typname = 'citext')
    FROM pg_database WHERE datname = current_database()
    """
    before = existing.admin(query)
    hand_over(existing)
    assert existing.admin(query) == before
    with existing.connect_as_master() as master:
        assert run(master, "SELECT pg_has_role('app_owner', 'USAGE'), pg_has_role('billing', 'USAGE')") == [
            (False, False)
        ]


def test_the_owner_creates_objects_with_the_default_privileges_of_the_previous_owners(existing: Cluster) -> None:
    hand_over(existing)
    with closing(existing.connect_with_token("migrator")) as migrator:
        run(migrator, "CREATE TABLE later (id int)", 'CREATE SEQUENCE "Sales".later')
        run(migrator, "CREATE FUNCTION hidden() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    with closing(existing.connect("reporting", password="reporting's")) as reporting:
        run(reporting, "SELECT FROM later", """SELECT nextval('"Sales".later')""")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            run(reporting, "SELECT hidden()")


def test_the_objects_go_back_to_a_previous_owner(existing: Cluster) -> None:
    hand_over(existing)
    with closing(existing.connect_with_token("migrator")) as migrator:
        run(migrator, "CREATE TABLE later (id int)")
    hand_over(existing, BACK)
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname IN ('public', 'Sales', 'billing')"
    assert existing.admin(owners) == [(SHOP,)]
    with closing(existing.connect(SHOP, password="shop's")) as shop:
        run(shop, "ALTER TABLE later ADD x int", "ALTER TABLE customers ADD x int", "REFRESH MATERIALIZED VIEW counts")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            run(shop, "SET ROLE app_owner")
    hand_over(existing)  # and forward again
    assert existing.admin(owners) == [("app_owner",)]


def test_tables_of_the_master_user_are_handed_over_and_the_master_user_keeps_its_login(existing: Cluster) -> None:
    with existing.connect_as_master() as master:
        run(master, "CREATE TABLE mine (id serial)", "CREATE SCHEMA masters", "CREATE TABLE masters.t (id int)")
    hand_over(existing, RolesRequest("app_owner", "migrator", hand_over_from=("postgres",)))
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename IN ('mine', 't')"
    assert existing.admin(owners) == [("app_owner",)]
    with existing.connect_as_master() as master:
        run(master, "INSERT INTO mine DEFAULT VALUES", "ALTER TABLE masters.t ADD x int")


def test_a_database_and_schemas_of_a_role_that_is_not_the_master_user_can_be_adopted(existing: Cluster) -> None:
    existing.admin(f"ALTER DATABASE app OWNER TO {quoted(SHOP)}")
    existing.admin("CREATE SCHEMA foreign_schema AUTHORIZATION billing")
    existing.admin(f"CREATE TABLE foreign_schema.t (id int); ALTER TABLE foreign_schema.t OWNER TO {quoted(SHOP)}")
    hand_over(existing, RolesRequest("app_owner", "migrator", revoke_public=False, hand_over_from=(SHOP,)))
    assert existing.admin("SELECT tableowner FROM pg_tables WHERE tablename = 't'") == [("app_owner",)]
    work_as_the_application(existing)
    with existing.connect_as_master(), closing(existing.connect_with_token("migrator")) as migrator:
        run(migrator, "CREATE TABLE public.later (id int)", "CREATE TABLE foreign_schema.later (id int)")


@contextmanager
def a_reader_of(cluster: Cluster, table: str) -> Iterator[psycopg2.extensions.connection]:
    """Keep a table locked by a transaction that has read it."""
    with closing(cluster.connect(SHOP, password="shop's", application_name="a report")) as reader:
        with reader.cursor() as cursor:
            cursor.execute(f"SELECT FROM {table}")
        yield reader


def test_a_table_in_use_is_handed_over_when_its_transaction_ends(default: Cluster) -> None:
    with a_reader_of(default, "customers") as reader:
        timer = threading.Timer(1.5, reader.rollback)
        timer.start()
        hand_over(default)
        timer.join()
    assert default.admin(LEFT_OVER) == []


def test_a_table_that_stays_in_use_fails_the_hand_over_and_the_next_one_continues(default: Cluster) -> None:
    with a_reader_of(default, "customers"):
        message = r"table public\.customers of Shop \"Main\" cannot be handed over .*\(Shop \"Main\", a report\)"
        with pytest.raises(RolesError, match=message):
            hand_over(default, seconds=3.0)
        work_as_the_application_without_locks(default)
    assert {name for _, name in default.admin(LEFT_OVER)} == {"table customers", "sequence customers_id_seq"}
    assert hand_over(default) == 1


def work_as_the_application_without_locks(cluster: Cluster) -> None:
    with closing(cluster.connect(SHOP, password="shop's")) as shop:
        run(shop, "INSERT INTO secrets VALUES ('me', 'x')", "INSERT INTO customers (mail) VALUES ('c@example.com')")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (RolesRequest("app_owner", "migrator", hand_over_from=("shpo", "billing")), r"existing roles .*\(got 'shpo'\)"),
        (RolesRequest("app_owner", "migrator", hand_back_to="shpo"), r"hand-back-to must be existing roles"),
        (RolesRequest("app_owner", "migrator", hand_over_from=("rdsadmin",)), "without SUPERUSER"),
    ],
)
def test_a_hand_over_from_an_unsuitable_role_is_rejected_without_a_change(
    default: Cluster, request_: RolesRequest, message: str
) -> None:
    before = catalog(default)
    with pytest.raises(RolesError, match=message):
        hand_over(default, request_)
    assert catalog(default) == before


def test_a_master_user_without_admin_option_is_told_what_to_grant(default: Cluster) -> None:
    default.admin("REVOKE billing FROM postgres")
    with pytest.raises(RolesError, match=r"role 'billing', .*: as a role with ADMIN OPTION on 'billing', grant it"):
        hand_over(default)


def test_a_populated_database_at_revision_10_of_24_is_upgraded_after_the_hand_over(
    default: Cluster, tmp_path: Path
) -> None:
    project = Project(tmp_path / "project")
    for number in range(1, 25):
        project.add(f"r{number}", f"ALTER TABLE customers ADD r{number} int")
    columns = ", ".join(f"ADD r{number} int" for number in range(1, 11))
    default.admin(f"ALTER TABLE customers {columns}; INSERT INTO alembic_version VALUES ('r10')")
    set_up_roles(default, RolesRequest("app_owner", "migrator", revoke_public=False))
    with pytest.raises(UpgradeError, match=r"42501: .*alembic_version; .*deploy with -c hand-over-from=ROLE"):
        run_upgrade(as_migrator(default), project.folder, project.request())
    hand_over(default)
    outcome = run_upgrade(as_migrator(default), project.folder, project.request())
    assert outcome.applied == tuple(f"r{number}" for number in range(11, 25))
    work_as_the_application(default)
