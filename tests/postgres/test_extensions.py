"""Extensions that the role setup creates, and their use by a revision."""

from contextlib import closing

import pytest

from migrator.errors import RolesError
from migrator.extensions import create_extensions
from tests.postgres.projects import Project
from tests.postgres.role_setup import run, set_up_roles
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import Upgrade


def create(cluster: Cluster, *names: str) -> None:
    with cluster.connect_as_master() as master:
        create_extensions(master, names)


def installed(cluster: Cluster) -> list[object]:
    return [name for (name,) in cluster.admin("SELECT extname FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1")]


def test_missing_extensions_are_created_and_a_second_run_changes_nothing(any_version: Cluster) -> None:
    any_version.reset()
    set_up_roles(any_version)
    for _ in range(2):
        create(any_version, "hstore", "citext", "cube")
    assert installed(any_version) == ["citext", "cube", "hstore"]
    with closing(any_version.connect_with_token("migrator")) as migrator:
        run(migrator, "CREATE EXTENSION IF NOT EXISTS hstore", "CREATE TABLE t (id citext, tags hstore)")


def test_extensions_that_the_server_does_not_offer_are_listed_and_none_is_created(cluster: Cluster) -> None:
    with pytest.raises(RolesError, match=r"offered by the server, PostgreSQL \d+ \(got 'no-such', 'neither'\)"):
        create(cluster, "citext", "no-such", "neither")
    assert installed(cluster) == []


def test_an_extension_without_its_preloaded_library_is_rejected(cluster: Cluster) -> None:
    with pytest.raises(RolesError, match="pg_stat_statements must be in shared_preload_libraries: add them to this"):
        create(cluster, "pg_stat_statements")


def test_an_extension_that_the_master_user_may_not_create_is_rejected_with_the_reason(cluster: Cluster) -> None:
    # On RDS, the master user may create the extensions in rds.allowed_extensions, also untrusted ones.
    with pytest.raises(RolesError, match=r"postgres_fdw cannot be created: 42501: .*; on RDS, rds.allowed_extensions"):
        create(cluster, "postgres_fdw")


def test_a_revision_creates_trusted_extensions_itself_and_repeats_those_that_exist(
    run: Upgrade, project: Project, bootstrapped: Cluster
) -> None:
    bootstrapped.admin("CREATE EXTENSION postgres_fdw")
    project.add("r2", "CREATE EXTENSION IF NOT EXISTS postgres_fdw", "CREATE EXTENSION citext")
    assert run(project).applied == ("r1", "r2")


@pytest.mark.parametrize(
    "shadow",
    [
        "CREATE FUNCTION public.lower(name) RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
        "CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, FUNCTION = pg_catalog.nameeqtext)",
    ],
)
def test_an_untrusted_extension_is_not_created_beside_look_alikes_of_the_catalog(
    bootstrapped: Cluster, shadow: str
) -> None:
    with closing(bootstrapped.connect_with_token("migrator")) as migrator:
        run(migrator, shadow)
    with pytest.raises(RolesError, match=r"names of pg_catalog while extension postgres_fdw.*of app_owner\)"):
        create(bootstrapped, "postgres_fdw")
    create(bootstrapped, "citext")  # trusted
