"""Memberships of the master user in other roles, and the clauses of GRANT that depend on the version of PostgreSQL.

Since PostgreSQL 16 a role needs ADMIN OPTION to grant a membership, and each membership has options of its own.
https://www.postgresql.org/docs/16/release-16.html#RELEASE-16-PRIVILEGES
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from psycopg2 import errors
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - psycopg2 spells its class in lower case
from psycopg2.sql import SQL, Composable, Composed, Identifier

from migrator.errors import RolesError

_FIRST_MAJOR_VERSION_WITH_MEMBERSHIP_OPTIONS = 16


def run(cursor: Cursor, statement: str, *names: str) -> None:
    """Execute a statement. Each `{}` is replaced by the next name, as an identifier."""
    identifiers: list[Composable] = [Identifier(name) for name in names]
    cursor.execute(SQL(statement).format(*identifiers))


def has_membership_options(cursor: Cursor) -> bool:
    """Return whether GRANT ... WITH INHERIT, SET is supported."""
    major_version: int = cursor.connection.server_version // 10_000
    return major_version >= _FIRST_MAJOR_VERSION_WITH_MEMBERSHIP_OPTIONS


def membership_options(cursor: Cursor, options: str) -> str:
    """Return the clause that also corrects the options of an existing membership."""
    return f" WITH {options}" if has_membership_options(cursor) else ""


@contextmanager
def rights_of(cursor: Cursor, *roles: str) -> Iterator[None]:
    """Give the master user the rights of these roles until the end of the block, which is in one transaction.

    No other session sees the memberships. Raises RolesError if the master user may not grant one to itself.
    """
    missing = missing_rights(cursor, *roles)
    for role in missing:
        _join(cursor, role)
    yield
    for role in missing:
        run(cursor, "REVOKE {} FROM CURRENT_USER", role)


def missing_rights(cursor: Cursor, *roles: str) -> list[str]:
    """Return those of the roles whose rights the master user does not have."""
    return [role for role in dict.fromkeys(roles) if not _has_rights(cursor, role)]


def with_rights_of(cursor: Cursor, statement: Composed, roles: Sequence[str]) -> Composed:
    """Return a statement between those that `rights_of` executes, for one round trip."""
    options = membership_options(cursor, "INHERIT TRUE, SET TRUE")
    names = [Identifier(role) for role in roles]
    grants = [SQL("GRANT {} TO CURRENT_USER" + options).format(name) for name in names]
    revokes = [SQL("REVOKE {} FROM CURRENT_USER").format(name) for name in names]
    return SQL("; ").join([*grants, statement, *revokes])


def _has_rights(cursor: Cursor, role: str) -> bool:
    usage, owner = "'USAGE'", "'SET'" if has_membership_options(cursor) else "'MEMBER'"
    cursor.execute(
        f"SELECT pg_catalog.pg_has_role(%(role)s, {usage}) AND pg_catalog.pg_has_role(%(role)s, {owner})",
        {"role": role},
    )
    return cursor.fetchall() == [(True,)]


def _join(cursor: Cursor, role: str) -> None:
    try:
        run(cursor, "GRANT {} TO CURRENT_USER" + membership_options(cursor, "INHERIT TRUE, SET TRUE"), role)
    except (errors.InsufficientPrivilege, errors.InvalidGrantOperation) as exc:
        raise RolesError(
            f"the master user must be able to become a member of role {role!r}, whose objects are changed"
            f" ({exc.diag.message_primary}): as a role with ADMIN OPTION on {role!r}, grant it to the master user"
        ) from exc
