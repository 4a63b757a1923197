"""The role setup in a database with objects that the migrator or the owner created for the master to execute."""

from contextlib import closing

import pytest
from psycopg2 import errors
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.events import RolesRequest
from migrator.extensions import create_extensions
from migrator.hand_over import hand_over
from rds_iam.deadline import Deadline
from tests.postgres.plants import PAYLOAD, PLANTS, PUBLIC_FIRST, REFUSED
from tests.postgres.role_setup import REQUEST, privileges, run, set_up_roles
from tests.postgres.servers import SETTINGS, Cluster

MORE_USERS = RolesRequest("app_owner", "migrator", ("querier", "reporter"))
OTHER_OWNER = RolesRequest("other_owner", "deployer", ("reporter",))


@pytest.fixture
def cluster(any_version: Cluster) -> Cluster:
    any_version.reset()
    return any_version


def set_up_again(cluster: Cluster) -> None:
    """Add a user, and adopt the objects of the migrator. Then change the owner and the migrator.

    The change of the owner hands its objects over, and the change of the migrator revokes its login.
    """
    set_up_roles(cluster, MORE_USERS, old=REQUEST)
    with cluster.connect_as_master() as master:
        for old, new in (("migrator", "app_owner"), ("app_owner", "migrator"), ("migrator", "app_owner")):
            hand_over(master, [old], new, Deadline.after(60))
    set_up_roles(cluster, OTHER_OWNER, old=MORE_USERS)


def create_extension(cluster: Cluster) -> None:
    with cluster.connect_as_master() as master:
        create_extensions(master, ["hstore"])


def plant_everything(planter: Connection) -> None:
    run(planter, PAYLOAD)
    for plant in PLANTS:
        sequence = f"public.runs_of_{plant.name}"
        run(planter, f"CREATE SEQUENCE {sequence}", f"GRANT USAGE ON {sequence} TO PUBLIC", *plant.statements)


def executed(cluster: Cluster) -> list[str]:
    """Return the names of the plants whose code has been executed."""
    runs = cluster.admin("SELECT sequencename FROM pg_sequences WHERE last_value IS NOT NULL ORDER BY 1")
    return [str(name).removeprefix("runs_of_") for (name,) in runs]


def run_probes(cluster: Cluster) -> None:
    """Execute as the master what would run each plant if the search path were not pinned."""
    with cluster.connect_as_master() as master, master.cursor() as cursor:
        for plant in filter(lambda plant: plant.probe, PLANTS):
            cursor.execute(f"SET LOCAL search_path = {plant.path}")
            cursor.execute(plant.probe)
            master.rollback()


@pytest.mark.parametrize("role", ["migrator", "app_owner"])
def test_the_role_setup_executes_no_code_that_a_weaker_role_has_planted(cluster: Cluster, role: str) -> None:
    set_up_roles(cluster)
    set_up_again(cluster)
    create_extension(cluster)
    without_plants = privileges(cluster)
    cluster.reset()
    set_up_roles(cluster)
    with closing(cluster.connect_with_token("migrator")) as planter:
        run(planter, f"SET ROLE {role}")
        plant_everything(planter)
        # With this search path of the administrator, exact copies of PostgreSQL's functions would be executed too.
        cluster.admin(f"ALTER ROLE {SETTINGS.master_username} SET search_path = {PUBLIC_FIRST}")
        try:
            set_up_again(cluster)
            create_extension(cluster)
        finally:
            cluster.admin(f"ALTER ROLE {SETTINGS.master_username} RESET search_path")
    assert executed(cluster) == []
    assert privileges(cluster) == without_plants
    run_probes(cluster)
    assert executed(cluster) == sorted(plant.name for plant in PLANTS if plant.probe)


def test_event_triggers_of_the_administrator_execute_no_planted_code(cluster: Cluster) -> None:
    set_up_roles(cluster)
    with closing(cluster.connect_with_token("migrator")) as planter:
        run(planter, "CREATE FUNCTION public.planted() RETURNS bool LANGUAGE sql AS 'SELECT true'")
    cluster.admin("""
    CREATE FUNCTION pg_catalog.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF to_regproc('planted') IS NOT NULL THEN
            RAISE EXCEPTION 'visible';
        END IF;
    END $$
    """)
    cluster.admin("CREATE EVENT TRIGGER on_ddl ON ddl_command_end EXECUTE FUNCTION pg_catalog.on_ddl()")
    with cluster.connect_as_master() as master, pytest.raises(errors.RaiseException, match="visible"):
        run(master, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    set_up_again(cluster)


def test_weaker_roles_cannot_change_sessions_of_other_roles_or_forge_the_mark_of_managed_roles(
    cluster: Cluster,
) -> None:
    set_up_roles(cluster)
    cluster.admin("CREATE ROLE reporter")
    for login, role in (("migrator", "migrator"), ("migrator", "app_owner"), ("querier", "querier")):
        with closing(cluster.connect_with_token(login)) as session, session.cursor() as cursor:
            session.autocommit = True  # ALTER SYSTEM cannot run in a transaction
            cursor.execute(f"SET ROLE {role}")
            for statement in REFUSED:
                with pytest.raises(errors.InsufficientPrivilege):
                    cursor.execute(statement)
