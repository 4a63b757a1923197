"""Set up the roles of the database: an owner without login, and login roles that need an IAM token.

Works for a master user that is not a superuser, on PostgreSQL 15 and later. A second run changes nothing. Changes only
the roles that it has created (see `managed_roles`).
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.DBAccounts.html

The master user has more rights than the owner, which may create objects in the database. So no name is resolved through
a schema that the owner may write to: names of functions and relations are qualified, and `search_path` is fixed.
"""

from aws_lambda_powertools import Logger
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - likewise

from migrator.errors import RolesError
from migrator.events import RolesRequest
from migrator.managed_roles import (
    create_role,
    read_roles,
    reject_unmanaged,
    reject_unsuitable_owners,
    roles_of_other_databases,
)
from migrator.memberships import has_membership_options, membership_options, rights_of, run

# The schema of temporary objects comes last. PostgreSQL searches it first if the path does not name it.
SEARCH_PATH = "pg_catalog,pg_temp"
# One role setup at a time in a database. The number is arbitrary.
_LOCK_KEY = 0x526F6C6573
READER_SETTINGS = {"default_transaction_read_only": "on", "statement_timeout": "60s", "lock_timeout": "5s"}
_DATABASE_OWNER = """
SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
"""

logger = Logger(child=True)


def reconcile(connection: Connection, request: RolesRequest, old: RolesRequest | None = None) -> None:
    """Create and change roles as `request` says, in one transaction. Revoke the login of roles that only `old` has.

    Such a role is not dropped, because privileges in the schema may refer to it. Raises RolesError or psycopg2.Error.
    Then nothing has changed.
    """
    with connection, connection.cursor() as cursor:
        _fix_settings(cursor)
        cursor.execute("SELECT pg_catalog.pg_advisory_xact_lock(%s)", (_LOCK_KEY,))
        was_member = _is_member_of_rds_iam(cursor)
        reject_unsuitable_owners(cursor, request)
        managed = _create_missing(cursor, request)
        for login in filter(managed.__contains__, request.logins):
            _grant_login(cursor, login)
        with rights_of(cursor, database_owner(cursor)):
            _grant_database(cursor, request, connection.info.dbname)
        _grant_owner(cursor, request.migrator, request.owner, connection.info.dbname)
        if request.reader:
            _set_up_operators(cursor, request, connection.info.dbname)
        if old:
            _revoke_removed(cursor, request, old, connection.info.dbname)
        _warn_if_public_may_create(cursor)
        if _is_member_of_rds_iam(cursor) and not was_member:
            raise RolesError("the master user would become a member of rds_iam and lose its password login")


def _fix_settings(cursor: Cursor) -> None:
    cursor.execute(f"SET LOCAL search_path TO {SEARCH_PATH}")
    if has_membership_options(cursor):
        # Otherwise the master user might become a member of the roles that it creates, and so of rds_iam.
        cursor.execute("SET LOCAL createrole_self_grant TO ''")


def _create_missing(cursor: Cursor, request: RolesRequest) -> set[str]:
    """Create the roles that do not exist. Return the roles of the request that may be changed."""
    roles = read_roles(cursor, request.roles)
    reject_unmanaged(request, roles)
    for name in request.roles:
        if name not in roles:
            create_role(cursor, name)
    return {name for name in request.roles if name not in roles or roles[name].managed}


def database_owner(cursor: Cursor) -> str:
    """Return the owner of the database. The master user may be another role."""
    cursor.execute(_DATABASE_OWNER)
    ((owner,),) = cursor.fetchall()
    return str(owner)


def _grant_database(cursor: Cursor, request: RolesRequest, database: str) -> None:
    """Grant the privileges on the database and on schema public, with the rights of the owner of the database."""
    # The master user may not own an existing database. Then it connects with the privileges of PUBLIC.
    cursor.execute("SELECT CURRENT_USER")
    ((master,),) = cursor.fetchall()
    run(cursor, "GRANT CONNECT ON DATABASE {} TO {}", database, master)
    if request.revoke_public:
        _revoke_public(cursor, database)
    _set_up_owner(cursor, request.owner, database)
    for login in request.logins:
        run(cursor, "GRANT CONNECT ON DATABASE {} TO {}", database, login)
    for role in request.hand_over_from:
        # The application that logs in as this role may do what it could do as the owner of the tables.
        run(cursor, "GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}", database, role)
        run(cursor, "GRANT {} TO {}" + membership_options(cursor, "INHERIT TRUE, SET TRUE"), request.owner, role)
    if request.hand_back_to:
        run(cursor, "REVOKE {} FROM {}", request.owner, request.hand_back_to)


def _revoke_public(cursor: Cursor, database: str) -> None:
    run(cursor, "REVOKE ALL ON DATABASE {} FROM PUBLIC", database)
    # Up to PostgreSQL 14 every role could create objects in `public`. An upgraded database still allows it.
    run(cursor, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")


def _set_up_owner(cursor: Cursor, owner: str, database: str) -> None:
    run(cursor, "ALTER ROLE {} NOLOGIN", owner)
    run(cursor, "GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {} TO {}", database, owner)
    run(cursor, "GRANT USAGE, CREATE ON SCHEMA public TO {}", owner)


def _grant_login(cursor: Cursor, login: str) -> None:
    run(cursor, "ALTER ROLE {} LOGIN INHERIT PASSWORD NULL", login)
    run(cursor, "GRANT rds_iam TO {}" + membership_options(cursor, "INHERIT TRUE"), login)


def _grant_owner(cursor: Cursor, migrator: str, owner: str, database: str) -> None:
    run(cursor, "GRANT {} TO {}" + membership_options(cursor, "INHERIT TRUE, SET TRUE"), owner, migrator)
    # Objects that the migrator creates belong to the owner, so that another migrator can change them.
    run(cursor, "ALTER ROLE {} IN DATABASE {} SET role = {}", migrator, database, owner)


def _set_up_operators(cursor: Cursor, request: RolesRequest, database: str) -> None:
    """Let the reader observe the server, and let the migrator end sessions that block an upgrade.

    The reader has no privilege to write. Its settings are defaults of its sessions.
    """
    inherited = membership_options(cursor, "INHERIT TRUE")
    run(cursor, "GRANT pg_monitor TO {}" + inherited, request.reader)
    run(cursor, "GRANT pg_signal_backend TO {}" + inherited, request.migrator)
    if request.reader_reads_all:
        run(cursor, "GRANT pg_read_all_data TO {}" + inherited, request.reader)
    elif _is_member(cursor, request.reader, "pg_read_all_data"):
        run(cursor, "REVOKE pg_read_all_data FROM {}", request.reader)
    for setting, value in READER_SETTINGS.items():
        run(cursor, f"ALTER ROLE {{}} IN DATABASE {{}} SET {setting} = '{value}'", request.reader, database)


def _is_member(cursor: Cursor, role: str, group: str) -> bool:
    cursor.execute("SELECT pg_catalog.pg_has_role(%s, %s, 'MEMBER')", (role, group))
    ((member,),) = cursor.fetchall()
    return bool(member)


def _revoke_removed(cursor: Cursor, request: RolesRequest, old: RolesRequest, database: str) -> None:
    """Revoke the login and the privileges of the roles that only `old` has."""
    # After a failed role setup, the old properties of the rollback may name roles that were not created or are not
    # managed.
    managed = {name for name, role in read_roles(cursor, old.roles).items() if role.managed}
    # Another stack may use the same roles for its database on this server. These keep their login.
    elsewhere = roles_of_other_databases(cursor)
    if old.owner != request.owner and old.owner in managed:
        _hand_over(cursor, old.owner, request.owner)
    if old.migrator != request.migrator and old.migrator in managed:
        run(cursor, "ALTER ROLE {} IN DATABASE {} RESET role", old.migrator, database)
    pair = {old.migrator, old.owner}
    if (old.migrator, old.owner) != (request.migrator, request.owner) and pair <= managed and not pair <= elsewhere:
        run(cursor, "REVOKE {} FROM {}", old.owner, old.migrator)
    for role in managed - set(request.logins) - elsewhere:
        run(cursor, "ALTER ROLE {} NOLOGIN", role)
        run(cursor, "REVOKE rds_iam FROM {}", role)
    for role in managed - set(request.roles):
        run(cursor, "REVOKE ALL ON DATABASE {} FROM {}", database, role)


def _hand_over(cursor: Cursor, old: str, new: str) -> None:
    with rights_of(cursor, old, new):
        run(cursor, "REASSIGN OWNED BY {} TO {}", old, new)


def _warn_if_public_may_create(cursor: Cursor) -> None:
    cursor.execute("SELECT pg_catalog.has_schema_privilege('public', 'public', 'CREATE')")
    if cursor.fetchall() == [(True,)]:
        logger.warning(
            "every role may create objects in the schema public, and the migrator may execute them unintentionally: "
            "run REVOKE CREATE ON SCHEMA public FROM PUBLIC"
        )


def _is_member_of_rds_iam(cursor: Cursor) -> bool:
    """Return whether the user of this session is a member of rds_iam, which ends its login by password."""
    cursor.execute("SELECT pg_catalog.pg_has_role('rds_iam', 'USAGE')")
    ((member,),) = cursor.fetchall()
    return bool(member)
