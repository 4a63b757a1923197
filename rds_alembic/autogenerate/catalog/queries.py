"""The queries that read PostgreSQL's catalog. The parameter `schemas` has the names of the schemas to read.

https://www.postgresql.org/docs/17/catalogs.html
"""

import sqlalchemy as sa


def _query(sql: str, server_version: int = 0) -> sa.TextClause:
    """Return a query. Columns that are newer than PostgreSQL 14 are replaced on an older server."""
    if server_version < 15:  # noqa: PLR2004 - the version that added these columns
        sql = sql.replace("i.indnullsnotdistinct", "false").replace("c.confdelsetcols", "NULL::int2[]")
    return sa.text(sql)


_EXTENSION = (
    "EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{}'::regclass AND e.objid = {}.oid AND e.deptype = 'e')"
)

_SEQUENCE = """format_type(s.seqtypid, NULL) AS seq_type, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
    s.seqcycle"""

_USED_BY = """
    (SELECT array_agg(DISTINCT CASE WHEN r.relkind IN ('r', 'p') THEN ARRAY[rn.nspname::text, r.relname::text]
        ELSE ARRAY['', ''] END)
     FROM pg_depend u LEFT JOIN pg_class r ON u.classid = 'pg_class'::regclass AND r.oid = u.objid
     LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
     WHERE u.refclassid = 'pg_type'::regclass AND u.refobjid IN (t.oid, t.typarray) AND u.deptype = 'n'
     AND u.classid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_rewrite'::regclass, 'pg_type'::regclass)
     AND NOT (r.relkind IS NOT NULL AND r.relkind IN ('i', 'I'))) AS used_by"""


def tables() -> sa.TextClause:
    """Return a row for each relation: a table, a view, a sequence."""
    return _query(f"""
        SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.reloptions, am.amname, ts.spcname,
            pg_get_partkeydef(c.oid) AS partition_key, obj_description(c.oid, 'pg_class') AS comment,
            pg_get_userbyid(c.relowner) AS owner, c.relispartition,
            {_EXTENSION.format("pg_class", "c")} AS of_extension,
            (SELECT array_agg(p.relname::text ORDER BY h.inhseqno)
             FROM pg_inherits h JOIN pg_class p ON p.oid = h.inhparent
             WHERE h.inhrelid = c.oid) AS parents
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_am am ON am.oid = c.relam LEFT JOIN pg_tablespace ts ON ts.oid = c.reltablespace
        WHERE n.nspname = ANY(:schemas) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') ORDER BY c.oid""")  # noqa: S608 - from constants


def functions() -> sa.TextClause:
    """Return a row for each function and procedure."""
    return _query("""
        SELECT n.nspname, p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = ANY(:schemas)""")


def columns() -> sa.TextClause:
    """Return a row for each column of a table, with the sequence that the column owns."""
    return _query(f"""
        SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod) AS type_text, a.attnotnull, a.attgenerated,
            a.attidentity, col_description(a.attrelid, a.attnum) AS comment, a.attndims,
            pg_get_expr(d.adbin, d.adrelid) AS default_sql, pg_get_expr(d.adbin, d.adrelid, true) AS text,
            CASE WHEN a.attcollation <> t.typcollation THEN co.collname END AS collation,
            cn.nspname AS collation_schema,
            et.typname, en.nspname AS type_schema, et.typtype, t.typcategory = 'A' AND t.typelem <> 0 AS is_array,
            sn.nspname AS seq_schema, sc.relname AS seq_name, {_SEQUENCE},
            (SELECT array_agg(DISTINCT sa.attname) FROM pg_depend g
             JOIN pg_attribute sa ON sa.attrelid = g.refobjid AND sa.attnum = g.refobjsubid AND sa.attnum <> a.attnum
             WHERE a.attgenerated <> '' AND g.refclassid = 'pg_class'::regclass AND g.refobjid = a.attrelid
             AND (g.classid, g.objid, g.objsubid) IN (('pg_attrdef'::regclass, d.oid, 0),
                                                      ('pg_class'::regclass, a.attrelid, a.attnum))) AS sources,
            (SELECT array_agg(DISTINCT w.ev_class::regclass::text) FROM pg_depend v JOIN pg_rewrite w ON w.oid = v.objid
             WHERE v.classid = 'pg_rewrite'::regclass AND v.refclassid = 'pg_class'::regclass
             AND v.refobjid = a.attrelid AND v.refobjsubid = a.attnum AND w.ev_class <> a.attrelid) AS views
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        JOIN pg_type t ON t.oid = a.atttypid
        JOIN pg_type et ON et.oid = CASE WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN t.typelem ELSE t.oid END
        JOIN pg_namespace en ON en.oid = et.typnamespace
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        LEFT JOIN pg_collation co ON co.oid = a.attcollation LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
        LEFT JOIN pg_depend o ON o.refclassid = 'pg_class'::regclass AND o.refobjid = a.attrelid
            AND o.refobjsubid = a.attnum AND o.classid = 'pg_class'::regclass AND o.deptype IN ('a', 'i')
            AND EXISTS (SELECT FROM pg_sequence q WHERE q.seqrelid = o.objid)
        LEFT JOIN pg_class sc ON sc.oid = o.objid LEFT JOIN pg_namespace sn ON sn.oid = sc.relnamespace
        LEFT JOIN pg_sequence s ON s.seqrelid = o.objid
        WHERE n.nspname = ANY(:schemas) AND c.relkind IN ('r', 'p') ORDER BY a.attrelid, a.attnum""")  # noqa: S608 - from constants


def constraints(server_version: int) -> sa.TextClause:
    """Return a row for each constraint of a table, except the copies that belong to partitions."""
    names = """(SELECT array_agg(k.attname ORDER BY p.n) FROM unnest({0}) WITH ORDINALITY p(num, n)
        JOIN pg_attribute k ON k.attrelid = c.{1} AND k.attnum = p.num)"""
    return _query(
        f"""
        SELECT c.conrelid, c.conname, c.contype, pg_get_constraintdef(c.oid) AS definition, c.convalidated,
            pg_get_constraintdef(c.oid, true) AS pretty, pg_get_expr(c.conbin, c.conrelid, true) AS text,
            {names.format("c.conkey", "conrelid")} AS columns,
            {names.format("c.confkey", "confrelid")} AS referred_columns,
            {names.format("c.confdelsetcols", "conrelid")} AS set_columns,
            (SELECT array_agg(k.attname ORDER BY p.n) FROM unnest(i.indkey::int2[]) WITH ORDINALITY p(num, n)
             JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = p.num WHERE p.n > i.indnkeyatts) AS include,
            rn.nspname AS referred_schema, r.relname AS referred_table, x.relname AS key,
            c.confupdtype, c.confdeltype, c.confmatchtype, c.condeferrable, c.condeferred,
            obj_description(c.oid, 'pg_constraint') AS comment
        FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
        LEFT JOIN pg_class r ON r.oid = c.confrelid LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
        LEFT JOIN pg_class x ON x.oid = c.conindid
        LEFT JOIN pg_index i ON i.indexrelid = c.conindid AND c.contype <> 'f'
        WHERE n.nspname = ANY(:schemas) AND c.contype IN ('c', 'f', 'p', 'u', 'x') AND c.conparentid = 0
        AND c.conislocal
        ORDER BY c.conrelid, c.oid""",  # noqa: S608 - from constants
        server_version,
    )


def indexes(server_version: int) -> sa.TextClause:
    """Return a row for each index that is not the index of a constraint."""
    return _query(
        """
        SELECT i.indrelid, c.relname, pg_get_indexdef(c.oid) AS definition, i.indisunique, i.indisvalid,
            obj_description(c.oid, 'pg_class') AS comment, am.amname, c.reloptions, ts.spcname,
            i.indnullsnotdistinct AS nulls_not_distinct, pg_get_expr(i.indpred, i.indrelid, true) AS condition,
            i.indexprs IS NOT NULL AS has_expressions,
            (SELECT array_agg(k.attname ORDER BY p.n) FROM unnest(i.indkey::int2[]) WITH ORDINALITY p(num, n)
             JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = p.num WHERE p.n > i.indnkeyatts) AS include,
            (SELECT array_agg(DISTINCT k.attname) FROM pg_depend d JOIN pg_attribute k
             ON k.attrelid = d.refobjid AND k.attnum = d.refobjsubid AND k.attnum > 0
             WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
             AND d.refobjid = i.indrelid) AS columns
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
        JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_am am ON am.oid = c.relam
        LEFT JOIN pg_tablespace ts ON ts.oid = c.reltablespace
        WHERE n.nspname = ANY(:schemas) AND NOT c.relispartition
        AND NOT EXISTS (SELECT FROM pg_constraint o WHERE o.conindid = c.oid AND o.contype IN ('p', 'u', 'x'))
        ORDER BY i.indrelid, c.oid""",
        server_version,
    )


def enums() -> sa.TextClause:
    """Return a row for each enum type that does not belong to an extension."""
    return _query(f"""
        SELECT n.nspname, t.typname, obj_description(t.oid, 'pg_type') AS comment, pg_get_userbyid(t.typowner) AS owner,
            (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e
             WHERE e.enumtypid = t.oid) AS labels, {_USED_BY}
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE n.nspname = ANY(:schemas) AND t.typtype = 'e' AND NOT {_EXTENSION.format("pg_type", "t")}
        ORDER BY t.oid""")  # noqa: S608 - from constants


def domains() -> sa.TextClause:
    """Return a row for each domain that does not belong to an extension."""
    return _query(f"""
        SELECT n.nspname, t.typname, format_type(t.typbasetype, t.typtypmod) AS type_text, t.typnotnull, t.typdefault,
            CASE WHEN t.typcollation <> b.typcollation THEN co.collname END AS collation,
            cn.nspname AS collation_schema,
            pg_get_userbyid(t.typowner) AS owner, {_USED_BY},
            (SELECT array_agg(ARRAY[c.conname::text, pg_get_constraintdef(c.oid)] ORDER BY c.oid) FROM pg_constraint c
             WHERE c.contypid = t.oid AND c.contype = 'c') AS checks
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace JOIN pg_type b ON b.oid = t.typbasetype
        LEFT JOIN pg_collation co ON co.oid = t.typcollation LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
        WHERE n.nspname = ANY(:schemas) AND t.typtype = 'd' AND NOT {_EXTENSION.format("pg_type", "t")}
        ORDER BY t.oid""")  # noqa: S608 - from constants


def sequences() -> sa.TextClause:
    """Return a row for each sequence that no column owns."""
    return _query(f"""
        SELECT n.nspname, c.relname, {_SEQUENCE}
        FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(:schemas) AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
            AND d.objid = c.oid AND d.deptype IN ('a', 'i', 'e')) ORDER BY c.oid""")  # noqa: S608 - from constants
