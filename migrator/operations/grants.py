"""The command `grants`: which roles may log in, and the privileges that the server finds for each of them."""

from migrator.operations.arguments import Answer
from migrator.operations.reading import Reading
from migrator.operations.rows import rows

_ROLES = """
WITH roles AS (
    SELECT *, pg_has_role(oid, 'rds_iam', 'USAGE') AS has_token_login,
        (SELECT count(*) FROM pg_stat_activity WHERE usesysid = pg_roles.oid) AS sessions
    FROM pg_roles WHERE rolname !~ '^(pg_|rds)'
        AND (rolcanlogin OR shobj_description(oid, 'pg_authid') LIKE 'Managed by Custom::DatabaseRoles%')
)
SELECT rolname::text AS role, has_token_login AS token_login, sessions,
    concat_ws('; ',
        CASE WHEN NOT rolcanlogin THEN 'NOLOGIN' END,
        CASE WHEN rolcanlogin AND NOT has_token_login THEN 'not a member of rds_iam: logs in by password' END,
        CASE WHEN NOT has_database_privilege(oid, current_database(), 'CONNECT') THEN 'no CONNECT on the database' END,
        CASE WHEN rolvaliduntil < now() THEN 'VALID UNTIL is over' END,
        CASE WHEN rolconnlimit >= 0 AND sessions >= rolconnlimit THEN 'CONNECTION LIMIT reached' END
    ) AS login_problems,
    ARRAY(
        SELECT roleid::regrole::text FROM pg_auth_members WHERE member = roles.oid ORDER BY 1
    ) AS member_of,
    ARRAY(
        SELECT unnest(setconfig) FROM pg_db_role_setting
        WHERE setrole = roles.oid
            AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    ) AS settings
FROM roles ORDER BY 1
"""
# A privilege on a table is of no use without USAGE on its schema.
_PRIVILEGES = """
SELECT rolname::text AS role, nspname || '.' || relname AS relation,
    CASE relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'table' END
        AS kind,
    privileges || CASE WHEN has_schema_privilege(pg_roles.oid, relnamespace, 'USAGE') THEN ''
        ELSE ' (without USAGE on the schema)' END AS privileges
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace, pg_roles, LATERAL (
    SELECT concat_ws(', ',
        CASE WHEN relowner = pg_roles.oid THEN 'OWNER' END,
        (
            SELECT string_agg(privilege, ', ' ORDER BY position)
            FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'])
                WITH ORDINALITY AS p (privilege, position)
            WHERE relkind <> 'S' AND has_table_privilege(pg_roles.oid, pg_class.oid, privilege)
        ),
        (
            SELECT string_agg(privilege || ' (some columns)', ', ')
            FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS privilege
            WHERE relkind <> 'S' AND NOT has_table_privilege(pg_roles.oid, pg_class.oid, privilege)
                AND has_any_column_privilege(pg_roles.oid, pg_class.oid, privilege)
        ),
        CASE WHEN relkind = 'S' AND has_sequence_privilege(pg_roles.oid, pg_class.oid, 'USAGE') THEN 'USAGE' END
    )
) AS evaluated (privileges)
WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
    AND rolname = ANY(%s) AND privileges <> '' ORDER BY 2, 1
"""


def grants(reading: Reading) -> Answer:
    """Return the roles with what prevents their login, and their privileges on each table, view and sequence.

    The server evaluates memberships and column privileges, as it does for a statement of the role. The login of the
    reader is proved by this session.
    """
    with reading.observe() as session:
        roles = rows(session, _ROLES)
        privileges = rows(session, _PRIVILEGES, ([role["role"] for role in roles],))
        return {"proved_by_login": reading.settings.user, "roles": roles, "privileges": privileges}
