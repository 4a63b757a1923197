"""The roles of the database: an owner that nobody logs in as, and logins that get in by IAM token only.

Works for a master user that is not a superuser, on PostgreSQL 15 and later, and changes nothing when all is there.
Changes only the roles that it has created (see `managed_roles`).
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.DBAccounts.html

The master user has more rights than the owner, who may create objects in the database. So no name is resolved through a
schema that the owner may write to: names of functions and relations are qualified, and `search_path` is pinned.
"""

from aws_lambda_powertools import Logger
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - likewise
from psycopg2.sql import SQL, Composable, Identifier

from migrator.errors import RolesError
from migrator.events import RolesRequest
from migrator.managed_roles import create_role, read_roles, refuse_unmanaged, roles_of_other_databases

# The schema of temporary objects comes last: unless it is named, PostgreSQL searches it first.
SEARCH_PATH = "pg_catalog,pg_temp"
# One role setup at a time in a database; the key has no meaning of its own.
_LOCK_KEY = 0x526F6C6573
_FIRST_VERSION_WITH_MEMBERSHIP_OPTIONS = 160000

logger = Logger(child=True)


def reconcile(connection: Connection, request: RolesRequest, old: RolesRequest | None = None) -> None:
    """Make the roles what `request` asks for, in one transaction; `old` names the roles to lock out if gone.

    A role that is no longer listed keeps existing, since it may be named in the schema's privileges, but loses its
    login. Raises RolesError or psycopg2.Error; then nothing has changed.
    """
    with connection, connection.cursor() as cursor:
        _pin_settings(cursor)
        cursor.execute("SELECT pg_catalog.pg_advisory_xact_lock(%s)", (_LOCK_KEY,))
        token_only = _logs_in_by_token_only(cursor)
        managed = _create_missing(cursor, request)
        database = _database(cursor)
        if request.revoke_public:
            _revoke_public(cursor, database)
        _set_up_owner(cursor, request.owner, database)
        for login in request.logins:
            if login in managed:
                _open_login(cursor, login)
            _run(cursor, "GRANT CONNECT ON DATABASE {} TO {}", database, login)
        _let_work_as(cursor, request.migrator, request.owner, database)
        if old:
            _retire(cursor, request, old, database)
        _warn_if_public_may_create(cursor)
        if _logs_in_by_token_only(cursor) and not token_only:
            raise RolesError("the master user would become a member of rds_iam and lose its password login")


def _pin_settings(cursor: Cursor) -> None:
    cursor.execute(f"SET LOCAL search_path TO {SEARCH_PATH}")
    if _has_membership_options(cursor):
        # Otherwise the master user might become a member of the roles that it creates, and so of rds_iam.
        cursor.execute("SET LOCAL createrole_self_grant TO ''")


def _create_missing(cursor: Cursor, request: RolesRequest) -> set[str]:
    """Create the roles that do not exist; return those of the requested roles that may be changed."""
    roles = read_roles(cursor, request.roles)
    refuse_unmanaged(request, roles)
    for name in request.roles:
        if name not in roles:
            create_role(cursor, name)
    return {name for name in request.roles if name not in roles or roles[name].managed}


def _revoke_public(cursor: Cursor, database: str) -> None:
    _run(cursor, "REVOKE ALL ON DATABASE {} FROM PUBLIC", database)
    # Up to PostgreSQL 14 everybody could create in `public`, and a database upgraded from there still allows it.
    _run(cursor, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")


def _set_up_owner(cursor: Cursor, owner: str, database: str) -> None:
    _run(cursor, "ALTER ROLE {} NOLOGIN", owner)
    _run(cursor, "GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {} TO {}", database, owner)
    _run(cursor, "GRANT USAGE, CREATE ON SCHEMA public TO {}", owner)


def _open_login(cursor: Cursor, login: str) -> None:
    _run(cursor, "ALTER ROLE {} LOGIN INHERIT PASSWORD NULL", login)
    _run(cursor, "GRANT rds_iam TO {}" + _membership_options(cursor, "INHERIT TRUE"), login)


def _let_work_as(cursor: Cursor, migrator: str, owner: str, database: str) -> None:
    _run(cursor, "GRANT {} TO {}" + _membership_options(cursor, "INHERIT TRUE, SET TRUE"), owner, migrator)
    # What the migrator creates belongs to the owner, so that another migrator can change it.
    _run(cursor, "ALTER ROLE {} IN DATABASE {} SET role = {}", migrator, database, owner)


def _membership_options(cursor: Cursor, options: str) -> str:
    """Return the clause that also repairs a membership that exists with other options."""
    return f" WITH {options}" if _has_membership_options(cursor) else ""


def _has_membership_options(cursor: Cursor) -> bool:
    version: int = cursor.connection.server_version
    return version >= _FIRST_VERSION_WITH_MEMBERSHIP_OPTIONS


def _retire(cursor: Cursor, request: RolesRequest, old: RolesRequest, database: str) -> None:
    # After a role setup that failed, the rollback's old properties may name roles that were never created, or that
    # belong to another owner.
    managed = {name for name, role in read_roles(cursor, old.roles).items() if role.managed}
    # Another stack may use the same roles for its database on this server: it goes on doing so.
    elsewhere = roles_of_other_databases(cursor)
    if old.owner != request.owner and old.owner in managed:
        _hand_over(cursor, old.owner, request.owner)
    if old.migrator != request.migrator and old.migrator in managed:
        _run(cursor, "ALTER ROLE {} IN DATABASE {} RESET role", old.migrator, database)
    pair = {old.migrator, old.owner}
    if (old.migrator, old.owner) != (request.migrator, request.owner) and pair <= managed and not pair <= elsewhere:
        _run(cursor, "REVOKE {} FROM {}", old.owner, old.migrator)
    for role in managed - set(request.logins) - elsewhere:
        _run(cursor, "ALTER ROLE {} NOLOGIN", role)
        _run(cursor, "REVOKE rds_iam FROM {}", role)
    for role in managed - set(request.roles):
        _run(cursor, "REVOKE ALL ON DATABASE {} FROM {}", database, role)


def _hand_over(cursor: Cursor, old: str, new: str) -> None:
    _run(cursor, "GRANT {}, {} TO CURRENT_USER", old, new)
    _run(cursor, "REASSIGN OWNED BY {} TO {}", old, new)
    _run(cursor, "REVOKE {}, {} FROM CURRENT_USER", old, new)


def _warn_if_public_may_create(cursor: Cursor) -> None:
    cursor.execute("SELECT pg_catalog.has_schema_privilege('public', 'public', 'CREATE')")
    if cursor.fetchall() == [(True,)]:
        logger.warning(
            "every role may create objects in schema public, and the migrator may execute them unintentionally: "
            "run REVOKE CREATE ON SCHEMA public FROM PUBLIC"
        )


def _logs_in_by_token_only(cursor: Cursor) -> bool:
    """Tell whether the user of this session is a member of rds_iam, which closes its password login."""
    cursor.execute("SELECT pg_catalog.pg_has_role('rds_iam', 'USAGE')")
    ((member,),) = cursor.fetchall()
    return bool(member)


def _database(cursor: Cursor) -> str:
    cursor.execute("SELECT pg_catalog.current_database()")
    ((database,),) = cursor.fetchall()
    return str(database)


def _run(cursor: Cursor, statement: str, *names: str) -> None:
    identifiers: list[Composable] = [Identifier(name) for name in names]
    cursor.execute(SQL(statement).format(*identifiers))
