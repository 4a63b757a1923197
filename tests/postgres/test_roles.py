"""The role setup on a server, by a master user that is not a superuser. Tests use the privileges that it grants."""

from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest
from psycopg2 import errors

from migrator.errors import RolesError
from migrator.events import RolesRequest
from tests.postgres.role_setup import REQUEST, catalog, run, set_up_roles
from tests.postgres.servers import Cluster


@pytest.fixture
def cluster(any_version: Cluster) -> Cluster:
    """Return a cluster of each supported version, with an empty database and without roles of other tests."""
    any_version.reset()
    return any_version


def test_the_migrator_works_as_the_owner(cluster: Cluster) -> None:
    set_up_roles(cluster)
    with closing(cluster.connect_with_token("migrator")) as migrator:
        assert run(migrator, "SELECT current_user, session_user") == [("app_owner", "migrator")]
        run(migrator, "CREATE TABLE t (id int)", "CREATE SCHEMA s", "CREATE TYPE s.color AS ENUM ('red')")
    assert cluster.admin("SELECT tableowner FROM pg_tables WHERE tablename = 't'") == [("app_owner",)]
    assert cluster.admin("SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 's'") == [("app_owner",)]


def test_a_user_may_do_what_the_owner_grants_and_nothing_else(cluster: Cluster) -> None:
    set_up_roles(cluster)
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


def test_the_owner_cannot_log_in(cluster: Cluster) -> None:
    set_up_roles(cluster)
    with pytest.raises(psycopg2.OperationalError, match=r"not permitted to log in|authentication failed"):
        cluster.connect_with_token("app_owner")


@pytest.mark.parametrize("login", ["migrator", "querier"])
def test_a_login_has_no_password(cluster: Cluster, login: str) -> None:
    set_up_roles(cluster)
    assert cluster.admin(f"SELECT passwd FROM pg_shadow WHERE usename = '{login}'") == [(None,)]
    with pytest.raises(psycopg2.OperationalError, match="PAM authentication failed"):
        cluster.connect(login, password="guess")


def test_a_second_role_setup_does_not_change_the_catalogs(cluster: Cluster) -> None:
    set_up_roles(cluster)
    before = catalog(cluster)
    set_up_roles(cluster, old=REQUEST)
    set_up_roles(cluster)
    assert catalog(cluster) == before


def test_the_role_setup_reverts_manual_changes_of_its_roles(cluster: Cluster) -> None:
    set_up_roles(cluster)
    before = catalog(cluster)
    with cluster.connect_as_master() as master:
        run(
            master,
            "ALTER ROLE app_owner LOGIN",
            "ALTER ROLE querier NOLOGIN",
            "REVOKE rds_iam FROM migrator",
            "REVOKE app_owner FROM migrator",
            "ALTER ROLE migrator NOINHERIT",
            "ALTER ROLE migrator IN DATABASE app RESET role",
            "REVOKE CONNECT ON DATABASE app FROM querier",
            "GRANT CONNECT ON DATABASE app TO PUBLIC",
            "GRANT CREATE ON SCHEMA public TO PUBLIC",
        )
    assert catalog(cluster) != before
    set_up_roles(cluster)
    assert catalog(cluster) == before


def test_memberships_with_other_options_are_repaired(cluster: Cluster) -> None:
    set_up_roles(cluster)
    if cluster.postgres.server_version >= 16:
        with cluster.connect_as_master() as master:
            run(master, "GRANT rds_iam TO migrator WITH INHERIT FALSE")
            run(master, "GRANT app_owner TO migrator WITH INHERIT FALSE, SET FALSE")
    else:
        cluster.admin("ALTER ROLE migrator NOINHERIT")
    set_up_roles(cluster)
    with closing(cluster.connect_with_token("migrator")) as migrator:
        run(migrator, "CREATE TABLE t (id int)")


def test_the_role_setup_removes_a_password_of_its_roles(cluster: Cluster) -> None:
    set_up_roles(cluster)
    with cluster.connect_as_master() as master:
        run(master, "ALTER ROLE querier PASSWORD 'by hand'")
    set_up_roles(cluster)
    assert cluster.admin("SELECT passwd FROM pg_shadow WHERE usename = 'querier'") == [(None,)]


def test_the_master_keeps_its_password_login(cluster: Cluster) -> None:
    set_up_roles(cluster)
    with cluster.connect_as_master() as master:
        assert run(master, "SELECT pg_has_role(current_user, 'rds_iam', 'USAGE')") == [(False,)]


def test_a_role_setup_that_would_prevent_the_login_of_the_master_is_rejected_without_a_change(cluster: Cluster) -> None:
    set_up_roles(cluster)
    # The owner would become a login role, of which the master is a member.
    with cluster.connect_as_master() as master:
        run(master, "GRANT app_owner TO CURRENT_USER")
    before = catalog(cluster)
    with pytest.raises(RolesError, match="lose its password login"):
        set_up_roles(cluster, RolesRequest("new_owner", "app_owner"))
    assert catalog(cluster) == before


def test_a_new_user_can_log_in_and_a_removed_user_cannot(cluster: Cluster) -> None:
    set_up_roles(cluster)
    newer = RolesRequest("app_owner", "migrator", ("reporter",))
    set_up_roles(cluster, newer, old=REQUEST)
    cluster.connect_with_token("reporter").close()
    with pytest.raises(psycopg2.OperationalError):
        cluster.connect_with_token("querier")
    set_up_roles(cluster, REQUEST, old=newer)  # the rollback
    cluster.connect_with_token("querier").close()
    with pytest.raises(psycopg2.OperationalError):
        cluster.connect_with_token("reporter")


def test_a_new_migrator_may_change_the_tables_of_the_old_migrator(cluster: Cluster) -> None:
    set_up_roles(cluster)
    with closing(cluster.connect_with_token("migrator")) as migrator:
        run(migrator, "CREATE TABLE t (id int)")
    set_up_roles(cluster, RolesRequest("app_owner", "deployer", ("querier",)), old=REQUEST)
    with closing(cluster.connect_with_token("deployer")) as deployer:
        run(deployer, "ALTER TABLE t ADD name text")
    with pytest.raises(psycopg2.OperationalError):
        cluster.connect_with_token("migrator")


def test_a_new_owner_gets_all_tables_and_a_rollback_returns_them(cluster: Cluster) -> None:
    set_up_roles(cluster)
    with closing(cluster.connect_with_token("migrator")) as migrator:
        run(migrator, "CREATE TABLE t (id int)")
    other = RolesRequest("other_owner", "migrator", ("querier",))
    set_up_roles(cluster, other, old=REQUEST)
    with closing(cluster.connect_with_token("migrator")) as migrator:
        assert run(migrator, "SELECT current_user") == [("other_owner",)]
        run(migrator, "ALTER TABLE t ADD name text")
    set_up_roles(cluster, REQUEST, old=other)
    assert cluster.admin("SELECT tableowner FROM pg_tables WHERE tablename = 't'") == [("app_owner",)]
    with closing(cluster.connect_with_token("migrator")) as migrator:
        run(migrator, "ALTER TABLE t DROP name")


def test_the_master_user_has_no_right_of_an_owner_after_a_change_of_the_owner(cluster: Cluster) -> None:
    set_up_roles(cluster)
    set_up_roles(cluster, RolesRequest("other_owner", "migrator", ("querier",)), old=REQUEST)
    with cluster.connect_as_master() as master:
        rights = "SELECT pg_has_role('app_owner', 'USAGE'), pg_has_role('other_owner', 'USAGE')"
        assert run(master, rights) == [(False, False)]


def test_the_role_of_a_migrator_may_become_a_user_and_a_migrator_again(cluster: Cluster) -> None:
    set_up_roles(cluster)
    swapped = RolesRequest("app_owner", "querier", ("migrator",))
    set_up_roles(cluster, swapped, old=REQUEST)
    with closing(cluster.connect_with_token("migrator")) as former:
        assert run(former, "SELECT current_user") == [("migrator",)]
        with pytest.raises(errors.InsufficientPrivilege):
            run(former, "CREATE TABLE t (id int)")
    before = catalog(cluster)
    set_up_roles(cluster, swapped)
    assert catalog(cluster) == before


def test_role_names_that_need_quotes_are_quoted(cluster: Cluster) -> None:
    odd = RolesRequest('app "owner"', "Migrator-1", ("qu'erier; DROP",))
    set_up_roles(cluster, odd)
    with closing(cluster.connect_with_token("Migrator-1")) as migrator:
        assert run(migrator, "SELECT current_user") == [('app "owner"',)]
    cluster.connect_with_token("qu'erier; DROP").close()


def test_a_failed_role_setup_does_not_change_the_catalogs(cluster: Cluster) -> None:
    before = catalog(cluster)
    broken = RolesRequest("app_owner", "migrator", ("postgres",))  # the master itself: it would lose its password
    with pytest.raises((RolesError, psycopg2.Error)):
        set_up_roles(cluster, broken)
    assert catalog(cluster) == before


def test_the_rollback_of_a_failed_first_role_setup_succeeds(cluster: Cluster) -> None:
    set_up_roles(cluster)
    before = catalog(cluster)
    set_up_roles(cluster, old=RolesRequest("never_owner", "never_migrator", ("never_user",)))
    assert catalog(cluster) == before


def test_the_reader_observes_the_server_and_reads_granted_tables_only(cluster: Cluster) -> None:
    set_up_roles(cluster)
    with closing(cluster.connect_with_token("migrator")) as migrator:
        run(migrator, "CREATE TABLE open (id int)", "CREATE TABLE shut (id int)", "GRANT SELECT ON open TO reader")
        with closing(cluster.connect_with_token("reader")) as reader:
            assert run(reader, "SELECT * FROM open") == []
            assert run(reader, "SHOW transaction_read_only") == [("on",)]
            pid = migrator.info.backend_pid
            assert run(reader, f"SELECT query FROM pg_stat_activity WHERE pid = {pid}") == [("COMMIT",)]
            for statement in ("SELECT * FROM shut", "SET ROLE migrator", f"SELECT pg_terminate_backend({pid})"):
                with pytest.raises(errors.InsufficientPrivilege):
                    run(reader, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO open VALUES (1)",
        "CREATE TABLE mine (id int)",
        "CREATE TEMPORARY TABLE mine (id int)",
        "ALTER ROLE reader CREATEROLE",
    ],
)
def test_the_reader_may_not_write_in_a_transaction_that_permits_writing(cluster: Cluster, statement: str) -> None:
    set_up_roles(cluster)
    with closing(cluster.connect_with_token("migrator")) as migrator:
        run(migrator, "CREATE TABLE open (id int)", "GRANT SELECT ON open TO reader")
    with closing(cluster.connect_with_token("reader")) as reader, pytest.raises(errors.InsufficientPrivilege):
        run(reader, "SET TRANSACTION READ WRITE", statement)


def test_a_reader_of_all_tables_needs_no_grant_until_this_is_revoked(cluster: Cluster) -> None:
    set_up_roles(cluster, replace(REQUEST, reader_reads_all=True))
    with closing(cluster.connect_with_token("migrator")) as migrator:
        run(migrator, "CREATE TABLE shut (id int)")
    with closing(cluster.connect_with_token("reader")) as reader:
        assert run(reader, "SELECT * FROM shut") == []
        set_up_roles(cluster)
        with pytest.raises(errors.InsufficientPrivilege):
            run(reader, "SELECT * FROM shut")


def test_the_migrator_may_end_a_session_of_another_user_and_its_owner_may_not(cluster: Cluster) -> None:
    set_up_roles(cluster)
    with (
        closing(cluster.connect_with_token("querier")) as querier,
        closing(cluster.connect_with_token("migrator")) as m,
    ):
        terminate = f"SELECT pg_terminate_backend({querier.info.backend_pid})"
        with pytest.raises(errors.InsufficientPrivilege):
            run(m, terminate)
        assert run(m, "SET ROLE NONE", terminate) == [(True,)]
