"""Create and recognise the roles of `Custom::DatabaseRoles`, which have a comment as a mark.

PostgreSQL lets only a role with CREATEROLE comment on a role, and since PostgreSQL 16 only one that also has ADMIN
OPTION on it. The owner, the migrator and the users have neither. The comment is part of a snapshot.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - psycopg2 spells its class in lower case
from psycopg2.sql import SQL, Identifier, Literal

from migrator.errors import RolesError
from migrator.events import RolesRequest

# Text after the mark is ignored.
MARK = "Managed by Custom::DatabaseRoles"

_ROLES = """
SELECT rolname, pg_catalog.shobj_description(oid, 'pg_authid'),
    rolcanlogin AND pg_catalog.pg_has_role(oid, 'rds_iam', 'USAGE')
FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) ANY(%s)
"""
_OWNERS = """
SELECT rolname, rolsuper, rolinherit OR pg_catalog.current_setting('server_version_num')::int >= 160000
FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) ANY(%s)
"""
_IN_OTHER_DATABASES = """
SELECT pg_catalog.pg_get_userbyid(privilege.grantee)
FROM pg_catalog.pg_database, pg_catalog.aclexplode(datacl) AS privilege
WHERE datname OPERATOR(pg_catalog.<>) pg_catalog.current_database()
"""


@dataclass(frozen=True)
class Role:
    """A role of the server: `managed` if it has the mark, `has_token_login` if it may log in with an IAM token."""

    managed: bool
    has_token_login: bool


def read_roles(cursor: Cursor, names: Iterable[str]) -> dict[str, Role]:
    """Return the existing roles with these names, by name."""
    cursor.execute(_ROLES, (list(names),))
    return {name: Role((comment or "").startswith(MARK), login) for name, comment, login in cursor.fetchall()}


def create_role(cursor: Cursor, name: str) -> None:
    """Create a role without login and mark it."""
    cursor.execute(SQL("CREATE ROLE {}").format(Identifier(name)))
    cursor.execute(SQL("COMMENT ON ROLE {} IS {}").format(Identifier(name), Literal(MARK)))


def reject_unmanaged(request: RolesRequest, roles: Mapping[str, Role]) -> None:
    """Raise RolesError if the request needs a change of a role that `Custom::DatabaseRoles` does not manage.

    A user that may log in with a token already needs no change. The owner and the migrator always get memberships or
    settings.
    """
    rejected = [
        name
        for name in request.roles
        if name in roles and not roles[name].managed and not (name in request.users and roles[name].has_token_login)
    ]
    if rejected:
        raise RolesError(
            "role names must be unused, or name roles that Custom::DatabaseRoles manages, or, for a user, a login role "
            f"in rds_iam (got {', '.join(map(repr, rejected))}): choose another name, or hand the role over, which "
            f"ends its login by password: {'; '.join(map(_hand_over_statement, rejected))}"
        )


def reject_unsuitable_owners(cursor: Cursor, request: RolesRequest) -> None:
    """Raise RolesError if objects cannot be handed over from, or back to, a role of the request."""
    names = [*request.hand_over_from, *filter(None, [request.hand_back_to])]
    cursor.execute(_OWNERS, (names,))
    roles = {name: (is_superuser, inherits) for name, is_superuser, inherits in cursor.fetchall()}
    setting = "hand-back-to" if request.hand_back_to else "hand-over-from"
    if unknown := [name for name in names if name not in roles]:
        raise RolesError(f"{setting} must be existing roles of the server (got {', '.join(map(repr, unknown))})")
    if superusers := [name for name, (is_superuser, _) in roles.items() if is_superuser]:
        raise RolesError(f"{setting} must be roles without SUPERUSER (got {', '.join(map(repr, superusers))})")
    for name in request.hand_over_from:
        if not roles[name][1]:
            quoted = '"' + name.replace('"', '""') + '"'
            raise RolesError(
                f"{setting} must be roles that inherit the privileges of the new owner (got {name!r}, NOINHERIT): run"
                f" ALTER ROLE {quoted} INHERIT"
            )


def roles_of_other_databases(cursor: Cursor) -> set[str]:
    """Return the roles that have privileges on another database of this server, for example of another stack."""
    cursor.execute(_IN_OTHER_DATABASES)
    return {str(name) for (name,) in cursor.fetchall()}


def _hand_over_statement(name: str) -> str:
    quoted = '"' + name.replace('"', '""') + '"'
    return f"COMMENT ON ROLE {quoted} IS '{MARK}'"
