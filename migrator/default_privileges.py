"""Copy the default privileges of the previous owners, which PostgreSQL keeps for each role that creates objects.

Without the copy, a table of the next revision would lack the grants of `ALTER DEFAULT PRIVILEGES` that its predecessors
have, because the new owner creates it.
"""

from collections.abc import Iterator, Sequence

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - psycopg2 spells its class in lower case
from psycopg2.sql import SQL, Composed, Identifier

from migrator.memberships import rights_of

_KINDS = {"r": "TABLES", "S": "SEQUENCES", "f": "FUNCTIONS", "T": "TYPES", "n": "SCHEMAS", "L": "LARGE OBJECTS"}
_KINDS_OF_PUBLIC = ("f", "T")  # PUBLIC has privileges on these kinds, unless a default of all schemas revokes them
_DEFAULTS = """
SELECT defaclobjtype::text, nspname, CASE WHEN grantee <> 0 THEN pg_catalog.pg_get_userbyid(grantee) END,
    privilege_type, is_grantable
FROM pg_catalog.pg_default_acl LEFT JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = defaclnamespace,
    LATERAL pg_catalog.aclexplode(defaclacl)
WHERE pg_catalog.pg_get_userbyid(defaclrole) = ANY (%(owners)s)
    AND pg_catalog.pg_get_userbyid(grantee) <> ALL (%(owners)s)
"""
_WITHOUT_PUBLIC = """
SELECT defaclobjtype::text FROM pg_catalog.pg_default_acl
WHERE pg_catalog.pg_get_userbyid(defaclrole) = ANY (%(owners)s) AND defaclnamespace = 0
    AND defaclobjtype = ANY (%(kinds)s)
    AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(defaclacl) WHERE grantee = 0)
"""


def copy_default_privileges(cursor: Cursor, owners: Sequence[str], new: str) -> None:
    """Give the objects that `new` will create the default privileges of the objects that `owners` create."""
    statements = list(_statements(cursor, owners, new))
    if statements:
        with rights_of(cursor, new):
            for statement in statements:
                cursor.execute(statement)


def _statements(cursor: Cursor, owners: Sequence[str], new: str) -> Iterator[Composed]:
    prefix = SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {}").format(Identifier(new))
    cursor.execute(_WITHOUT_PUBLIC, {"owners": list(owners), "kinds": list(_KINDS_OF_PUBLIC)})
    for (kind,) in cursor.fetchall():
        yield prefix + SQL(f" REVOKE ALL ON {_KINDS[kind]} FROM PUBLIC")
    cursor.execute(_DEFAULTS, {"owners": list(owners)})
    for kind, schema, grantee, privilege, is_grantable in cursor.fetchall():
        if grantee != new:
            in_schema = SQL(" IN SCHEMA {}").format(Identifier(schema)) if schema else SQL("")
            receiver = Identifier(grantee) if grantee else SQL("PUBLIC")
            grant = SQL(f" GRANT {privilege} ON {_KINDS[kind]} TO {{}}{' WITH GRANT OPTION' * is_grantable}")
            yield prefix + in_schema + grant.format(receiver)
