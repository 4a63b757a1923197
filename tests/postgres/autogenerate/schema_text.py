"""The schema of a database as text, one line for each property: independent of the reader of autogenerate."""

import sqlalchemy as sa

_SCHEMAS = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
_SEQUENCE = "(SELECT to_jsonb(s) - 'seqrelid' - 'seqtypid' || jsonb_build_object('type', format_type(seqtypid, NULL))"
_QUERIES = (
    f"""SELECT c.oid::regclass || ' ' || c.relkind::text || c.relpersistence::text || ' '
        || coalesce(c.reloptions::text, '') || ' ' || coalesce(obj_description(c.oid, 'pg_class'), '-')
        || coalesce(pg_get_partkeydef(c.oid), '')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE {_SCHEMAS} AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relname <> 'alembic_version'""",
    f"""SELECT c.oid::regclass || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull
        || ' ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '-') || ' ' || a.attgenerated::text || a.attidentity::text
        || a.attcollation::regcollation::text || ' ' || coalesce(col_description(c.oid, a.attnum), '-')
        || coalesce({_SEQUENCE} FROM pg_sequence s
            WHERE s.seqrelid = pg_get_serial_sequence(c.oid::regclass::text, a.attname)::regclass)::text, '')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE {_SCHEMAS} AND c.relkind IN ('r', 'p') AND c.relname <> 'alembic_version'""",
    f"""SELECT coalesce(t.conrelid::regclass::text, t.contypid::regtype::text) || ' ' || t.conname || ' '
        || pg_get_constraintdef(t.oid) || ' ' || coalesce(obj_description(t.oid, 'pg_constraint'), '-')
    FROM pg_constraint t JOIN pg_namespace n ON n.oid = t.connamespace
    WHERE {_SCHEMAS} AND t.contype <> 'n' AND t.conname <> 'alembic_version_pkc'""",
    f"""SELECT pg_get_indexdef(c.oid) || i.indisvalid || coalesce(obj_description(c.oid, 'pg_class'), '-')
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE {_SCHEMAS} AND c.relname <> 'alembic_version_pkc'""",
    f"""SELECT t.oid::regtype || ' ' || t.typtype::text || ' '
        || (SELECT coalesce(array_agg(e.enumlabel ORDER BY enumsortorder)::text, '')
            FROM pg_enum e WHERE e.enumtypid = t.oid) || format_type(t.typbasetype, t.typtypmod) || t.typnotnull
        || coalesce(t.typdefault, '-')
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE {_SCHEMAS} AND t.typtype IN ('e', 'd')""",
    f"""SELECT c.oid::regclass || ' ' || {_SEQUENCE} FROM pg_sequence s WHERE s.seqrelid = c.oid)::text
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_SCHEMAS} AND c.relkind = 'S'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i'))""",
)


def schema_text(connection: sa.Connection) -> list[str]:
    """Return the properties of all objects, sorted."""
    lines = [str(line) for query in _QUERIES for line in connection.scalars(sa.text(query.replace("::", r"\:\:")))]
    return sorted(lines)
