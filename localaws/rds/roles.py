"""RDS's roles on a new server: a superuser that customers cannot use, and a master user that is not a superuser."""

from collections.abc import Iterator

from psycopg2 import sql

from localaws.postgres import SUPERUSER, ServerAccess

FIRST_VERSION_WITH_MEMBERSHIP_OPTIONS = 160000
PASSWORD_HBA = (
    # The lines for a client that connects to the server itself and not to the proxy. `+group` also matches a role with
    # the ADMIN option only. On RDS these are the members of rds_superuser, so that their line precedes.
    f"hostnossl all {SUPERUSER} all reject",
    "hostnossl all +rds_superuser all scram-sha-256",
    "hostnossl all +rds_iam all reject",
    "hostnossl all all all scram-sha-256",
)
"""Lines of pg_hba.conf: the server accepts a password of any role that is not a member of rds_iam.

`hostnossl`: a client binds its password exchange to the certificate of the proxy, and a server with TLS would expect
its own certificate there.
"""


def create_rds_roles(access: ServerAccess, *, master_username: str, master_password: str, database: str) -> int:
    """Create RDS's roles, the master user and its database. Return the major version of the server."""
    master = sql.Identifier(master_username)
    with access.session("postgres") as admin, admin.cursor() as cursor:
        version: int = admin.server_version
        for statement in _role_statements(master, master_password, version):
            cursor.execute(statement)
        for statement in _database_statements(master, database):
            cursor.execute(statement)
    return version // 10000


def _role_statements(master: sql.Identifier, password: str, version: int) -> Iterator[sql.Composable]:
    for role in ("rds_superuser", "rds_iam", "rds_password", "rds_replication", "rds_ad"):
        yield sql.SQL("CREATE ROLE {}").format(sql.Identifier(role))
    yield sql.SQL(
        "GRANT pg_monitor, pg_signal_backend, pg_read_all_data, pg_write_all_data, pg_checkpoint, rds_password,"
        " rds_replication TO rds_superuser WITH ADMIN OPTION"
    )
    if version >= FIRST_VERSION_WITH_MEMBERSHIP_OPTIONS:
        # Since PostgreSQL 16 a role needs the ADMIN option to grant a membership. Before, CREATEROLE is enough.
        yield sql.SQL("GRANT rds_iam TO rds_superuser WITH ADMIN TRUE, INHERIT FALSE, SET FALSE")
    yield sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {} VALID UNTIL 'infinity'").format(
        master, sql.Literal(password)
    )
    yield sql.SQL("GRANT rds_superuser TO {}").format(master)


def _database_statements(master: sql.Identifier, database: str) -> Iterator[sql.Composable]:
    yield sql.SQL("CREATE DATABASE {}").format(sql.Identifier(SUPERUSER))
    for standard in ("postgres", "template1"):
        yield sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(standard), master)
    if database != "postgres":
        yield sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), master)
