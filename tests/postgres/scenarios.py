"""The scenario of each recipe: the statements of the application, and the schema after the last deployment."""

from dataclasses import dataclass, field

from tests.postgres.traffic import Code

OLD = Code()
TRIMMED = Code(
    insert=OLD.insert.replace("%(recipient)s", "btrim(%(recipient)s)"),
    move=OLD.move.replace("%(recipient)s", "btrim(%(recipient)s)"),
)
RENAMED = Code(
    insert=OLD.insert.replace("(recipient,", "(recipient_name,"),
    move=OLD.move.replace("SET recipient", "SET recipient_name"),
    read=OLD.read.replace("recipient", "recipient_name"),
)


@dataclass(frozen=True)
class Scenario:
    """The application during a recipe, and the expected result.

    `codes` are the application before the first deployment and after each deployment. After the last one, `has` are
    lines of the schema, `wrong` is a condition that no row fulfils, and `columns` are those of the written values.
    """

    codes: tuple[Code, ...] = (OLD, OLD)
    has: tuple[str, ...] = ()
    wrong: str = "false"
    columns: dict[str, str] = field(default_factory=lambda: {name: name for name in ("recipient", "address", "weight")})


SCENARIOS = {
    "Backfill in batches": Scenario(codes=(OLD, TRIMMED, TRIMMED), wrong="recipient <> btrim(recipient)"),
    "Add a table": Scenario(has=("table complaints app_owner=arwdDxtm/app_owner, querier=ar/app_owner",)),
}


@dataclass(frozen=True)
class Naive:
    """A revision in the naive form. `waits` is the part of its time for which the application waits at least."""

    body: str
    rewrites: bool = False
    waits: float = 0.0


NAIVE = {
    "a column with a volatile default": Naive(
        "op.add_column('parcels', sa.Column('token', sa.Uuid(), server_default=sa.func.gen_random_uuid()))",
        rewrites=True,
        waits=0.3,
    ),
    "an index built within the transaction": Naive(
        "op.create_index('ix_parcels_recipient', 'parcels', ['recipient'])", waits=0.3
    ),
    "a foreign key, NOT VALID and VALIDATE in one revision": Naive("""\
op.create_foreign_key('fk', 'parcels', 'depots', ['depot_id'], ['id'], postgresql_not_valid=True)
op.execute('ALTER TABLE parcels VALIDATE CONSTRAINT fk')"""),
    "a column added and filled in one revision": Naive(
        """\
op.add_column('parcels', sa.Column('city', sa.Text()))
op.execute("UPDATE parcels SET city = split_part(address, ', ', 2)")""",
        waits=0.3,
    ),
    "NOT NULL without a constraint that proves it": Naive(
        "op.alter_column('parcels', 'address', nullable=True)\nop.alter_column('parcels', 'address', nullable=False)"
    ),
    "a type changed in place": Naive(
        "op.alter_column('parcels', 'weight', type_=sa.BigInteger())", rewrites=True, waits=0.3
    ),
}

# Each execution adds parcels up to the number `rows`.
FILL = """
INSERT INTO depots SELECT n, 'Depot ' || n FROM generate_series(1, 20) n ON CONFLICT DO NOTHING;
INSERT INTO parcels (recipient, address, weight, depot_id)
SELECT 'Recipient ' || n || ' ', n || ' Main Street, City ' || n % 500 || ', ' || repeat('second floor, ', 2),
       n % 30000, n % 20 + 1
FROM generate_series((SELECT count(*) FROM parcels) + 1, {rows}) n
"""

# A line for each column, constraint, index, trigger, function, type and table.
SCHEMA = """
SELECT concat_ws(' ', 'column', attname, format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'NOT NULL' END,
                 'DEFAULT ' || pg_get_expr(adbin, adrelid)) AS line
FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attrelid = 'parcels'::regclass AND attnum > 0 AND NOT attisdropped
UNION ALL
SELECT concat_ws(' ', 'constraint', conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE conrelid = 'parcels'::regclass AND contype <> 'n'
UNION ALL
SELECT concat_ws(' ', 'index', indexrelid::regclass, CASE WHEN NOT indisvalid THEN 'NOT VALID' END)
FROM pg_index WHERE indrelid = 'parcels'::regclass
UNION ALL
SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgrelid = 'parcels'::regclass AND NOT tgisinternal
UNION ALL
SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL
SELECT 'type ' || enumtypid::regtype || ' ' || string_agg(enumlabel, ', ' ORDER BY enumsortorder)
FROM pg_enum GROUP BY enumtypid
UNION ALL
SELECT 'table ' || relname || ' ' || coalesce(array_to_string(relacl, ', '), '')
FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
ORDER BY line
"""
