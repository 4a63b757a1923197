"""Create the extensions that the migrator may not create itself, as the master user, in the schema `public`.

An extension that exists is left as it is. The script of an untrusted extension runs with the rights of a superuser and
may resolve names in `public`, where the migrator may create objects. Therefore a function or an operator there with a
name of `pg_catalog` is rejected before. PostgreSQL requires of trusted extensions that such objects do no harm:
https://www.postgresql.org/docs/current/extend-extensions.html#EXTEND-EXTENSIONS-SECURITY
"""

from collections.abc import Sequence

from aws_lambda_powertools import Logger
from psycopg2 import Error, errors
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - likewise

from migrator.errors import RolesError
from migrator.memberships import rights_of, run
from migrator.roles import database_owner

_AVAILABLE = """
SELECT name, installed_version IS NOT NULL, coalesce(schema, 'public'), trusted
FROM pg_catalog.pg_available_extensions
JOIN pg_catalog.pg_available_extension_versions AS version USING (name)
WHERE name = ANY (%(names)s) AND version.version = default_version
"""
_SHADOWS = """
SELECT pg_catalog.format('%%s of %%I', owned.oid::pg_catalog.regprocedure, pg_catalog.pg_get_userbyid(owned.proowner))
FROM pg_catalog.pg_proc AS owned WHERE pronamespace = 'public'::pg_catalog.regnamespace
    AND EXISTS (
        SELECT FROM pg_catalog.pg_proc AS builtin
        WHERE builtin.proname = owned.proname AND builtin.pronamespace = 'pg_catalog'::pg_catalog.regnamespace
    )
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE objid = owned.oid AND deptype = 'e')
UNION ALL
SELECT pg_catalog.format('%%s of %%I', owned.oid::pg_catalog.regoperator, pg_catalog.pg_get_userbyid(owned.oprowner))
FROM pg_catalog.pg_operator AS owned WHERE oprnamespace = 'public'::pg_catalog.regnamespace
    AND EXISTS (
        SELECT FROM pg_catalog.pg_operator AS builtin
        WHERE builtin.oprname = owned.oprname AND builtin.oprnamespace = 'pg_catalog'::pg_catalog.regnamespace
    )
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE objid = owned.oid AND deptype = 'e')
ORDER BY 1 LIMIT 5
"""
# Libraries without which the extension can be created and not used, or not be created:
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Extensions.html
_PRELOADED = frozenset({"pg_cron", "pg_stat_statements", "pg_tle", "pgaudit", "pglogical"})

logger = Logger(child=True)


def create_extensions(connection: Connection, names: Sequence[str]) -> None:
    """Create the extensions that do not exist, in this order, each in a transaction.

    Raises RolesError that names all extensions that the server does not offer, or that need a library first.
    """
    if not names:
        return
    with connection, connection.cursor() as cursor:
        available = _available(cursor, names)
    missing = [name for name in names if name in available and not available[name][0]]
    for name in missing:
        _, schema, is_trusted = available[name]
        with connection, connection.cursor() as cursor:
            _set_path(cursor)
            if not is_trusted:
                _reject_shadows(cursor, name)
            with rights_of(cursor, database_owner(cursor)):
                _create(cursor, name, schema)
        logger.info("extension created", extra={"extension": name, "schema": schema})


def _set_path(cursor: Cursor) -> None:
    cursor.execute("SET LOCAL search_path TO pg_catalog, pg_temp")


def _available(cursor: Cursor, names: Sequence[str]) -> dict[str, tuple[bool, str, bool]]:
    """Return by name whether the extension exists, its schema, and whether it is trusted."""
    _set_path(cursor)
    cursor.execute(_AVAILABLE, {"names": list(names)})
    available = {name: (exists, schema, is_trusted) for name, exists, schema, is_trusted in cursor.fetchall()}
    if unknown := [name for name in names if name not in available]:
        version = cursor.connection.server_version // 10_000
        raise RolesError(
            f"extensions must be offered by the server, PostgreSQL {version} (got {', '.join(map(repr, unknown))}):"
            " see pg_available_extensions"
        )
    if unloaded := [name for name in names if name in _PRELOADED - _preloaded(cursor)]:
        raise RolesError(
            f"extensions {', '.join(unloaded)} must be in shared_preload_libraries: add them to this parameter in the"
            " DB parameter group, reboot the instance, and deploy again"
        )
    return available


def _preloaded(cursor: Cursor) -> set[str]:
    """Return the loaded libraries, or all that matter if the master user may not read the setting."""
    cursor.execute("SAVEPOINT setting")
    try:
        cursor.execute("SELECT pg_catalog.current_setting('shared_preload_libraries')")
        ((libraries,),) = cursor.fetchall()
    except errors.InsufficientPrivilege:
        cursor.execute("ROLLBACK TO SAVEPOINT setting")
        return set(_PRELOADED)
    return {library.strip().strip('"') for library in libraries.split(",")}


def _reject_shadows(cursor: Cursor, name: str) -> None:
    cursor.execute(_SHADOWS, {})
    if shadows := [str(shadow) for (shadow,) in cursor.fetchall()]:
        raise RolesError(
            f"the schema public must not have functions and operators with names of pg_catalog while extension {name}"
            f" is created (got {', '.join(shadows)}): its script might execute them with the rights of a superuser."
            " Rename them, or create the extension by hand"
        )


def _create(cursor: Cursor, name: str, schema: str) -> None:
    try:
        if schema == "public":
            run(cursor, "CREATE EXTENSION IF NOT EXISTS {} SCHEMA public", name)
        else:
            run(cursor, "CREATE EXTENSION IF NOT EXISTS {}", name)  # its control file has the schema
    except Error as exc:
        message = f"extension {name} cannot be created: {exc.pgcode}: {exc.diag.message_primary}"
        if "shared_preload_libraries" in str(exc):
            message += "; add it to shared_preload_libraries in the DB parameter group, and reboot the instance"
        elif isinstance(exc, errors.InsufficientPrivilege):
            message += "; on RDS, rds.allowed_extensions of the DB parameter group must allow it"
        raise RolesError(message) from exc
