"""The role setup on a cluster, and the catalogs that it changes."""

from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.events import RolesRequest
from migrator.roles import reconcile
from tests.postgres.servers import Cluster

REQUEST = RolesRequest("app_owner", "migrator", ("querier",), reader="reader")


def set_up_roles(cluster: Cluster, request: RolesRequest = REQUEST, old: RolesRequest | None = None) -> None:
    """Run the role setup as the master user."""
    with cluster.connect_as_master() as master:
        reconcile(master, request, old)


def run(connection: Connection, *statements: str) -> list[tuple[object, ...]]:
    """Execute statements in one transaction; return the rows of the last one."""
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return [] if cursor.description is None else cursor.fetchall()


def privileges(cluster: Cluster) -> list[tuple[object, ...]]:
    """Return the attributes and memberships of all roles, and the privileges on the database and on schema public."""
    return [
        *cluster.admin(
            "SELECT rolname, rolcanlogin, rolinherit, rolcreaterole, rolcreatedb, rolsuper FROM pg_roles ORDER BY 1"
        ),
        *cluster.admin("SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members ORDER BY 1, 2"),
        *cluster.admin("SELECT unnest(datacl::text[]) FROM pg_database WHERE datname = current_database() ORDER BY 1"),
        *cluster.admin("SELECT unnest(nspacl::text[]) FROM pg_namespace WHERE nspname = 'public' ORDER BY 1"),
    ]


def catalog(cluster: Cluster) -> list[tuple[object, ...]]:
    """Return the privileges, and the settings of the roles."""
    settings = "SELECT setrole::regrole::text, setconfig::text FROM pg_db_role_setting ORDER BY 1"
    return [*privileges(cluster), *cluster.admin(settings)]
