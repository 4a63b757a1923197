"""Roles that the role setup did not create: deployments and rollbacks do not change them."""

import pytest

from migrator.errors import RolesError
from migrator.events import RolesRequest
from tests.postgres.role_setup import REQUEST, catalog, run, set_up_roles
from tests.postgres.servers import Cluster

WITH_REPORTER = RolesRequest("app_owner", "migrator", ("querier", "reporter"))
# The statements of the master user that create each role.
STATEMENTS = {
    "with a password": ["CREATE ROLE reporter LOGIN CREATEDB PASSWORD 'by hand' VALID UNTIL '2040-01-01'"],
    "without a login": ["CREATE ROLE reporter"],
    "with a comment": [
        "CREATE ROLE reporter LOGIN",
        "COMMENT ON ROLE reporter IS 'not Managed by Custom::DatabaseRoles'",
    ],
    "in rds_iam without a login": ["CREATE ROLE reporter", "GRANT rds_iam TO reporter"],
}
LOGIN_BY_TOKEN = [
    "CREATE ROLE reporter LOGIN NOINHERIT CONNECTION LIMIT 7 PASSWORD 'by hand'",
    "GRANT rds_iam TO reporter WITH INHERIT TRUE, SET FALSE",
]


def reporter(cluster: Cluster) -> list[tuple[object, ...]]:
    """Return everything that PostgreSQL stores about the role."""
    return [
        *cluster.admin("SELECT *, shobj_description(oid, 'pg_authid') FROM pg_authid WHERE rolname = 'reporter'"),
        *cluster.admin("SELECT * FROM pg_auth_members WHERE 'reporter'::regrole IN (roleid, member) ORDER BY oid"),
        *cluster.admin("SELECT * FROM pg_db_role_setting WHERE setrole = 'reporter'::regrole"),
        *cluster.admin("SELECT * FROM pg_shdepend WHERE refobjid = 'reporter'::regrole AND deptype = 'o'"),
    ]


@pytest.mark.parametrize(
    ("statements", "roles"),
    [
        *((statements, WITH_REPORTER) for statements in STATEMENTS.values()),
        (STATEMENTS["with a password"], RolesRequest("reporter", "migrator", ("querier",))),
        (STATEMENTS["with a password"], RolesRequest("app_owner", "reporter", ("querier",))),
    ],
    ids=[*(f"a user {kind}" for kind in STATEMENTS), "as the owner", "as the migrator"],
)
def test_a_deployment_that_names_a_role_of_others_fails_and_rolls_back_without_a_change(
    cluster: Cluster, statements: list[str], roles: RolesRequest
) -> None:
    set_up_roles(cluster)
    with cluster.connect_as_master() as master:
        run(master, *statements)
    before, role = catalog(cluster), reporter(cluster)
    with pytest.raises(RolesError, match=r"role names must be .*\(got 'reporter'\): choose another name"):
        set_up_roles(cluster, roles, old=REQUEST)
    assert (catalog(cluster), reporter(cluster)) == (before, role)
    set_up_roles(cluster, REQUEST, old=roles)
    assert (catalog(cluster), reporter(cluster)) == (before, role)


def test_an_existing_user_that_logs_in_by_token_is_accepted_unchanged(cluster: Cluster) -> None:
    set_up_roles(cluster)
    with cluster.connect_as_master() as master:
        run(master, *LOGIN_BY_TOKEN)
    role = reporter(cluster)
    set_up_roles(cluster, WITH_REPORTER, old=REQUEST)
    cluster.connect_with_token("reporter").close()
    set_up_roles(cluster, REQUEST, old=WITH_REPORTER)
    assert reporter(cluster) == role


@pytest.mark.parametrize("roles", [RolesRequest("reporter", "migrator"), RolesRequest("app_owner", "reporter")])
def test_a_role_of_others_that_logs_in_by_token_cannot_be_owner_or_migrator(
    cluster: Cluster, roles: RolesRequest
) -> None:
    set_up_roles(cluster)
    with cluster.connect_as_master() as master:
        run(master, *LOGIN_BY_TOKEN)
    with pytest.raises(RolesError, match="got 'reporter'"):
        set_up_roles(cluster, roles, old=REQUEST)


def test_the_error_names_each_role_of_others_and_the_statements_that_hand_it_over(cluster: Cluster) -> None:
    with cluster.connect_as_master() as master:
        run(master, 'CREATE ROLE "app ""owner"', "CREATE ROLE reporter LOGIN PASSWORD 'by hand'")
    roles = RolesRequest('app "owner', "migrator", ("reporter",))
    with pytest.raises(RolesError, match=r"""got 'app "owner', 'reporter'""") as error:
        set_up_roles(cluster, roles)
    statements = str(error.value).rpartition("by password: ")[2]
    with cluster.connect_as_master() as master:
        run(master, statements)
    set_up_roles(cluster, roles)
    cluster.connect_with_token("reporter").close()


def test_a_text_after_the_mark_of_a_managed_role_is_kept(cluster: Cluster) -> None:
    comment = "Managed by Custom::DatabaseRoles; asks: team blue"
    with cluster.connect_as_master() as master:
        run(master, "CREATE ROLE querier", f"COMMENT ON ROLE querier IS '{comment}'")
    set_up_roles(cluster)
    cluster.connect_with_token("querier").close()
    assert cluster.admin("SELECT shobj_description('querier'::regrole, 'pg_authid')") == [(comment,)]


def test_removed_roles_keep_their_login_if_another_database_uses_them(cluster: Cluster, database: str) -> None:
    everything = RolesRequest("app_owner", "migrator", ("querier", "reporter"))
    set_up_roles(cluster, everything)
    cluster.admin(f"GRANT CONNECT ON DATABASE {database} TO app_owner, migrator, querier")
    other = RolesRequest("other_owner", "deployer", ("analyst",))
    set_up_roles(cluster, other, old=everything)
    logins = cluster.admin("SELECT rolname FROM pg_roles WHERE rolcanlogin AND pg_has_role(oid, 'rds_iam', 'USAGE')")
    assert {name for (name,) in logins} >= {"migrator", "querier", "deployer", "analyst"}
    assert ("reporter",) not in logins
    assert cluster.admin("SELECT pg_has_role('migrator', 'app_owner', 'SET')") == [(True,)]
    allowed = "SELECT rolname FROM pg_roles WHERE rolname = 'querier' AND has_database_privilege(oid, 'app', 'CONNECT')"
    assert cluster.admin(allowed) == []


def test_public_keeps_its_privileges_with_a_warning_if_the_option_is_off(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.admin("GRANT CREATE ON SCHEMA public TO PUBLIC")
    everybody = """
    SELECT has_database_privilege('public', current_database(), 'CONNECT'),
        has_schema_privilege('public', 'public', 'CREATE')
    """
    set_up_roles(cluster, RolesRequest("app_owner", "migrator", ("querier",), revoke_public=False))
    assert cluster.admin(everybody) == [(True, True)]
    (warning,) = caplog.messages
    assert warning.endswith("run REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    caplog.clear()
    set_up_roles(cluster)
    assert cluster.admin(everybody) == [(False, False)]
    assert not caplog.messages
