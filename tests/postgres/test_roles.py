"""The role bootstrap against a real server, as a master user that is no superuser; grants are proved by using them."""

from contextlib import closing

import psycopg2
import pytest
from psycopg2 import errors
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.errors import RolesError
from migrator.events import RolesRequest
from migrator.roles import converge
from tests.postgres.servers import Cluster

REQUEST = RolesRequest("app_owner", "migrator", ("querier",))


@pytest.fixture
def cluster(any_version: Cluster) -> Cluster:
    """Return a cluster of each supported version, with an empty database and without our roles."""
    any_version.reset()
    return any_version


def bootstrap(cluster: Cluster, request: RolesRequest = REQUEST, old: RolesRequest | None = None) -> None:
    with cluster.connect_as_master() as master:
        converge(master, request, old)


def run(connection: Connection, *statements: str) -> list[tuple[object, ...]]:
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def catalog(cluster: Cluster) -> list[tuple[object, ...]]:
    """Everything the bootstrap is to set up, as the server's catalogs have it."""
    return [
        *cluster.admin(
            "SELECT rolname, rolcanlogin, rolinherit, rolcreaterole, rolcreatedb, rolsuper FROM pg_roles ORDER BY 1"
        ),
        *cluster.admin("SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members ORDER BY 1, 2"),
        *cluster.admin("SELECT datacl::text FROM pg_database WHERE datname = current_database()"),
        *cluster.admin("SELECT nspacl::text FROM pg_namespace WHERE nspname = 'public'"),
        *cluster.admin("SELECT setrole::regrole::text, setconfig::text FROM pg_db_role_setting ORDER BY 1"),
    ]


def test_the_migrator_works_as_the_owner(cluster: Cluster) -> None:
    bootstrap(cluster)
    with closing(cluster.connect_with_token("migrator")) as migrator:
        assert run(migrator, "SELECT current_user, session_user") == [("app_owner", "migrator")]
        run(migrator, "CREATE TABLE t (id int)", "CREATE SCHEMA s", "CREATE TYPE s.color AS ENUM ('red')")
    assert cluster.admin("SELECT tableowner FROM pg_tables WHERE tablename = 't'") == [("app_owner",)]
    assert cluster.admin("SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 's'") == [("app_owner",)]


def test_a_user_may_do_what_the_owner_grants_and_nothing_else(cluster: Cluster) -> None:
    bootstrap(cluster)
    with closing(cluster.connect_with_token("migrator")) as migrator:
        run(migrator, "CREATE TABLE open (id int)", "CREATE TABLE shut (id int)", "GRANT SELECT ON open TO querier")
    with closing(cluster.connect_with_token("querier")) as querier:
        assert run(querier, "SELECT * FROM open") == []
        for statement in (
            "SELECT * FROM shut",
            "INSERT INTO open VALUES (1)",
            "CREATE TABLE mine (id int)",
            "CREATE TEMPORARY TABLE mine (id int)",
            "CREATE SCHEMA mine",
            "DROP TABLE open",
            "SET ROLE app_owner",
            "SET ROLE migrator",
            "CREATE ROLE mine",
            "ALTER ROLE querier SUPERUSER",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                run(querier, statement)


def test_nobody_logs_in_as_the_owner(cluster: Cluster) -> None:
    bootstrap(cluster)
    with pytest.raises(psycopg2.OperationalError, match=r"not permitted to log in|authentication failed"):
        cluster.connect_with_token("app_owner")


@pytest.mark.parametrize("login", ["migrator", "querier"])
def test_a_login_has_no_password(cluster: Cluster, login: str) -> None:
    bootstrap(cluster)
    assert cluster.admin(f"SELECT passwd FROM pg_shadow WHERE usename = '{login}'") == [(None,)]
    with pytest.raises(psycopg2.OperationalError, match="PAM authentication failed"):
        cluster.connect(login, password="guess")


def test_a_second_run_changes_nothing(cluster: Cluster) -> None:
    bootstrap(cluster)
    before = catalog(cluster)
    bootstrap(cluster, old=REQUEST)
    bootstrap(cluster)
    assert catalog(cluster) == before


def test_what_somebody_changed_by_hand_is_mended(cluster: Cluster) -> None:
    bootstrap(cluster)
    before = catalog(cluster)
    with cluster.connect_as_master() as master:
        run(
            master,
            "ALTER ROLE app_owner LOGIN",
            "ALTER ROLE querier NOLOGIN",
            "REVOKE rds_iam FROM migrator",
            "REVOKE CONNECT ON DATABASE app FROM querier",
        )
    assert catalog(cluster) != before
    bootstrap(cluster)
    assert catalog(cluster) == before


def test_a_password_set_by_hand_is_removed(cluster: Cluster) -> None:
    bootstrap(cluster)
    with cluster.connect_as_master() as master:
        run(master, "ALTER ROLE querier PASSWORD 'by hand'")
    bootstrap(cluster)
    assert cluster.admin("SELECT passwd FROM pg_shadow WHERE usename = 'querier'") == [(None,)]


def test_the_master_keeps_its_password_login(cluster: Cluster) -> None:
    bootstrap(cluster)
    with cluster.connect_as_master() as master:
        assert run(master, "SELECT pg_has_role(current_user, 'rds_iam', 'USAGE')") == [(False,)]


def test_a_bootstrap_that_would_lock_the_master_out_is_refused_and_changes_nothing(cluster: Cluster) -> None:
    bootstrap(cluster)
    # The owner becomes a login, of which the master is then a member with all rights.
    with cluster.connect_as_master() as master:
        run(master, "GRANT app_owner TO CURRENT_USER")
    before = catalog(cluster)
    with pytest.raises(RolesError, match="lose its password login"):
        bootstrap(cluster, RolesRequest("new_owner", "app_owner"))
    assert catalog(cluster) == before


def test_a_new_user_is_added_and_one_that_left_is_locked_out(cluster: Cluster) -> None:
    bootstrap(cluster)
    newer = RolesRequest("app_owner", "migrator", ("reporter",))
    bootstrap(cluster, newer, old=REQUEST)
    cluster.connect_with_token("reporter").close()
    with pytest.raises(psycopg2.OperationalError):
        cluster.connect_with_token("querier")
    bootstrap(cluster, REQUEST, old=newer)  # the rollback
    cluster.connect_with_token("querier").close()
    with pytest.raises(psycopg2.OperationalError):
        cluster.connect_with_token("reporter")


def test_another_migrator_takes_over_what_the_first_one_made(cluster: Cluster) -> None:
    bootstrap(cluster)
    with closing(cluster.connect_with_token("migrator")) as migrator:
        run(migrator, "CREATE TABLE t (id int)")
    bootstrap(cluster, RolesRequest("app_owner", "deployer", ("querier",)), old=REQUEST)
    with closing(cluster.connect_with_token("deployer")) as deployer:
        run(deployer, "ALTER TABLE t ADD name text")
    with pytest.raises(psycopg2.OperationalError):
        cluster.connect_with_token("migrator")


def test_another_owner_gets_everything_and_gives_it_back_on_a_rollback(cluster: Cluster) -> None:
    bootstrap(cluster)
    with closing(cluster.connect_with_token("migrator")) as migrator:
        run(migrator, "CREATE TABLE t (id int)")
    other = RolesRequest("other_owner", "migrator", ("querier",))
    bootstrap(cluster, other, old=REQUEST)
    with closing(cluster.connect_with_token("migrator")) as migrator:
        assert run(migrator, "SELECT current_user") == [("other_owner",)]
        run(migrator, "ALTER TABLE t ADD name text")
    bootstrap(cluster, REQUEST, old=other)
    assert cluster.admin("SELECT tableowner FROM pg_tables WHERE tablename = 't'") == [("app_owner",)]
    with closing(cluster.connect_with_token("migrator")) as migrator:
        run(migrator, "ALTER TABLE t DROP name")


def test_a_migrator_may_become_a_user_and_back(cluster: Cluster) -> None:
    bootstrap(cluster)
    swapped = RolesRequest("app_owner", "querier", ("migrator",))
    bootstrap(cluster, swapped, old=REQUEST)
    with closing(cluster.connect_with_token("migrator")) as former:
        assert run(former, "SELECT current_user") == [("migrator",)]
        with pytest.raises(errors.InsufficientPrivilege):
            run(former, "CREATE TABLE t (id int)")
    before = catalog(cluster)
    bootstrap(cluster, swapped)
    assert catalog(cluster) == before


def test_names_that_need_quotes_are_quoted(cluster: Cluster) -> None:
    odd = RolesRequest('app "owner"', "Migrator-1", ("qu'erier; DROP",))
    bootstrap(cluster, odd)
    with closing(cluster.connect_with_token("Migrator-1")) as migrator:
        assert run(migrator, "SELECT current_user") == [('app "owner"',)]
    cluster.connect_with_token("qu'erier; DROP").close()


def test_a_failure_in_the_middle_leaves_nothing_behind(cluster: Cluster) -> None:
    before = catalog(cluster)
    broken = RolesRequest("app_owner", "migrator", ("postgres",))  # the master itself: it would lose its password
    with pytest.raises((RolesError, psycopg2.Error)):
        bootstrap(cluster, broken)
    assert catalog(cluster) == before


def test_the_rollback_of_a_bootstrap_that_never_got_through_succeeds(cluster: Cluster) -> None:
    bootstrap(cluster)
    before = catalog(cluster)
    bootstrap(cluster, old=RolesRequest("never_owner", "never_migrator", ("never_user",)))
    assert catalog(cluster) == before
