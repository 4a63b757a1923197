"""The roles of the database: an owner that nobody logs in as, and logins that get in by IAM token only.

Works for a master user that is no superuser, on PostgreSQL 15 and later, and changes nothing when all is there.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.DBAccounts.html
"""

from collections.abc import Iterable

from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - likewise
from psycopg2.sql import SQL, Composable, Identifier

from migrator.errors import RolesError
from migrator.events import RolesRequest

# One bootstrap at a time in a database; the key has no meaning of its own.
_LOCK_KEY = 0x526F6C6573


def converge(connection: Connection, request: RolesRequest, old: RolesRequest | None = None) -> None:
    """Make the roles what `request` asks for, in one transaction; `old` names the roles to lock out if gone.

    A role that is no longer listed keeps existing, since it may be named in the schema's privileges, but loses its
    login. Raises RolesError or psycopg2.Error; then nothing has changed.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_KEY,))
        token_only = _logs_in_by_token_only(cursor)
        _create_missing(cursor, request.roles)
        database = _database(cursor)
        _close_to_public(cursor, database)
        _set_up_owner(cursor, request.owner, database)
        for login in request.logins:
            _open_login(cursor, login, database)
        _let_work_as(cursor, request.migrator, request.owner, database)
        if old:
            _retire(cursor, request, old, database)
        if _logs_in_by_token_only(cursor) and not token_only:
            raise RolesError("the master user would become a member of rds_iam and lose its password login")


def _create_missing(cursor: Cursor, roles: Iterable[str]) -> None:
    wanted = list(roles)
    there = _existing(cursor, wanted)
    for role in wanted:
        if role not in there:
            _run(cursor, "CREATE ROLE {}", role)


def _existing(cursor: Cursor, roles: Iterable[str]) -> set[str]:
    cursor.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", (list(roles),))
    return {name for (name,) in cursor.fetchall()}


def _close_to_public(cursor: Cursor, database: str) -> None:
    _run(cursor, "REVOKE ALL ON DATABASE {} FROM PUBLIC", database)
    # Up to PostgreSQL 14 everybody could create in `public`, and a database upgraded from there still allows it.
    _run(cursor, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")


def _set_up_owner(cursor: Cursor, owner: str, database: str) -> None:
    _run(cursor, "ALTER ROLE {} NOLOGIN", owner)
    _run(cursor, "GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {} TO {}", database, owner)
    _run(cursor, "GRANT USAGE, CREATE ON SCHEMA public TO {}", owner)


def _open_login(cursor: Cursor, login: str, database: str) -> None:
    _run(cursor, "ALTER ROLE {} LOGIN PASSWORD NULL", login)
    _run(cursor, "GRANT rds_iam TO {}", login)
    _run(cursor, "GRANT CONNECT ON DATABASE {} TO {}", database, login)


def _let_work_as(cursor: Cursor, migrator: str, owner: str, database: str) -> None:
    _run(cursor, "GRANT {} TO {}", owner, migrator)
    # What the migrator creates belongs to the owner, so that another migrator can change it.
    _run(cursor, "ALTER ROLE {} IN DATABASE {} SET role = {}", migrator, database, owner)


def _retire(cursor: Cursor, request: RolesRequest, old: RolesRequest, database: str) -> None:
    # After a bootstrap that failed, the rollback's old properties name roles that were never made.
    there = _existing(cursor, old.roles)
    if old.owner != request.owner and old.owner in there:
        _hand_over(cursor, old.owner, request.owner)
    if old.migrator != request.migrator and old.migrator in there:
        _run(cursor, "ALTER ROLE {} IN DATABASE {} RESET role", old.migrator, database)
    if (old.migrator, old.owner) != (request.migrator, request.owner) and {old.migrator, old.owner} <= there:
        _run(cursor, "REVOKE {} FROM {}", old.owner, old.migrator)
    for role in there - set(request.logins):
        _run(cursor, "ALTER ROLE {} NOLOGIN", role)
        _run(cursor, "REVOKE rds_iam FROM {}", role)
    for role in there - set(request.roles):
        _run(cursor, "REVOKE ALL ON DATABASE {} FROM {}", database, role)


def _hand_over(cursor: Cursor, old: str, new: str) -> None:
    _run(cursor, "GRANT {}, {} TO CURRENT_USER", old, new)
    _run(cursor, "REASSIGN OWNED BY {} TO {}", old, new)
    _run(cursor, "REVOKE {}, {} FROM CURRENT_USER", old, new)


def _logs_in_by_token_only(cursor: Cursor) -> bool:
    """Tell whether the user of this session is a member of rds_iam, which closes its password login."""
    cursor.execute("SELECT pg_has_role(current_user, 'rds_iam', 'USAGE')")
    ((member,),) = cursor.fetchall()
    return bool(member)


def _database(cursor: Cursor) -> str:
    cursor.execute("SELECT current_database()")
    ((database,),) = cursor.fetchall()
    return str(database)


def _run(cursor: Cursor, statement: str, *names: str) -> None:
    identifiers: list[Composable] = [Identifier(name) for name in names]
    cursor.execute(SQL(statement).format(*identifiers))
